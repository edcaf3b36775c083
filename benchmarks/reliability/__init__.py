"""Loss of accuracy by pollution, and the share that knet, the paper's rule and an oracle recover."""
