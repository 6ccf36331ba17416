"""Statistics of returns: Sharpe ratios and their errors, bootstraps, track records."""
