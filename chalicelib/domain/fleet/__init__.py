"""Many machines at once: groups and their settings, the state of all, and the journal of who did what."""
