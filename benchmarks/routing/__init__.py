"""Share of central recall kept by a few of 100 nodes, for each router."""
