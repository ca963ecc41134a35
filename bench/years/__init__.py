"""Ten years of backups, day by day: what they cost, what is uploaded, and whether they could be restored."""
