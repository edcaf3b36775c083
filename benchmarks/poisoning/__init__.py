"""Loss of accuracy by answers planted for a question, at any number of copies."""
