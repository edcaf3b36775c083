"""Merged ranking of 20 nodes: the cost of per-node normalisation, and of two embedding spaces."""
