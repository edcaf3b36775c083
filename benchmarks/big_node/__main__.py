"""Run the benchmark of one large node, at several sizes.

Documents are files, and go through the real sync, with an embedder whose vectors follow from a formula; then the real
publication, the real program that serves, and searches over HTTP, one at a time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import numpy as np
import psutil
from matplotlib.figure import Figure

from benchmarks import fleet
from benchmarks.harness import report
from knet.codec import cid_of, decode, encode
from knet.config import Profile, home
from knet.content.base import get_record
from knet.content.store import FileStore
from knet.embed.base import Vectors
from knet.index.shard import live_mask
from knet.records import VECTOR_DTYPE, Manifest, SearchReply, SearchRequest, Shard
from knet_indexer.config import NodeConfig, SourceConfig, node_home, save_config
from knet_indexer.node import Node
from knet_indexer.publication import manifest_log

from .corpus import SPACE, Library
from .work import peak_megabytes, status_megabytes

SIZES = (10_000, 100_000, 1_000_000)
QUICK = (500, 12_000)  # one in memory, one on disk
QUESTIONS = 300
K = 10
NOWHERE = "unheard"  # a word of no passage, so that only vectors match
DAG_CBOR = "application/vnd.ipld.dag-cbor"


class Run(NamedTuple):
    """Figures of one size."""

    chunks: int
    sync_s: float
    sync_peak_mb: int
    publish_s: float
    publish_peak_mb: int
    update_s: float  # one document changed: sync and publication
    disk_mb: int  # blocks, state and index
    start_s: float  # from starting the program to its first answer possible, nothing of it in the page cache
    first_ms: float
    search_p50_ms: float
    search_p95_ms: float
    search_cpu_ms: float  # of the node's program, the mean: what a busy machine does not change
    recall_at_10: float
    serve_peak_mb: int  # mapped files included
    serve_private_mb: int  # memory that the system could not reclaim


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.big_node", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small collections: does it work at all?")
    parser.add_argument("--sizes", help="other sizes, such as 10000,50000")
    given = parser.parse_args()
    sizes = QUICK if given.quick else tuple(map(int, given.sizes.split(","))) if given.sizes else SIZES
    runs = []
    for size in sizes:
        with fleet.network() as profile:
            runs.append(run(size, profile, 20 if given.quick else QUESTIONS))
        print(runs[-1], flush=True)
    show(runs, "big_node-quick" if given.quick else "big_node")


def run(chunks: int, profile: Profile, questions: int) -> Run:
    library = Library(chunks)
    documents = home() / "documents"
    library.write(documents)
    (port,) = fleet.free_ports(1)
    folder = node_home("big")
    source = SourceConfig(spec=f"folder:{documents}")
    save_config(folder, NodeConfig(name="big", profile=profile.name, port=port, sources=[source], rate=0))
    synced, published = work("sync", folder, chunks), work("publish", folder, chunks)
    assert synced["chunks"] == published["chunks"] == chunks, (synced, published)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) >> 20
    asked = np.random.default_rng(chunks).choice(chunks, questions, replace=False).tolist()
    forget(folder)
    started = time.perf_counter()
    with fleet.process("big") as process:
        assert process.stdout is not None
        if not process.stdout.readline():
            raise SystemExit(f"the node did not start: {process.wait()}")
        start = time.perf_counter() - started
        pid = str(process.pid)
        before = cpu_seconds(process.pid)
        times, found = asyncio.run(search(f"http://127.0.0.1:{port}/v1/search", library, asked))
        busy = (cpu_seconds(process.pid) - before) / (2 * questions)
        serving = peak_megabytes(pid), status_megabytes("RssAnon", pid)
    truth = exact(Node(folder), np.stack([library.question(number)[1] for number in asked]))
    recall = float(np.mean([len(a & b) / K for a, b in zip(truth, found, strict=True)]))
    low, high = np.percentile(times[1:], [50, 95])
    print(f"start {start:.1f} s, searches {low:.1f} / {high:.1f} ms (p50 / p95), recall {recall:.4f}", flush=True)
    edited = documents / "0000" / "0.txt"
    edited.write_text(edited.read_text(encoding="utf-8") + " and more", encoding="utf-8")
    again = [work(what, folder, chunks) for what in ("sync", "publish")]
    return Run(
        chunks=chunks,
        sync_s=synced["seconds"],
        sync_peak_mb=synced["peak_mb"],
        publish_s=published["seconds"],
        publish_peak_mb=published["peak_mb"],
        update_s=round(sum(each["seconds"] for each in again), 1),
        disk_mb=size,
        start_s=round(start, 2),
        first_ms=round(times[0], 1),
        search_p50_ms=round(float(low), 1),
        search_p95_ms=round(float(high), 1),
        search_cpu_ms=round(busy * 1000, 1),
        recall_at_10=round(recall, 4),
        serve_peak_mb=serving[0],
        serve_private_mb=serving[1],
    )


def work(what: str, folder: Path, chunks: int) -> dict[str, Any]:
    """Sync or publish in a separate process."""
    command = [sys.executable, "-m", "benchmarks.big_node.work", what, str(folder), str(chunks)]
    ended = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    done: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    print(f"{what} of {chunks}: {done}", flush=True)
    return done


def cpu_seconds(process: int) -> float:
    """Return the CPU seconds of a process."""
    spent = psutil.Process(process).cpu_times()
    return float(spent.user + spent.system)


def forget(folder: Path) -> None:
    """Drop the node's files from the page cache, as after a reboot."""
    os.sync()
    for path in folder.rglob("*"):
        if path.is_file():
            handle = os.open(path, os.O_RDONLY)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(handle)


