"""One node under hundreds of clients at once: throughput, 99th percentile, searches sent away, memory."""
