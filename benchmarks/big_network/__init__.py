"""What a network of many nodes costs its clients, and what they miss by not looking at every card."""
