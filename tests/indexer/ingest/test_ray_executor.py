"""A sync on a Ray cluster ends where a sync in one process does, whatever happens to its workers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from knet.codec import decode
from knet.config import DEFAULT_MODEL, Profile
from knet.embed import find_model
from knet.errors import ConfigError, DeadlineExceeded, ModelNotFound, SpaceMismatch, Unreachable
from knet.records import Manifest
from knet_indexer.config import NodeConfig, SourceConfig, save_config
from knet_indexer.ingest import ray_executor
from knet_indexer.ingest import sync as sync_module
from knet_indexer.ingest.sync import sync
from knet_indexer.node import Node
from knet_indexer.publication.publish import publish
from tests.indexer.ingest.ray_cluster import ATTEMPTS, Cluster, cluster
from tests.network.support import make_node, write_documents

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'knetwork[ray]'")

TEXTS = {
    f"{number}.md": "\n\n".join(
        [f"# Topic {number}"]
        + [" ".join(f"Fact {n} of topic {number} follows from fact {n - part}." for n in range(8)) for part in range(5)]
    )
    for number in range(12)
}


@pytest.fixture(scope="module")
def workers() -> Iterator[Cluster]:
    try:
        find_model(DEFAULT_MODEL)
    except ModelNotFound as error:
        pytest.skip(f"The default model is not here: {error}")
    with cluster(workers=2) as running:
        yield running


pytestmark = [pytest.mark.model, pytest.mark.network, pytest.mark.timeout(400)]


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync_module, "BATCH_CHUNKS", 12)
    monkeypatch.setattr(sync_module, "EMBED_BATCH", 6)


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    write_documents(tmp_path / "documents", {**TEXTS, "again.md": TEXTS["0.md"], "bad.ipynb": "{ no notebook"})
    return tmp_path / "documents"


def node_over(home: Path, documents: Path, **settings: object) -> Node:
    """A node as users have it, with a real model; called alike wherever it lies."""
    sources = [SourceConfig(spec=f"folder:{documents}"), SourceConfig(spec="python:graphlib")]
    save_config(home, NodeConfig(name="node", sources=sources, **settings))  # type: ignore[arg-type]
    return Node(home)


def indexed(node: Node) -> list[object]:
    """Documents and chunks in their order, and every vector to the bit."""
    with node.open_state() as state:
        rows = list(state.documents())
        (space,) = state.spaces()
        digests = [chunk.digest for row in rows for chunk in row.chunks]
        return [rows, sorted(state.vectors(space, digests).items()), sorted(state.items().items())]


def embedded(node: Node) -> int:
    with node.open_state() as state:
        return int(state.query("SELECT count(*) FROM embeddings")[0][0])


def test_two_workers_make_what_one_process_makes(
    workers: Cluster, documents: Path, tmp_path: Path, devnet: Profile
) -> None:
    nodes = [Node((node_over(tmp_path / name, documents)).folder, profile=devnet) for name in ("one", "two")]
    told: list[tuple[str, int, int]] = []
    reports = [
        sync(nodes[0]),
        sync(nodes[1], executor=workers.url, progress=lambda *step: told.append(step)),
    ]
    assert indexed(nodes[1]) == indexed(nodes[0])
    assert replace(reports[1], seconds=0.0) == replace(reports[0], seconds=0.0)
    assert reports[1].skipped[0][0] == "folder:documents/bad.ipynb"
    assert reports[1].embedded < reports[1].chunks, "a text that two documents hold is embedded once"
    done = [done for phase, done, _ in told if phase == "embed"]
    assert len(done) > 5
    assert done == sorted(done)

    manifests = [decode(node.store.get(publish(node).manifest), Manifest) for node in nodes]
    assert manifests[1].shards == manifests[0].shards
    assert replace(manifests[1], node=0, time=0) == replace(manifests[0], node=0, time=0)


def test_an_unchanged_folder_asks_no_cluster(documents: Path, tmp_path: Path) -> None:
    node = node_over(tmp_path / "node", documents)
    sync(node)
    assert sync(node, executor="ray://127.0.0.1:9").embedded == 0


def test_a_worker_that_is_killed_is_replaced(workers: Cluster, documents: Path, tmp_path: Path) -> None:
    calm, node = node_over(tmp_path / "calm", documents), node_over(tmp_path / "node", documents)
    sync(calm)
    killed: list[int] = []

    def kill(phase: str, done: int, total: int) -> None:
        if phase == "embed" and not killed:
            killed.extend(process.pid for process in workers.busy())
            for pid in killed:
                os.kill(pid, 9)

    sync(node, executor=workers.url, progress=kill)
    assert killed, "tasks were under way"
    assert indexed(node) == indexed(calm)


def test_a_cluster_that_has_lost_every_worker_is_not_waited_for(
    workers: Cluster, documents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers cannot be taken from the cluster of the other tests: what Ray would say then is said here."""
    answered: list[object] = []
    get, resources = ray.get, ray.cluster_resources

    def lost(reference: object, timeout: float) -> object:
        if answered:
            raise ray.exceptions.GetTimeoutError
        answered.append(get(reference, timeout=300))
        return answered[0]

    monkeypatch.setattr(ray_executor, "WORKER_SECONDS", 0.2)
    monkeypatch.setattr(ray, "get", lost)
    monkeypatch.setattr(ray, "cluster_resources", lambda: {} if answered else resources())
    node = node_over(tmp_path / "node", documents)
    with pytest.raises(DeadlineExceeded, match="No worker"):
        sync(node, executor=workers.url)


