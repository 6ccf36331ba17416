"""Documents: the JSON that Gatekeeper stores or hands on, as typed records; each is written and read in one place."""
