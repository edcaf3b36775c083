"""Life of the development chain: start, stop, saved state, crashes and their errors."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from knet.chain.anvil import ANVIL_VERSION, find_anvil
from knet.chain.devchain import NetworkStatus, fund, network_status, start_network, stop_network
from knet.chain.evm import EvmChain
from knet.chain.keys import new_key
from knet.config import Deployment, Profile, home, load_profile, save_profile
from knet.errors import ChainUnreachable, ConfigError
from tests.conftest import NO_ANVIL

pytestmark = [pytest.mark.chain, pytest.mark.skipif(find_anvil() is None, reason=NO_ANVIL)]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("KNET_HOME", str(tmp_path))
    yield
    for folder in (tmp_path / "networks").glob("*"):
        stop_network(folder.name)


def register_one(profile: Profile) -> int:
    key = new_key()
    fund(profile.rpc, key.address)
    return EvmChain(profile.rpc, profile.deployment).identity.register(key, "http://127.0.0.1:1")


def folder() -> Path:
    return home() / "networks" / "local"


def port_of(profile: Profile) -> int:
    return int(profile.rpc.rpartition(":")[2])


def saved_block() -> int:
    """Return the last block in the saved state; -1 while there is no complete state."""
    try:
        return int(json.loads((folder() / "chain.json").read_text())["best_block_number"])
    except (FileNotFoundError, ValueError):
        return -1


def test_network_starts_as_the_default_profile_and_stops() -> None:
    assert network_status() == NetworkStatus(name="local", running=False)
    assert not stop_network()
    profile = start_network()
    assert load_profile() == profile
    assert profile.addresses == "loopback"
    status = network_status()
    assert status.running
    assert (status.rpc, status.block) == (profile.rpc, 3)
    assert stop_network()
    assert not network_status().running
    assert not psutil.pid_exists(status.pid)


def test_profile_with_a_reputation_registry_of_an_earlier_version_loads() -> None:
    deployment = Deployment(chain_id=1, identity="0x1", manifests="0x2", reliability="0x3", block=7)
    profile = Profile(name="earlier", rpc="http://127.0.0.1:1", deployment=deployment)
    path = save_profile(profile)
    written = json.loads(path.read_text())
    written["deployment"]["reputation"] = "0x4"
    path.write_text(json.dumps(written))
    assert load_profile("earlier") == profile


def test_start_of_a_running_network_returns_its_profile() -> None:
    profile, status = start_network(), network_status()
    assert start_network() == profile
    assert network_status() == status
    with pytest.raises(ConfigError, match="already runs on port"):
        start_network(port=1)


def test_nodes_and_addresses_survive_a_restart() -> None:
    profile = start_network()
    node = register_one(profile)
    stop_network()
    assert start_network() == profile
    assert node in EvmChain(profile.rpc, profile.deployment).registry_snapshot().nodes


def test_user_settings_survive_a_restart() -> None:
    profile = start_network()
    stop_network()
    save_profile(Profile(name="local", rpc="", deployment=profile.deployment, key="keys/mine.key"))
    again = start_network()
    assert (again.key, again.rpc) == ("keys/mine.key", profile.rpc)


def test_second_network_is_separate_and_not_the_default() -> None:
    one, two = start_network("one"), start_network("two", default=False)
    assert one.rpc != two.rpc
    assert one.deployment != two.deployment  # so receipts of one network are invalid in the other
    assert load_profile() == one
    stop_network("one")
    assert network_status("two").running


def test_killed_network_restarts_with_its_saved_blocks() -> None:
    profile = start_network()
    node = register_one(profile)
    registered = network_status()
    while saved_block() < registered.block:
        time.sleep(0.1)
    os.kill(registered.pid, signal.SIGKILL)
    assert start_network() == profile
    assert node in EvmChain(profile.rpc, profile.deployment).registry_snapshot().nodes


def test_network_killed_before_its_first_save_is_deployed_at_the_same_addresses() -> None:
    profile = start_network()
    process = psutil.Process(network_status().pid)
    process.kill()
    process.wait()
    (folder() / "chain.json").unlink(missing_ok=True)
    assert start_network() == profile
    assert register_one(profile) == 1


def test_start_waits_for_the_end_of_a_stopping_process() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1)"]) as dying:  # runs, and refuses calls
        folder().mkdir(parents=True)
        last = {"pid": dying.pid, "created": psutil.Process(dying.pid).create_time(), "port": 1}
        (folder() / "anvil.json").write_text(json.dumps(last))
        assert start_network().rpc == network_status().rpc


def test_reused_process_number_is_left_alone() -> None:
    folder().mkdir(parents=True)
    (folder() / "anvil.json").write_text(json.dumps({"pid": os.getpid(), "created": 1.0, "port": 1}))
    assert not network_status().running
    assert not stop_network()
    (folder() / "anvil.json").write_text("{")
    assert start_network().rpc == network_status().rpc


def test_taken_port_is_refused_when_requested_and_avoided_otherwise() -> None:
    profile = start_network()
    stop_network()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port_of(profile)))
        other.listen()
        with pytest.raises(ConfigError, match=f"Port {port_of(profile)} of 127.0.0.1 is taken"):
            start_network(port=port_of(profile))
        moved = start_network()
    assert moved.rpc != profile.rpc
    assert moved.deployment == profile.deployment


def test_damaged_state_is_named_and_its_backup_restores_it() -> None:
    node = register_one(start_network())
    stop_network()
    start_network()
    stop_network()
    (folder() / "chain.json").write_text('{"block": ')
    with pytest.raises(ConfigError, match=r"chain\.json is damaged.*chain\.backup\.json"):
        start_network()
    (folder() / "chain.backup.json").rename(folder() / "chain.json")
    profile = start_network()
    assert node in EvmChain(profile.rpc, profile.deployment).registry_snapshot().nodes


@pytest.mark.parametrize("name", ["", "..", "a/b", "-x", "a b"])
def test_network_name_that_cannot_be_a_folder_is_refused(name: str) -> None:
    for use in (start_network, stop_network, network_status):
        with pytest.raises(ConfigError, match="cannot name a network"):
            use(name)


def test_funding_on_a_stopped_chain_raises_an_error() -> None:
    profile = start_network()
    stop_network()
    with pytest.raises(ChainUnreachable):
        fund(profile.rpc, new_key().address)


def test_every_manifest_names_the_same_anvil_version() -> None:
    for manifest in ("contracts/package.json", "knet/chain/tools/package.json"):
        read = json.loads((ROOT / manifest).read_text())
        assert (read.get("dependencies", {}) | read.get("devDependencies", {}))["@foundry-rs/anvil"] == ANVIL_VERSION
