"""The pipeline's table of contents: Prefect flows, and the command line that runs them."""
