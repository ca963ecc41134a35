"""Keeping the catalogue equal to the bucket: by events, and by the weekly reconcile."""
