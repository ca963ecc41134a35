"""Writing down who changed what."""
