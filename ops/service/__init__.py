"""Talking to a deployed service: its functions, its catalogue, its dead letters."""
