"""Latency of a verified question to 20 nodes, against embedding it and searching one FAISS index in process."""
