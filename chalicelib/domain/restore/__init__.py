"""Bringing archived volumes back to a class that can be read."""
