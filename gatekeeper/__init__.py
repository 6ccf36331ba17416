"""Gatekeeper: trains, judges, registers and serves the ONNX model that may veto trade ideas."""
