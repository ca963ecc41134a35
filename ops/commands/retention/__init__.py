"""``python -m ops retention``: what becomes of old chains, and what the owner says of it."""
