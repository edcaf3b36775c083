"""How much accuracy pollution costs, and how much of it knet, the paper's rule and an oracle win back."""
