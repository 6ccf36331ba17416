"""Exported trades of backtests, brought to the columns of labelled ideas, and the features joined to them."""
