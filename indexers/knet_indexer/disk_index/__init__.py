"""The search index of a large node: derived from its blocks, kept in its home, rebuilt whenever it is not right.

Nothing here is evidence. What is answered comes from the committed blocks, and each hit's proof is checked against the
manifest before it leaves, so that a damaged index costs time or recall and never the truth.
"""

DISK_INDEX_CHUNKS = 10_000  # chunks: fewer are read into memory in a few seconds, and searched as fast


def uses_disk_index(chunks: int) -> bool:
    """Whether a collection of so many chunks is searched on disk."""
    return chunks >= DISK_INDEX_CHUNKS
