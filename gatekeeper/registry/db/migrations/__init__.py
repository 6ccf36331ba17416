"""How did the registry's tables come to be, revision by revision? Alembic's environment lives here."""
