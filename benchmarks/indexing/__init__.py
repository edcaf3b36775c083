"""How fast a node embeds, against the plain way of doing it."""
