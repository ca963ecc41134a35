"""Calls of one function of the service by another."""
