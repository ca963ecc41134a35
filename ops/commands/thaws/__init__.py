"""``python -m ops thaw``: restores from the archive that the owner lists, approves or declines."""
