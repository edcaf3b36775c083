"""Cost of a network of many nodes to its clients, and the recall lost by routing over summaries."""
