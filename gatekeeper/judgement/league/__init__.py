"""League: a field of earlier challengers tested against the champion together."""
