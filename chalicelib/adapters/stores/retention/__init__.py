"""The rows of retention: what the owner has said, and what was let go."""
