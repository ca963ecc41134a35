"""What can be wrong, and the rules that find it."""
