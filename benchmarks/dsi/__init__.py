"""Retrieval quality of De-DSI models alone, together, and fused with BM25 and dense retrieval, on SQuAD."""
