"""Options that several commands have, and how durations and sizes are written."""
