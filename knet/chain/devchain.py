"""Development chains: an Anvil process for each local network, with deployed contracts and persistent state.

``$KNET_HOME/networks/<name>/`` holds ``chain.json`` (the state, written every few seconds and on stop),
``chain.backup.json`` (the state at the last start), ``deployment.json``, ``deployer.key``, ``anvil.json`` (the running
process) and ``anvil.log``. The process listens on 127.0.0.1 only and outlives the process that started it.
"""

from __future__ import annotations

import random
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from filelock import FileLock, Timeout
from msgspec.structs import replace

from ..codec import from_json, to_json
from ..config import Deployment, Profile, home, load_profile, profile_names, save_profile
from ..errors import ChainError, ChainUnreachable, CodecError, ConfigError
from ..files import make_folder, open_private, write_atomically
from ..records import Record
from .anvil import Report, anvil_path, report_to_stderr
from .deploy import deploy, is_deployed
from .keys import load_or_create_key
from .rpc import Rpc

HOST = "127.0.0.1"
STATE_INTERVAL = 5  # seconds of work that a power failure may lose
START_SECONDS = 60.0  # to load a long chain's state from a slow disk
STOP_SECONDS = 60.0  # to write it
RELEASE_SECONDS = 2.0  # a killed process on a busy machine holds its port that long
PORTS = range(20_000, 30_000)  # below the ports of outgoing connections, so that a stopped network keeps its own
PORT_ATTEMPTS = 3  # a free port may be taken before Anvil binds it
WEI = 10**18
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*+")


class Running(Record, frozen=True):
    """The process of one network, as in ``anvil.json``; ``pid`` is 0 once stopped."""

    pid: int
    created: float  # with the pid, identifies a process
    port: int

    @property
    def rpc(self) -> str:
        return f"http://{HOST}:{self.port}"


class NetworkStatus(Record, frozen=True):
    """Status of a network; ``rpc``, ``pid`` and ``block`` are empty when it is not running."""

    name: str
    running: bool
    rpc: str = ""
    pid: int = 0
    block: int = 0


def start_network(
    name: str = "local", *, port: int = 0, default: bool = True, report: Report = report_to_stderr
) -> Profile:
    """Start a network unless it runs, and return its profile, saved and by ``default`` made the default profile.

    State, addresses and, if it is free, the port stay the same across restarts. ``report`` receives a message before
    each slow step. Raises ConfigError (port taken, state damaged), MissingExtra, ChainError.
    """
    folder = _folder(name)
    with _locked(folder):
        running = _answering(folder)
        if running is None:
            running = _start(folder, port, anvil_path(report))
        elif port not in (0, running.port):
            raise ConfigError(f"Network {name!r} already runs on port {running.port}.", hint="Stop it first.")
        profile = _profile(name, running.rpc, _deployment(folder, running.rpc, report))
        save_profile(profile, default=default)
    return profile


def stop_network(name: str = "local") -> bool:
    """Stop a network's process, keep its state, and return True if it was running."""
    folder = _folder(name)
    if not folder.exists():
        return False
    with _locked(folder):
        running = _running(folder)
        if running is None:
            return False
        _end(running.pid)
        _save(folder, Running(pid=0, created=0.0, port=running.port))
    return True


def network_status(name: str = "local") -> NetworkStatus:
    """Return the status of a network. Raises ConfigError for an invalid name."""
    running = _running(_folder(name))
    if running is None:
        return NetworkStatus(name=name, running=False)
    try:
        block = Rpc(running.rpc).block_number()
    except ChainUnreachable:  # it is starting or stopping
        return NetworkStatus(name=name, running=False, pid=running.pid)
    return NetworkStatus(name=name, running=True, rpc=running.rpc, pid=running.pid, block=block)


def fund(rpc_url: str, address: str, ether: float = 100) -> None:
    """Set the balance of an account of a development chain. Raises ChainError on any other chain."""
    Rpc(rpc_url).request("anvil_setBalance", [address, hex(int(ether * WEI))])


def _folder(name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{name!r} cannot name a network.", hint="Use letters, digits, - and _.")
    return home() / "networks" / name


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    make_folder(folder)
    try:
        with FileLock(folder / "lock", timeout=START_SECONDS + STOP_SECONDS, mode=0o600):
            yield
    except Timeout as error:
        raise ConfigError(f"Another process is busy starting or stopping the network in {folder}.") from error


def _save(folder: Path, running: Running) -> None:
    write_atomically(folder / "anvil.json", to_json(running).encode())


def _last(folder: Path) -> Running | None:
    try:
        return from_json((folder / "anvil.json").read_bytes(), Running)
    except (FileNotFoundError, CodecError):
        return None


def _running(folder: Path) -> Running | None:
    """Return the network's process if it lives; None for a stale file or a reused process number."""
    last = _last(folder)
    if last is None or last.pid == 0:
        return None
    try:
        process = psutil.Process(last.pid)
        alive = process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - last.created) < 2
    except psutil.Error:
        return None
    return last if alive else None


