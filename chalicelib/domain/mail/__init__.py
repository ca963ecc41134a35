"""The content of the mails."""
