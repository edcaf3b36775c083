"""What models of shards (De-DSI) find alone and together, and what they add to BM25 and dense retrieval on SQuAD."""
