"""What the table holds: a store for each kind of rows."""
