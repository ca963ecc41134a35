"""What the owner types about all machines at once."""
