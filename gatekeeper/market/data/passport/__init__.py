"""Data passport: facts of a source and what its checks found, assembled as it is read."""
