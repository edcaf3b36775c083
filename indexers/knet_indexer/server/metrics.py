"""A node's metrics in Prometheus' text format: base units, bounded labels, no text of questions."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from ..ingest.account import Account

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
        self.files = Gauge(
            "knet_node_files", "Files in the last sync by outcome.", ["outcome"], registry=self.registry
        )  # read | unreadable | left_out | withheld
        self.failures = Gauge(
            "knet_node_source_failures", "Sources and parts that could not be listed.", registry=self.registry
        )

        self.answered = 0  # searches with the outcome ok, for `/v1/status`
        ProcessCollector(registry=self.registry)  # memory, CPU and open files, where the system reports them

    def count(self, outcome: str) -> None:
        """Count one search."""
        self.searches.labels(outcome).inc()
        self.answered += outcome == "ok"

    def set_account(self, account: Account | None) -> None:
        """Set the numbers of files in the last sync."""
        if account is not None:
            counts = account.counts
            for outcome in ("read", "unreadable", "left_out", "withheld"):
                self.files.labels(outcome).set(getattr(counts, outcome))
            self.failures.set(counts.failures)

    def render(self) -> bytes:
        return generate_latest(self.registry)
