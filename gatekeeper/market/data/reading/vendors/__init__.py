"""Vendors' files: how each is recognised, and how its columns, times and symbols become ours."""
