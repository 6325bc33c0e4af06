"""Networks as ONNX graphs: how they are built here from weights that others trained, and what runs them."""
