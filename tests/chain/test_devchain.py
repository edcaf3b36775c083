"""The development chain starts in a moment, keeps what was done on it, and survives crashes with a clear word."""

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
    """The last block in the saved state; -1 while there is none, or half of it."""
    try:
        return int(json.loads((folder() / "chain.json").read_text())["best_block_number"])
    except (FileNotFoundError, ValueError):
        return -1


def test_a_network_comes_up_as_the_default_profile_and_goes_down() -> None:
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


def test_starting_a_running_network_finds_it() -> None:
    profile, status = start_network(), network_status()
    assert start_network() == profile
    assert network_status() == status
    with pytest.raises(ConfigError, match="already runs on port"):
        start_network(port=1)


def test_nodes_are_still_there_after_a_restart_at_the_same_place() -> None:
    profile = start_network()
    node = register_one(profile)
    stop_network()
    assert start_network() == profile
    assert node in EvmChain(profile.rpc, profile.deployment).registry_snapshot().nodes


def test_settings_of_the_user_survive_a_restart() -> None:
    profile = start_network()
    stop_network()
    save_profile(Profile(name="local", rpc="", deployment=profile.deployment, key="keys/mine.key"))
    again = start_network()
    assert (again.key, again.rpc) == ("keys/mine.key", profile.rpc)


def test_networks_live_side_by_side_and_only_the_named_one_is_the_default() -> None:
    one, two = start_network("one"), start_network("two", default=False)
    assert one.rpc != two.rpc
    assert one.deployment != two.deployment  # receipts of one mean nothing in the other
    assert load_profile() == one
    stop_network("one")
    assert network_status("two").running


def test_a_killed_network_starts_again_without_losing_saved_blocks() -> None:
    profile = start_network()
    node = register_one(profile)
    registered = network_status()
    while saved_block() < registered.block:
        time.sleep(0.1)
    os.kill(registered.pid, signal.SIGKILL)
    assert start_network() == profile
    assert node in EvmChain(profile.rpc, profile.deployment).registry_snapshot().nodes


def test_a_network_killed_before_it_saved_anything_is_deployed_again_at_the_same_addresses() -> None:
    profile = start_network()
    process = psutil.Process(network_status().pid)
    process.kill()
    process.wait()
    (folder() / "chain.json").unlink(missing_ok=True)
    assert start_network() == profile
    assert register_one(profile) == 1


def test_a_process_on_its_way_down_is_waited_for_and_not_taken_for_a_network() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1)"]) as dying:  # lives, and refuses calls
        folder().mkdir(parents=True)
        last = {"pid": dying.pid, "created": psutil.Process(dying.pid).create_time(), "port": 1}
        (folder() / "anvil.json").write_text(json.dumps(last))
        assert start_network().rpc == network_status().rpc


def test_a_process_number_that_now_means_another_program_is_left_alone() -> None:
    folder().mkdir(parents=True)
    (folder() / "anvil.json").write_text(json.dumps({"pid": os.getpid(), "created": 1.0, "port": 1}))
    assert not network_status().running
    assert not stop_network()
    (folder() / "anvil.json").write_text("{")
    assert start_network().rpc == network_status().rpc


def test_a_taken_port_is_refused_when_asked_for_and_avoided_otherwise() -> None:
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


def test_a_damaged_state_is_named_and_the_backup_mends_it() -> None:
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
def test_names_that_are_no_folder_are_refused(name: str) -> None:
    for use in (start_network, stop_network, network_status):
        with pytest.raises(ConfigError, match="cannot name a network"):
            use(name)


def test_funding_needs_a_chain_that_answers() -> None:
    profile = start_network()
    stop_network()
    with pytest.raises(ChainUnreachable):
        fund(profile.rpc, new_key().address)


def test_one_version_of_anvil_is_named_everywhere() -> None:
    for manifest in ("contracts/package.json", "knet/chain/tools/package.json"):
        read = json.loads((ROOT / manifest).read_text())
        assert (read.get("dependencies", {}) | read.get("devDependencies", {}))["@foundry-rs/anvil"] == ANVIL_VERSION
