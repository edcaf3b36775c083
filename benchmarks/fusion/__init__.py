"""Every retriever alone, rank fusion and knet's fusion, over four document sets; hit@1, recall@10, nDCG@10, MRR."""
