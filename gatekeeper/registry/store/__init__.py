"""Model files: stored by name and by sha256, in a folder or an object store."""
