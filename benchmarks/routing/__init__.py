"""How much of central recall is kept by asking a few of 100 nodes, by each way to choose them."""
