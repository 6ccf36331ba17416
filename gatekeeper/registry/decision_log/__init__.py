"""Decision log in the database: decisions, outcomes, and the tables of older servers."""
