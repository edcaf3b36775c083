"""One node with up to a million passages: search latency and recall, start, memory of sync, publish and serving."""
