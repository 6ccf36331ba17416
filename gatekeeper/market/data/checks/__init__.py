"""Data checks: what is implausible in bars or labelled ideas, each check a pure function from data to findings."""
