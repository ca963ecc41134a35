"""Machines, jobs, sets and files: what is stored and who may store it."""
