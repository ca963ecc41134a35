"""Photo jobs: a laptop makes those of a family, and says that they have not changed."""
