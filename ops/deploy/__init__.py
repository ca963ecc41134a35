"""Deploying and destroying a stage, and the rights that it needs."""
