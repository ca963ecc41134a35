"""Buckets: auditing them, and adopting one that was there before."""
