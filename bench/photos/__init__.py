"""What pictures cost in time."""
