"""What is stored of many machines at once."""
