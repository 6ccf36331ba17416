"""Ideas in, verified ONNX bytes out."""
