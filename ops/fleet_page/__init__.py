"""The page to look at: all machines in one HTML file, which asks nothing of the network and runs nothing."""
