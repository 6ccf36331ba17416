"""Decision log of a server: spool on disk and delivery to the database."""
