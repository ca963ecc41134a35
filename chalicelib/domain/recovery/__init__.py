"""Recovery codes: what is on paper, the readers that it was turned into, and how often it may be tried."""
