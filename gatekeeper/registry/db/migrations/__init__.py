"""Alembic migrations of the registry's tables, and their environment."""
