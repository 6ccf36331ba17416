"""HTTP scoring server (the extra `server`)."""
