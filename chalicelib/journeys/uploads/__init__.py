"""Uploads from the permit to the seal, and discards of what a killed run has left."""
