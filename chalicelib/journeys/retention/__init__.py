"""Letting old chains go, bringing them back, and what the owner is told of both."""
