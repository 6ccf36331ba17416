"""Calendar: sessions, market days and periods a year."""
