"""Backtest: daily returns and scorecards of champion, challenger and the ungated stream."""
