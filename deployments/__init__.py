"""Prefect deployments of the flows, and local servers to run them on."""
