"""Monitoring: daily checks of the live primary."""
