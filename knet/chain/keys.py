"""Key files: one for each account, created once, readable by the file's owner only."""

from __future__ import annotations

from pathlib import Path

from eth_account import Account
from eth_account.signers.local import LocalAccount
from filelock import FileLock

from ..errors import ConfigError
from ..files import make_folder, write_atomically

Signer = LocalAccount


def new_key() -> Signer:
    """Return a new random key, in memory."""
    key: Signer = Account.create()
    return key


def load_key(path: Path) -> Signer:
    """Return the key in a file of 64 hex digits. Raises ConfigError."""
    try:
        key: Signer = Account.from_key(path.read_text().strip())
        return key
    except OSError as error:
        raise ConfigError(f"The key file {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise ConfigError(f"{path}: the file holds no private key.", hint="It should be 64 hex digits.") from error


def load_or_create_key(path: Path) -> Signer:
    """Return the key in a file, created on first use with mode 0600. Raises ConfigError."""
    if not path.exists():
        make_folder(path.parent)
        with FileLock(f"{path}.lock", mode=0o600):  # of two processes that start at once, one creates it
            if not path.exists():
                write_atomically(path, f"{new_key().key.hex()}\n".encode(), mode=0o600)
    return load_key(path)
