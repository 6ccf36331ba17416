"""Gatekeeper: which ONNX model may veto trades in production?"""