async def search(url: str, library: Library, asked: list[int]) -> tuple[list[float], list[set[tuple[int, int]]]]:
    """Return milliseconds of each complete search, the first on cold files, and the results by vector alone."""
    times, found = [], []
    async with aiohttp.ClientSession() as session:
        for number in asked:
            question, vector = library.question(number)
            started = time.perf_counter()
            await reply(session, url, question, vector)
            times.append((time.perf_counter() - started) * 1000)
        for number in asked:
            got = await reply(session, url, NOWHERE, library.question(number)[1])
            found.append({(hit.shard, hit.chunk) for hit in got.hits[:K]})
    return times, found


async def reply(session: aiohttp.ClientSession, url: str, question: str, vector: Vectors) -> SearchReply:
    asked = SearchRequest(
        question=question, client=bytes(20), salt=secrets.token_bytes(16), k=K, space=cid_of(SPACE),
        vector=vector.astype("<f4").tobytes(),
    )  # fmt: skip
    async with session.post(url, data=encode(asked), headers={"Content-Type": DAG_CBOR}) as response:
        body = await response.read()
        if response.status != 200:
            raise SystemExit(f"the node answered {response.status}: {body[:500]!r}")
    return decode(body, SearchReply)


def exact(node: Node, questions: Vectors) -> list[set[tuple[int, int]]]:
    """Return shards and chunks of the committed vectors nearest to each question, by exact search."""
    with node.open_state() as state:
        entry = manifest_log.head(state)
    assert entry is not None
    store = FileStore(node.folder / "blocks")
    best: list[list[tuple[float, int, int]]] = [[] for _ in questions]
    for number, ref in enumerate(get_record(store, entry.manifest, Manifest).shards):
        block = store.get(get_record(store, ref.shard, Shard).vectors)
        vectors = np.frombuffer(block, VECTOR_DTYPE).reshape(ref.count, -1).astype(np.float32)
        scores = np.where(live_mask(ref), questions @ vectors.T, -np.inf)
        for row, own in enumerate(scores):
            top = np.argsort(-own)[:K]
            best[row] = sorted([*best[row], *((float(own[c]), number, int(c)) for c in top)], reverse=True)[:K]
    return [{(shard, chunk) for _, shard, chunk in one} for one in best]


def show(runs: list[Run], name: str) -> None:
    figure = Figure(figsize=(14, 3))
    panels = {
        "milliseconds a search": ("search_p50_ms", "search_p95_ms"),
        "seconds": ("sync_s", "publish_s", "update_s", "start_s"),
        "peak megabytes": ("sync_peak_mb", "publish_peak_mb", "serve_peak_mb", "serve_private_mb"),
        "recall@10": ("recall_at_10",),
    }
    for axis, (title, fields) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        for field in fields:
            axis.plot([run.chunks for run in runs], [getattr(run, field) for run in runs], marker="o", label=field)
        axis.set(xscale="log", title=title, xlabel="passages", ylim=(0, None))
        axis.legend(fontsize=7)
    figure.tight_layout()
    largest = runs[-1]._asdict()
    names = ("chunks", "search_p95_ms", "recall_at_10", "start_s", "publish_peak_mb", "serve_peak_mb", "sync_peak_mb")
    details = {"runs": [each._asdict() for each in runs], "questions": QUESTIONS, "load_average": os.getloadavg()}
    report(name, {field: largest[field] for field in names}, details, figure)


if __name__ == "__main__":
    main()
