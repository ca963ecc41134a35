"""MiniStack with what S3's archive classes have and it lacks; runs in MiniStack's own environment."""
