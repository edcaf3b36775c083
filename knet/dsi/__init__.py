"""De-DSI: small models that retrieve passage ids for a question, trained and published for each shard.

Search (`knet.dsi.ensemble`) and `knet.dsi.publish` need numpy; training (`knet.dsi.collection`) needs torch.
"""
