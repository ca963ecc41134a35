"""What looking after many machines costs."""
