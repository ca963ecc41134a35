"""How fast the service is, against its budgets: ``make bench``."""
