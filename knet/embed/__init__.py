"""Embedding of text: `knet.embed.load.load_embedder` opens a model and returns an `Embedder`."""
