"""Promotion rule: gates, verdicts, policies, and their texts."""
