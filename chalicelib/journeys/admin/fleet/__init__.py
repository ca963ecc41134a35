"""The owner's commands about many machines at once."""
