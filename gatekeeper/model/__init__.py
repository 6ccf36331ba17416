"""Models: training, ONNX export and verification."""
