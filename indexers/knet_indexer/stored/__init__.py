"""The search index of a large node: derived from its blocks, kept in its home, rebuilt whenever it is not right.

Nothing here is evidence. What is answered comes from the committed blocks, and each hit's proof is checked against the
manifest before it leaves, so that a damaged index costs time or recall and never the truth.
"""
