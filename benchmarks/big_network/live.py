"""A thousand real nodes: first connection, reconnection, and complete questions, over a real chain and real HTTP."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import psutil

from benchmarks import fleet
from benchmarks.big_network.folded import folded
from benchmarks.passages import SEED, embedded, embedded_parts, squad
from knet.chain.evm import EvmChain
from knet.chain.keys import new_key
from knet.client.network import Network
from knet.content.store import FileStore
from knet.embed.base import PartEmbedder
from knet.errors import KnetError
from knet.http import HttpClient

PASSAGES = 24  # of each node, drawn at random: most passages are at several nodes
PATIENCE = 600.0  # seconds until every card must have been read
GOOD = "success"


def live(embedder: PartEmbedder, nodes: int, questions: int) -> dict[str, Any]:
    """Measure a client of ``nodes`` real nodes."""
    passages, asked = squad(0, questions)
    texts = [each.text for each in passages]
    vectors = embedded_parts(texts, embedder)[0]
    embedded([each.text for each in asked], embedder, query=True)
    rng = np.random.default_rng(SEED)
    drawn = [rng.choice(len(texts), PASSAGES, replace=False) for _ in range(nodes)]
    with fleet.network() as profile, TemporaryDirectory(prefix="knet-bench-") as folder:
        with folded(profile, embedder.space, [([texts[i] for i in rows], vectors[rows]) for rows in drawn]):

            def open_client() -> Network:
                return Network(
                    profile,
                    chain=EvmChain(profile.rpc, profile.deployment),
                    signer=new_key(),
                    http=HttpClient(addresses="loopback"),
                    store=FileStore(Path(folder) / "blocks"),
                    folder=Path(folder),
                    load_embedder=lambda space: embedder,
                )

            first = connected(open_client(), nodes, [each.text for each in asked])
            warm = connected(open_client(), nodes, [each.text for each in asked])
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    return {"first": first, "warm": warm, "disk_mb": round(size / 2**20, 1)}


def connected(network: Network, nodes: int, questions: Sequence[str]) -> dict[str, Any]:
    """Return the seconds to the first answer and until every node is known, then each question's milliseconds."""
    with network:
        started = time.perf_counter()
        network.ask(questions[0])
        useful, at_first = time.perf_counter() - started, network.coverage()[0]
        while network.coverage()[0] < nodes:
            if time.perf_counter() - started > PATIENCE:
                raise SystemExit(f"after {PATIENCE:g} s only {network.coverage()[0]} of {nodes} nodes are known")
            time.sleep(0.2)
        whole = time.perf_counter() - started
        milliseconds, asked, verified = [], 0, 0
        for question in questions:
            started = time.perf_counter()
            answer = network.ask(question).record
            milliseconds.append(1000 * (time.perf_counter() - started))
            asked += len(answer.nodes)
            verified += len(answer.receipts)
        if not verified:
            raise KnetError("no receipt was verified")
    return {
        "first_answer_s": round(useful, 2),
        "known_at_first_answer": at_first,
        "all_known_s": round(whole, 2),
        "ask_p50_ms": round(float(np.percentile(milliseconds, 50)), 1),
        "ask_p95_ms": round(float(np.percentile(milliseconds, 95)), 1),
        "asked_mean": round(asked / len(questions), 2),
        "receipts_verified_share": round(verified / max(asked, 1), 4),
        "rss_mb": round(psutil.Process().memory_info().rss / 2**20),
    }
