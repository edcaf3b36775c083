"""Recall of 20 nodes against one central index, with all nodes or routed nodes."""
