"""A sync on a Ray cluster has the same result as a sync in one process, also when workers fail."""

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
from knet.embed.models import find_model
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
    """Return a node with a real model; its name does not depend on its folder."""
    sources = [SourceConfig(spec=f"folder:{documents}"), SourceConfig(spec="python:graphlib")]
    save_config(home, NodeConfig(name="node", sources=sources, **settings))  # type: ignore[arg-type]
    return Node(home)


def indexed(node: Node) -> list[object]:
    """Return documents and chunks in order, and every vector bit for bit."""
    with node.open_state() as state:
        rows = list(state.documents())
        (space,) = state.spaces()
        digests = [chunk.digest for row in rows for chunk in row.chunks]
        return [rows, sorted(state.vectors(space, digests).items()), sorted(state.items().items())]


def embedded(node: Node) -> int:
    with node.open_state() as state:
        return int(state.query("SELECT count(*) FROM embeddings")[0][0])


def test_ray_sync_equals_local_sync(workers: Cluster, documents: Path, tmp_path: Path, devnet: Profile) -> None:
    nodes = [Node((node_over(tmp_path / name, documents)).folder, profile=devnet) for name in ("one", "two")]
    reported: list[tuple[str, int, int]] = []
    reports = [
        sync(nodes[0]),
        sync(nodes[1], executor=workers.url, progress=lambda *step: reported.append(step)),
    ]
    assert indexed(nodes[1]) == indexed(nodes[0])
    local, spread = (replace(report, seconds=0.0, account=replace(report.account, time=0)) for report in reports)
    assert spread == local
    assert reports[1].skipped[0][0] == "folder:documents/bad.ipynb"
    assert reports[1].embedded < reports[1].chunks, "a text of two documents is embedded once"
    done = [done for phase, done, _ in reported if phase == "embed"]
    assert len(done) > 5
    assert done == sorted(done)

    manifests = [decode(node.store.get(publish(node).manifest), Manifest) for node in nodes]
    assert manifests[1].shards == manifests[0].shards
    assert replace(manifests[1], node=0, time=0) == replace(manifests[0], node=0, time=0)


def test_unchanged_folder_contacts_no_cluster(documents: Path, tmp_path: Path) -> None:
    node = node_over(tmp_path / "node", documents)
    sync(node)
    assert sync(node, executor="ray://127.0.0.1:9").embedded == 0


def test_killed_worker_is_replaced(workers: Cluster, documents: Path, tmp_path: Path) -> None:
    undisturbed, node = node_over(tmp_path / "undisturbed", documents), node_over(tmp_path / "node", documents)
    sync(undisturbed)
    killed: list[int] = []

    def kill(phase: str, done: int, total: int) -> None:
        if phase == "embed" and not killed:
            killed.extend(process.pid for process in workers.busy())
            for pid in killed:
                os.kill(pid, 9)

    sync(node, executor=workers.url, progress=kill)
    assert killed, "tasks were running"
    assert indexed(node) == indexed(undisturbed)


def test_cluster_without_workers_times_out(
    workers: Cluster, documents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cluster of the other tests keeps its workers; this test returns what Ray would then return."""
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


def test_killed_node_continues_its_sync(workers: Cluster, documents: Path, tmp_path: Path) -> None:
    undisturbed, node = node_over(tmp_path / "undisturbed", documents), node_over(tmp_path / "node", documents)
    sync(undisturbed)
    command = [sys.executable, "-c", KILLED, str(node.folder), workers.url]
    environment = {**os.environ, "RAY_CLIENT_RECONNECT_GRACE_PERIOD": "1"}  # seconds that the cluster keeps its tasks
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == -9, done.stderr
    kept = embedded(node)
    assert 0 < kept < embedded(undisturbed)
    report = sync(node, executor=workers.url)
    assert report.embedded == embedded(undisturbed) - kept
    assert indexed(node) == indexed(undisturbed)


@pytest.fixture
def joined(workers: Cluster, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    """This process has joined the cluster, with its own environment for workers."""
    prepare: dict[str, str] = getattr(request, "param", lambda folder: {})(tmp_path)
    for left in reversed(range(ATTEMPTS)):
        try:
            ray.init(workers.url, runtime_env={"env_vars": prepare}, log_to_driver=False)
            break
        except ConnectionError:  # processes of a busy head may give up; knet retries as well
            if not left:
                raise
    yield
    ray.shutdown()


def other_weights(folder: Path) -> dict[str, str]:
    """Return an environment with a hub cache in which the publisher changed the model."""
    repository = folder / "hub" / f"models--{DEFAULT_MODEL.replace('/', '--')}"
    shutil.copytree(find_model(DEFAULT_MODEL), repository / "snapshots" / "new")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("new")
    with (repository / "snapshots" / "new" / "model.safetensors").open("r+b") as weights:
        weights.seek(-4, os.SEEK_END)
        weights.write(b"\1\2\3\4")
    return {"HF_HUB_CACHE": str(folder / "hub")}


def no_knet(folder: Path) -> dict[str, str]:
    write_documents(folder / "old", {"knet_indexer/__init__.py": "raise ImportError('knet_indexer is old')"})
    return {"PYTHONPATH": str(folder / "old")}


@pytest.mark.parametrize("joined", [other_weights], indirect=True)
@pytest.mark.usefixtures("joined")
def test_workers_with_other_weights_are_refused(documents: Path, tmp_path: Path) -> None:
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
def test_joined_cluster_is_used_and_kept(documents: Path, tmp_path: Path, workers: Cluster) -> None:
    (documents / "more.md").write_text("# More\n\nMore text.")
    assert sync(node_over(tmp_path / "node", documents), executor="ray").embedded > 40
    assert ray.is_initialized()
    with pytest.raises(ConfigError, match="executor ray"):
        sync(node_over(tmp_path / "other", documents), executor=workers.url)
    with pytest.raises(ConfigError, match="--executor local"):
        sync(make_node(tmp_path / "words", TEXTS), executor="ray")


def test_unreachable_cluster_is_reported_at_once(documents: Path, tmp_path: Path) -> None:
    node = node_over(tmp_path / "node", documents)
    with pytest.raises(Unreachable, match="ray start --head"):
        sync(node, executor="ray://127.0.0.1:9")
    with pytest.raises(ConfigError, match="ray://HOST:PORT"):
        sync(node, executor="spark")
    with pytest.raises(ConfigError, match="ray://HOST:PORT"):
        sync(node, executor="ray://host:port")


def test_cluster_of_another_ray_version_is_reported(
    workers: Cluster, documents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray, "__version__", "2.0.0")
    with pytest.raises(ConfigError, match=r"2\.0\.0.*same versions of Ray"):
        sync(node_over(tmp_path / "node", documents), executor=workers.url)


def test_missing_ray_names_the_extra(documents: Path, tmp_path: Path) -> None:
    node = node_over(tmp_path / "node", documents)
    write_documents(tmp_path / "shadow", {"ray.py": "raise ImportError('no module named ray')"})
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path / "shadow"), *sys.path[1:]])}
    command = [sys.executable, "-m", "knet_indexer", "sync", "--home", str(node.folder), "--executor", "ray"]
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    assert done.returncode != 0
    assert "pip install 'knetwork[ray]'" in " ".join(done.stderr.split())
