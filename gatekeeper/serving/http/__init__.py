"""The scoring server over HTTP: the extra `server`."""
