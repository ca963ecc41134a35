"""A line as laptops have it, between a program and a server on this machine."""
