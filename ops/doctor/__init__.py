"""Checks of a deployed stage."""
