"""Share of contexts that capital buys: by bad-mouthing a victim, by wash rating, by registering again."""
