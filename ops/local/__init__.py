"""The local stack: the packaged app in MiniStack, on loopback."""
