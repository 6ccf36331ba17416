"""Replay: strategies on bars, followed to their outcomes, with costs."""