def _answering(folder: Path) -> Running | None:
    """Return the network's process once it answers; None if it ends. A killed process refuses calls before it ends."""
    running = _running(folder)
    if running is None or _answers(running.rpc, lambda: _running(folder) is not None):
        return running
    if _running(folder) is not None:
        raise ChainError(
            f"Anvil, process {running.pid}, has not answered on port {running.port} for {START_SECONDS:.0f} s.",
            hint="End that process and start the network again: its state is kept.",
        )
    return None


def _start(folder: Path, port: int, program: Path) -> Running:
    last = _last(folder)
    for attempt in range(PORT_ATTEMPTS):
        chosen = port or (last.port if last and attempt == 0 and _becomes_free(last.port) else _free_port())
        if port and not _is_free(port):
            raise ConfigError(
                f"Port {port} of {HOST} is taken.", hint="Choose another port, or none to let knet choose."
            )
        running = _spawn(folder, chosen, program)
        if running is not None:
            state = folder / "chain.json"
            if state.exists():
                shutil.copyfile(state, folder / "chain.backup.json")
            return running
    raise ConfigError(f"No port of {HOST} stayed free long enough to start a chain.", hint="Try again.")


def _spawn(folder: Path, port: int, program: Path) -> Running | None:
    """Return a new process that answers; None if another process took the port first."""
    log = folder / "anvil.log"
    arguments = ["--host", HOST, "--port", str(port), "--no-cors", "--quiet", "--accounts", "0", "--prune-history"]
    arguments += ["--state", str(folder / "chain.json"), "--state-interval", str(STATE_INTERVAL)]
    with open(open_private(log), "wb") as output:
        try:
            child = subprocess.Popen(  # noqa: S603  a fixed program, without a shell
                [program, *arguments],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise ConfigError(f"{program} cannot be run: {error.strerror}.") from error
    running = Running(pid=child.pid, created=psutil.Process(child.pid).create_time(), port=port)
    _save(folder, running)
    if _answers(running.rpc, lambda: child.poll() is None):
        child.returncode = 0  # it outlives this process, and Popen would warn of that
        return running
    output_text = log.read_text(errors="replace").strip()
    if child.poll() is None:
        _end(child.pid)
        child.wait()
        raise ChainError(f"Anvil did not answer on port {port} in {START_SECONDS:.0f} s. {output_text[-500:]}")
    if "Address already in use" in output_text:
        return None
    raise _start_error(folder, output_text)


def _answers(rpc_url: str, lives: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + START_SECONDS
    rpc = Rpc(rpc_url)
    while lives() and time.monotonic() < deadline:
        try:
            rpc.block_number()
            return True
        except ChainError:
            time.sleep(0.02)
    return False


def _start_error(folder: Path, output: str) -> ConfigError:
    if "--state" in output:
        return ConfigError(
            f"The saved state {folder / 'chain.json'} is damaged.",
            hint="Put chain.backup.json in its place, or remove it to begin a new chain; all nodes register again.",
        )
    return ConfigError(f"Anvil stopped at once; {folder / 'anvil.log'} says: {output[-500:] or 'nothing'}")


def _end(pid: int) -> None:
    """Send SIGTERM, on which Anvil writes its state; SIGKILL if it takes too long."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # as Anvil does: a port that was just released is free
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _becomes_free(port: int) -> bool:
    """Return True once a port is free; a killed process holds its port until its last thread ends."""
    deadline = time.monotonic() + RELEASE_SECONDS
    while not _is_free(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _free_port() -> int:
    while not _is_free(port := random.choice(PORTS)):  # noqa: S311  not a secret
        pass
    return port


def _deployment(folder: Path, rpc_url: str, report: Report) -> Deployment:
    """Return the contracts on this chain, deployed if missing; the stored key gives them the same addresses again."""
    path = folder / "deployment.json"
    try:
        known = from_json(path.read_bytes(), Deployment)
        if is_deployed(rpc_url, known):
            return known
    except (FileNotFoundError, CodecError):
        pass
    report("Deploying the contracts ...")
    signer = load_or_create_key(folder / "deployer.key")
    fund(rpc_url, signer.address)
    deployment = deploy(rpc_url, signer)
    write_atomically(path, to_json(deployment, indent=2).encode())
    return deployment


def _profile(name: str, rpc_url: str, deployment: Deployment) -> Profile:
    """Return the user's profile with this network's RPC and contracts; other settings stay."""
    if name in profile_names():
        return replace(load_profile(name), rpc=rpc_url, deployment=deployment)
    return Profile(name=name, rpc=rpc_url, deployment=deployment, addresses="loopback")
