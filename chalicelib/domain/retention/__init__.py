"""Letting chains go: never one that the owner has not seen a successor of."""
