"""Photo jobs: families, what settles them, and what may not change in them."""
