"""AWS's prices and what a month costs."""
