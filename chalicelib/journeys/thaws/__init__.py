"""Bringing archived volumes back: plan, start, ask S3, look, approve."""
