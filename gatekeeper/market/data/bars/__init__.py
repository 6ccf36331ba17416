"""Bars: the candles of each symbol as known at an as-of."""
