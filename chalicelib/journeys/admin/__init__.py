"""The owner's commands by subject; ``administer`` has the table of them."""