KILLED = """
import os, sys
from pathlib import Path
from knet_indexer.ingest import sync as sync_module
from knet_indexer.node import Node
sync_module.BATCH_CHUNKS, sync_module.EMBED_BATCH = 12, 6
def die(phase, done, total):
    if phase == "embed" and done >= 24:
        os.kill(os.getpid(), 9)
sync_module.sync(Node(Path(sys.argv[1])), executor=sys.argv[2], progress=die)
"""


def test_a_node_that_is_killed_goes_on_where_it_stopped(workers: Cluster, documents: Path, tmp_path: Path) -> None:
    calm, node = node_over(tmp_path / "calm", documents), node_over(tmp_path / "node", documents)
    sync(calm)
    command = [sys.executable, "-c", KILLED, str(node.folder), workers.url]
    impatient = {**os.environ, "RAY_CLIENT_RECONNECT_GRACE_PERIOD": "1"}  # seconds its work is kept for it
    died = subprocess.run(command, capture_output=True, text=True, check=False, env=impatient)
    assert died.returncode == -9, died.stderr
    kept = embedded(node)
    assert 0 < kept < embedded(calm)
    report = sync(node, executor=workers.url)
    assert report.embedded == embedded(calm) - kept
    assert indexed(node) == indexed(calm)


@pytest.fixture
def joined(workers: Cluster, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    """This process is on the cluster already, with an environment of its own for its workers."""
    prepare: dict[str, str] = getattr(request, "param", lambda folder: {})(tmp_path)
    for left in reversed(range(ATTEMPTS)):
        try:
            ray.init(workers.url, runtime_env={"env_vars": prepare}, log_to_driver=False)
            break
        except ConnectionError:  # what a busy head starts for a client may give up, which knet bears as well
            if not left:
                raise
    yield
    ray.shutdown()


def other_weights(folder: Path) -> dict[str, str]:
    """The hub's cache as it would be after the model's publisher changed it."""
    repository = folder / "hub" / f"models--{DEFAULT_MODEL.replace('/', '--')}"
    shutil.copytree(find_model(DEFAULT_MODEL), repository / "snapshots" / "new")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("new")
    with (repository / "snapshots" / "new" / "model.safetensors").open("r+b") as weights:
        weights.seek(-4, os.SEEK_END)
        weights.write(b"\1\2\3\4")
    return {"HF_HUB_CACHE": str(folder / "hub")}


def no_knet(folder: Path) -> dict[str, str]:
    write_documents(folder / "old", {"knet_indexer/__init__.py": "raise ImportError('knet_indexer is of another age')"})
    return {"PYTHONPATH": str(folder / "old")}


@pytest.mark.parametrize("joined", [other_weights], indirect=True)
@pytest.mark.usefixtures("joined")
def test_workers_with_another_version_of_the_model_are_refused(documents: Path, tmp_path: Path) -> None:
    node = node_over(tmp_path / "node", documents)
    with pytest.raises(SpaceMismatch, match=r"worker on .* weights 53aa5117"):
        sync(node, executor="ray")
    assert embedded(node) == 0


@pytest.mark.parametrize("joined", [no_knet], indirect=True)
@pytest.mark.usefixtures("joined")
def test_workers_without_knet_are_reported(documents: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"knet_indexer.*pip install"):
        sync(node_over(tmp_path / "node", documents), executor="ray")


@pytest.mark.usefixtures("joined")
def test_the_cluster_that_a_process_is_on_is_used_and_kept(documents: Path, tmp_path: Path, workers: Cluster) -> None:
    (documents / "more.md").write_text("# More\n\nAnd then some.")
    assert sync(node_over(tmp_path / "node", documents), executor="ray").embedded > 40
    assert ray.is_initialized()
    with pytest.raises(ConfigError, match="executor ray"):
        sync(node_over(tmp_path / "other", documents), executor=workers.url)
    with pytest.raises(ConfigError, match="--executor local"):
        sync(make_node(tmp_path / "words", TEXTS), executor="ray")


def test_a_cluster_that_is_not_there_is_told_at_once(documents: Path, tmp_path: Path) -> None:
    node = node_over(tmp_path / "node", documents)
    with pytest.raises(Unreachable, match="ray start --head"):
        sync(node, executor="ray://127.0.0.1:9")
    with pytest.raises(ConfigError, match="ray://HOST:PORT"):
        sync(node, executor="spark")
    with pytest.raises(ConfigError, match="ray://HOST:PORT"):
        sync(node, executor="ray://host:port")


def test_a_cluster_of_another_ray_is_told(
    workers: Cluster, documents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray, "__version__", "2.0.0")
    with pytest.raises(ConfigError, match=r"2\.0\.0.*same versions of Ray"):
        sync(node_over(tmp_path / "node", documents), executor=workers.url)


def test_without_ray_the_extra_is_named(documents: Path, tmp_path: Path) -> None:
    node = node_over(tmp_path / "node", documents)
    write_documents(tmp_path / "shadow", {"ray.py": "raise ImportError('no module named ray')"})
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path / "shadow"), *sys.path[1:]])}
    command = [sys.executable, "-m", "knet_indexer", "sync", "--home", str(node.folder), "--executor", "ray"]
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    assert done.returncode != 0
    assert "pip install 'knetwork[ray]'" in " ".join(done.stderr.split())
