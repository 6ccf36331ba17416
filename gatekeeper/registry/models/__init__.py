"""Registered models: catalogue, registration, verification, retirement, refits."""
