"""Run the benchmark of one node's load. Clients and node share this machine, so the figures are a lower bound."""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import time
from collections import Counter
from typing import NamedTuple

import aiohttp
import numpy as np
import psutil
from matplotlib.figure import Figure

from benchmarks import fleet
from benchmarks.harness import report
from benchmarks.passages import SEED, Passage
from knet.codec import cid_of, encode
from knet.records import SearchRequest, Space

SPACE = Space(model="benchmark", weights=bytes(32), dimension=384)
CHUNKS = 5000  # more than a node searches without handing it to a thread
LEVELS = (1, 10, 50, 100, 200, 400)  # clients at once, each asking again as soon as it has its answer
SECONDS = 6.0  # a level
SUSTAINED = 6  # further rounds at the highest level, for memory
WORDS = 20_000
K = 8
DAG_CBOR = "application/vnd.ipld.dag-cbor"


class Level(NamedTuple):
    """Figures for one number of clients."""

    clients: int
    per_second: float  # answers
    p50_ms: float
    p99_ms: float
    statuses: dict[int, int]
    megabytes: float  # the node's resident memory afterwards


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.node_load", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few clients and seconds: does it work at all?")
    quick = parser.parse_args().quick
    levels, seconds, sustained = ((1, 20), 0.5, 1) if quick else (LEVELS, SECONDS, SUSTAINED)
    passages, embedder = collection(300 if quick else CHUNKS)
    with fleet.network() as profile:
        (port,) = fleet.free_ports(1)
        fleet.prepare("node", port, passages, profile, embedder)
        with fleet.process("node") as started:
            assert started.stdout is not None
            if not started.stdout.readline():
                raise SystemExit(f"the node did not start: {started.wait()}")
            node = psutil.Process(started.pid)
            url = f"http://127.0.0.1:{port}/v1/search"
            requests = [request(passage, embedder) for passage in passages[:200]]
            runs = [asyncio.run(level(url, node, requests, clients, seconds)) for clients in levels]
            rounds = [asyncio.run(level(url, node, requests, levels[-1], seconds)) for _ in range(sustained)]
    show(runs, rounds, quick=quick)


def collection(chunks: int) -> tuple[list[Passage], fleet.GivenEmbedder]:
    """Return synthetic passages of 60 words, and unit vectors for them."""
    rng = np.random.default_rng(SEED)
    texts = [" ".join(f"word{n}" for n in rng.zipf(1.3, 60) % WORDS) + f" {number}." for number in range(chunks)]
    vectors = rng.standard_normal((chunks, SPACE.dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    given = fleet.GivenEmbedder(SPACE, dict(zip(texts, vectors, strict=True)))
    return [Passage(str(number), "", text) for number, text in enumerate(texts)], given


def request(passage: Passage, embedder: fleet.GivenEmbedder) -> bytes:
    """Return the request of a client for this passage."""
    return encode(
        SearchRequest(
            question=passage.text[:200],
            client=bytes(20),
            salt=secrets.token_bytes(16),
            k=K,
            space=cid_of(SPACE),
            vector=embedder.encode([passage.text])[0].astype("<f4").tobytes(),
        )
    )


async def level(url: str, node: psutil.Process, requests: list[bytes], clients: int, seconds: float) -> Level:
    """Run ``clients`` in parallel for ``seconds``; a rejected client retries after a tenth of a second."""
    statuses: Counter[int] = Counter()
    milliseconds: list[float] = []
    until = time.perf_counter() + seconds

    async def client(number: int) -> None:
        turn = number
        while (started := time.perf_counter()) < until:
            turn += 1
            body = requests[turn % len(requests)]
            async with session.post(url, data=body, headers={"Content-Type": DAG_CBOR}) as response:
                await response.read()
            statuses[response.status] += 1
            if response.status == 200:
                milliseconds.append((time.perf_counter() - started) * 1000)
            else:
                await asyncio.sleep(0.1)

    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
        await asyncio.gather(*map(client, range(clients)))
    return Level(
        clients=clients,
        per_second=round(len(milliseconds) / seconds, 1),
        p50_ms=round(float(np.percentile(milliseconds, 50)), 1),
        p99_ms=round(float(np.percentile(milliseconds, 99)), 1),
        statuses=dict(statuses),
        megabytes=round(node.memory_info().rss / 2**20, 1),
    )


def show(runs: list[Level], rounds: list[Level], *, quick: bool) -> None:
    for run in [*runs, *rounds]:
        print(
            f"{run.clients:4} clients: {run.per_second:7.1f}/s, p50 {run.p50_ms:7.1f} ms, p99 {run.p99_ms:7.1f} ms, "
            f"{run.megabytes:6.1f} MB, {run.statuses}",
            flush=True,
        )
    figure = Figure(figsize=(9, 3))
    axes = figure.subplots(1, 3)
    for axis, field in zip(axes, ("per_second", "p99_ms", "megabytes"), strict=True):
        axis.plot([run.clients for run in runs], [getattr(run, field) for run in runs], marker="o")
        axis.set_title(field)
        axis.set_xlabel("clients")
        axis.set_ylim(bottom=0)
    figure.tight_layout()
    failed = sum(
        count for run in [*runs, *rounds] for status, count in run.statuses.items() if status not in (200, 503)
    )
    figures = {
        "most_per_second": max(run.per_second for run in runs),
        "last_per_second": runs[-1].per_second,
        "last_p99_ms": runs[-1].p99_ms,
        "sustained_growth_mb": round(rounds[-1].megabytes - runs[-1].megabytes, 1),
        "failed": failed,
    }
    details = {
        "levels": [run._asdict() for run in runs],
        "sustained": [run._asdict() for run in rounds],
        "load_average": os.getloadavg(),
    }
    report("node_load-quick" if quick else "node_load", figures, details, figure)


if __name__ == "__main__":
    main()
