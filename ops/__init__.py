"""What the owner runs: ``python -m ops ...``. Nothing of it is deployed."""
