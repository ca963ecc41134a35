"""The codes of findings by what they are about; ``finding_codes`` has the table of all."""
