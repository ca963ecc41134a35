"""One group of the owner's commands a file."""
