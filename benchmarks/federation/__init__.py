"""Whether 20 nodes answer like one index over everything, asked all at once or only where the question is routed."""
