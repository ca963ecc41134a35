"""A bucket, a table and reports that are made while they are read."""
