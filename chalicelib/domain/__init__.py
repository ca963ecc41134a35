"""Rules without I/O: the standard library only, ``now`` passed in, times always aware and in UTC."""
