"""The Lambda functions: their package, configuration, roles, and whether AWS has them as we do."""
