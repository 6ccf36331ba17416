"""Replay: strategies run on historical bars, each trade followed to its outcome, with costs."""
