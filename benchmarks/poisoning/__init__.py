"""How much accuracy answers planted for the very question cost, however often they are copied."""
