"""Keys: one file a party, created once, readable by its owner only."""

from __future__ import annotations

import os
from pathlib import Path

from eth_account import Account
from eth_account.signers.local import LocalAccount

from ..errors import ConfigError

Signer = LocalAccount


def new_key() -> Signer:
    """A fresh random key, in memory."""
    key: Signer = Account.create()
    return key


def load_key(path: Path) -> Signer:
    """The key in a file of 64 hex digits. Raises ConfigError."""
    try:
        key: Signer = Account.from_key(path.read_text().strip())
        return key
    except OSError as error:
        raise ConfigError(f"the key file {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise ConfigError(f"{path} holds no private key.", hint="It should be 64 hex digits.") from error


def load_or_create_key(path: Path) -> Signer:
    """The key in a file, made on first use with mode 0600."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(new_key().key.hex() + "\n")
    return load_key(path)
