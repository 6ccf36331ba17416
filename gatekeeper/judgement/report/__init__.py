"""Evaluation document and report: what is stored of a comparison, and how it is shown."""
