"""Overhead of Ray: two workers of one core against one process with both."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from knet_indexer.config import NodeConfig, SourceConfig, save_config
from knet_indexer.ingest.sync import SyncReport, sync
from knet_indexer.node import Node

from .embed import texts

WORKERS = 2
DOCUMENTS = 128  # of three passages each: half a minute in one process
ROUNDS = 2  # both runs in turn, and the faster of each counts: another process may take the cores for a moment


def ray_part(axes: Axes) -> tuple[dict[str, float], dict[str, Any]]:
    """Measure a first sync in one process and in Ray's workers on the same cores, without the cluster's start."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    source, passages, _ = texts()
    with tempfile.TemporaryDirectory() as folder:
        documents = Path(folder) / "documents"
        documents.mkdir()
        for number in range(DOCUMENTS):
            parts = passages[3 * number : 3 * number + 3]
            (documents / f"{number}.md").write_text("\n\n".join(parts), encoding="utf-8")
        ray.init("local", num_cpus=WORKERS, include_dashboard=False, log_to_driver=False)
        try:
            runs: dict[str, list[SyncReport]] = {"local": [], "ray": []}
            for round_number in range(ROUNDS + 1):  # the first warms up: models are loaded, by each worker too
                for engine, reports in runs.items():
                    node = _node(Path(folder) / f"{engine}-{round_number}", documents)
                    started = time.perf_counter()
                    reports.append(sync(node, executor=engine))
                    print(f"round {round_number}: {engine} {time.perf_counter() - started:.1f} s", flush=True)
        finally:
            ray.shutdown()
    seconds = {engine: min(report.seconds for report in reports[1:]) for engine, reports in runs.items()}
    axes.bar(list(seconds), list(seconds.values()))
    axes.set(ylabel="seconds", title=f"first sync of {DOCUMENTS} documents of {source}")
    return {"ray_ratio": round(seconds["local"] / seconds["ray"], 3)}, {
        "source": source,
        "documents": DOCUMENTS,
        "embedded": runs["ray"][0].embedded,
        "workers": WORKERS,
        "seconds": {engine: [report.seconds for report in reports] for engine, reports in runs.items()},
    }


def _node(home: Path, documents: Path) -> Node:
    save_config(home, NodeConfig(name=home.name, sources=[SourceConfig(spec=f"folder:{documents}")]))
    return Node(home)
