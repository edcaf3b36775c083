"""Where knet keeps its things, and the profile that says which network to talk to.

Everything lives under one folder, ``$KNET_HOME`` or the platform's data folder::

    profiles/<name>.json   a network as this user sees it
    default                the name of the profile used when none is given
    keys/  blocks/  models/  tools/  networks/  transactions/
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import platformdirs

from .codec import from_json, to_json
from .errors import CodecError, ConfigError
from .files import write_atomically
from .records import Record

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
JOURNALS = "transactions"  # in `home()`: what was sent to chains and is not beyond doubt yet
CONFIRMATIONS = 6  # blocks: since proof of stake, Ethereum's reorganisations have been shorter
MAX_NAME = 200  # bytes of a profile's name: file systems allow 255, and files are named after it with more at the end
ADDRESS_POLICIES = ("public", "loopback", "private")


def home() -> Path:
    """The folder everything is kept under; made when first written to."""
    return Path(os.environ.get("KNET_HOME") or platformdirs.user_data_dir("knet", appauthor=False))


class Deployment(Record, frozen=True):
    """Where knet lives on one chain. ``block`` is where its events begin."""

    chain_id: int
    identity: str
    manifests: str
    reliability: str
    block: int = 0


class Profile(Record, frozen=True):
    """One network as one user sees it."""

    name: str
    rpc: str
    deployment: Deployment
    key: str = "keys/client.key"  # relative to `home()`, like every path here
    blocks: str = "blocks"
    gateways: list[str] = []  # IPFS trustless gateways asked for blocks that no node serves
    kubo: str = ""  # multiaddr of a Kubo daemon's RPC
    models: tuple[str, ...] = (DEFAULT_MODEL,)  # what may be loaded to ask nodes of its space; never what a node names
    confirmations: int | Literal["safe", "finalized"] | None = None  # see `confirmations_needed`
    addresses: str = "public"  # which endpoints read from the chain may be contacted: public | loopback | private

    @property
    def confirmations_needed(self) -> int | Literal["safe", "finalized"]:
        """How many blocks must lie above one that is believed, or the tag of such a block.

        Where the profile says nothing, none on a development chain, which nobody reorganises, and elsewhere
        `CONFIRMATIONS`.
        """
        if self.confirmations is None:
            return 0 if self.addresses == "loopback" else CONFIRMATIONS
        return self.confirmations

    def path(self, field: str) -> Path:
        """A path setting as an absolute path."""
        return home() / str(getattr(self, field))


def _profile_path(name: str) -> Path:
    if not name.isprintable() or any(c in name for c in "/\\.") or not 0 < len(name.encode()) <= MAX_NAME:
        raise ConfigError(f"{name[:80]!r} cannot name a profile.", hint="Use letters, digits and dashes.")
    return home() / "profiles" / f"{name}.json"


def profile_names() -> list[str]:
    return sorted(path.stem for path in (home() / "profiles").glob("*.json"))


def default_name() -> str:
    """``$KNET_PROFILE``, else the name of the default profile; empty where there is none."""
    marker = home() / "default"
    return os.environ.get("KNET_PROFILE", "") or (marker.read_text().strip() if marker.exists() else "")


def load_profile(name: str | None = None) -> Profile:
    """The named profile, else that of `default_name`. Raises ConfigError."""
    name = name or default_name()
    if not name:
        raise ConfigError(
            "No network is configured.",
            hint="Run `knet network up` for a network of your own, `knet network join` for an existing one, "
            "or `knet demo`.",
        )
    path = _profile_path(name)
    try:
        profile = from_json(path.read_bytes(), Profile)
    except FileNotFoundError as error:
        known = ", ".join(profile_names()) or "none"
        raise ConfigError(f"There is no profile {name!r} (known: {known}).") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
    except CodecError as error:
        raise ConfigError(f"{path} is not a profile: {error}") from error
    if profile.addresses not in ADDRESS_POLICIES:
        raise ConfigError(f"{path}: addresses must be one of {', '.join(ADDRESS_POLICIES)}.")
    if isinstance(profile.confirmations, int) and profile.confirmations < 0:
        raise ConfigError(f"{path}: confirmations cannot be less than 0.")
    return profile


def save_profile(profile: Profile, *, default: bool = False) -> Path:
    """Write a profile; ``default`` also makes it the one used when none is named."""
    path = _profile_path(profile.name)
    write_atomically(path, to_json(profile, indent=2).encode() + b"\n")
    if default:
        write_atomically(home() / "default", profile.name.encode())
    return path
