"""The owner's own recovery sheet: how to get into the account, and where everything that opens the backups is kept."""
