"""Monitor: daily checks of the live primary."""
