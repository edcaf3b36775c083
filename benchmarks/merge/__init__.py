"""One ranking from 20 nodes: what normalising scores within nodes costs, and what two embedding spaces cost."""
