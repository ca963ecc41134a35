"""MiniStack with what S3's archive classes have and it lacks, and with faster cold starts; runs in MiniStack's own
environment."""
