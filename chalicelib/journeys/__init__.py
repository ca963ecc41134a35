"""What the service does, one verb a file; adapters are passed in."""
