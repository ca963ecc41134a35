"""What a set takes, and when: the order of sets, the seal, and sets that are hidden."""
