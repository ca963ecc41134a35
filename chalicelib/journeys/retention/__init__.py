"""Letting old chains go, bringing them back, and what is reported of both."""
