"""Market data: bars and labelled ideas read from files, calendars, sessions."""
