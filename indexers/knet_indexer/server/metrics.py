"""A node's metrics in Prometheus' text format: base units, bounded labels, no text of questions."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)


class Metrics:
    """One node's metrics, in their own registry: several nodes may live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.searches = Counter(
            "knet_node_searches", "Searches by outcome.", ["outcome"], registry=self.registry
        )  # ok | refused | limited | busy | failed
        self.seconds = Histogram(
            "knet_node_search_seconds", "Time to answer a search.", buckets=_BUCKETS, registry=self.registry
        )
        self.waiting = Gauge("knet_node_searches_waiting", "Searches under way.", registry=self.registry)
        self.sequence = Gauge("knet_node_head_sequence", "Sequence number of the head.", registry=self.registry)
        self.documents = Gauge("knet_node_documents", "Documents in the head.", registry=self.registry)
        self.chunks = Gauge("knet_node_chunks", "Chunks in the head.", registry=self.registry)

        self.answered = 0  # searches with the outcome ok, for `/v1/status`
        ProcessCollector(registry=self.registry)  # memory, CPU and open files, where the system reports them

    def count(self, outcome: str) -> None:
        """Count one search."""
        self.searches.labels(outcome).inc()
        self.answered += outcome == "ok"

    def render(self) -> bytes:
        return generate_latest(self.registry)
