"""Recovery codes in the table."""
