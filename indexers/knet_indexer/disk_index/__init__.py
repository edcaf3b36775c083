"""The search index of a large node on disk, derived from its blocks and rebuilt when it is damaged.

The index is not evidence. Answers come from the committed blocks, and each hit's proof is checked against the manifest
before it is sent. A damaged index costs time or recall, never correctness.
"""

DISK_INDEX_CHUNKS = 10_000  # smaller collections load into memory in seconds, and are searched as fast


def uses_disk_index(chunks: int) -> bool:
    """Return whether a collection of ``chunks`` chunks is searched on disk."""
    return chunks >= DISK_INDEX_CHUNKS
