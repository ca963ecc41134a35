"""``python -m ops status``: every machine in one call, for people, for programs, and for Prometheus."""
