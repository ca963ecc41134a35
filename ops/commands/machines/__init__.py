"""``python -m ops machine``: which machines back up, how, and how often."""
