"""Deploying and destroying a stage, and what whoever deploys may do."""
