"""The tree of all errors that knet raises.

::

    KnetError
    ├── ConfigError            a setting, profile or key file is missing or wrong
    ├── MissingExtra           an optional dependency; the hint is the pip command
    ├── CodecError             bytes that are not a valid record of the expected type
    ├── ContentError
    │   ├── BlockNotFound      no store or gateway has the CID
    │   ├── BlockTampered      bytes that do not hash to their CID
    │   └── StoreError         disk full, read only, daemon refused
    ├── TransportError
    │   ├── Unreachable        refused, reset, DNS, TLS
    │   ├── DeadlineExceeded   no complete reply in time
    │   ├── TooLarge           the reply outgrew its byte limit
    │   ├── AddressRefused     an endpoint outside the address policy, or a redirect
    │   └── BadReply           a status or a body the protocol does not allow
    ├── ChainError
    │   ├── ChainUnreachable   the RPC does not answer
    │   ├── TransactionFailed  reverted, dropped or out of funds
    │   │   └── TransactionPending  sent, but not mined in time; it may still be mined
    │   └── NotRegistered      the registry does not know the node
    ├── SpaceError
    │   ├── ModelNotFound      weights are not on this machine and cannot be fetched
    │   └── SpaceMismatch      vectors of different spaces are compared
    ├── IndexerError
    │   ├── SourceError        a source cannot be listed or read
    │   ├── SecretsFound       documents that seem to hold secrets; nothing is published
    │   └── NodeBusy           another process holds this node's state
    ├── Cancelled              the question was withdrawn
    └── VerificationError
        ├── BadReceipt         forged, replayed, or for another client
        ├── NotIncluded        a passage that is not in its manifest
        ├── ScoreInflated      a score that the evidence does not support
        ├── StaleManifest      a manifest that is not the head on chain
        └── AuthorsWord        a claim of an answer that only its author vouches for

Exceptions of dependencies are translated where they arise; `tests/test_errors.py` checks that none escapes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .redaction import redacted

DISTRIBUTION = "knetwork"  # the name for pip; `knet` on PyPI is another project
# Characters of others' names and texts that would control the terminal which a message or a log line is shown in.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def pip_command(*extras: str) -> str:
    """Return the command that installs this package with the extras."""
    return f"pip install '{DISTRIBUTION}[{','.join(extras)}]'"


class KnetError(Exception):
    """Base of the tree: ``str`` is the message and its own hint; ``described`` always ends with a hint.

    ``hint`` says in one sentence what to do about the error. Each class has a default for errors without their own.
    """

    default_hint = ""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        message = Exception.__str__(self)  # KeyError would print the repr
        return _CONTROLS.sub("�", redacted(f"{message} {self.hint}" if self.hint else message))

    @property
    def described(self) -> str:
        """The error for a user: the message as a sentence, and its hint or the default one of its class."""
        shown = str(self)
        if self.hint or not self.default_hint or shown.endswith(self.default_hint):  # as one from another process
            return shown
        return f"{shown.rstrip('.')}. {self.default_hint}"


class ConfigError(KnetError):
    default_hint = "Correct the named value and try again."


class MissingExtra(KnetError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} is not installed.", hint=f"Run: {pip_command(extra)}")


class CodecError(KnetError, ValueError):
    default_hint = "The data is damaged or was written by another program; fetch or create it again."


class ContentError(KnetError):
    default_hint = "Try again, or fetch the content from another node or gateway."


class BlockNotFound(ContentError, KeyError):
    default_hint = "Add a gateway to the profile, or try again when the node is online."


class BlockTampered(ContentError):
    default_hint = "Delete the block and fetch it again."


class StoreError(ContentError):
    default_hint = "Check the disk's free space and the folder's permissions."


class TransportError(KnetError):
    default_hint = "Check the network connection and try again later."


class Unreachable(TransportError):
    default_hint = "Check the address and the network connection, then try again."


class DeadlineExceeded(TransportError, TimeoutError):
    default_hint = "Try again, or allow more time."


class TooLarge(TransportError):
    default_hint = "Ask for less data, or send less."


class AddressRefused(TransportError):
    default_hint = "Use a plain http or https URL that the profile's address policy allows."


class BadReply(TransportError):
    """``status`` is the HTTP status, or 0 when there was none; 401 and 403 say that access was denied."""

    default_hint = "Check that the address belongs to the expected service, then try again later."

    def __init__(self, message: str, *, status: int = 0, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status


class ChainError(KnetError):
    default_hint = "Check the profile's chain settings and try again."


class ChainUnreachable(ChainError):
    default_hint = "Check that the chain is running and that the profile's RPC URL is right."


class TransactionFailed(ChainError):
    default_hint = "Check the account's balance and the arguments, then try again."


class TransactionPending(TransactionFailed):
    default_hint = "Wait, and look the transaction up on chain before you send it again."


class NotRegistered(ChainError):
    default_hint = "Check the node's number with `knet nodes`."


class SpaceError(KnetError):
    default_hint = "Use the embedding model that the space names."


class ModelNotFound(SpaceError):
    default_hint = "Download the model, or name another one."


class SpaceMismatch(SpaceError):
    default_hint = "Embed the text with the model of the same space."


class IndexerError(KnetError):
    default_hint = "Fix the reported problem and run the command again."


class SourceError(IndexerError):
    default_hint = "Check the source's address and options, then sync again."


class SecretsFound(IndexerError):
    """Documents that seem to hold secrets. ``documents`` are their names, each with what was found in it."""

    default_hint = "Remove each secret, name the file in .knetignore, or allow it: `knet node sync --allow NAME`."

    def __init__(self, message: str, *, hint: str = "", documents: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message, hint=hint)
        self.documents = documents


class NodeBusy(IndexerError):
    default_hint = "Wait until the other process has finished, then try again."


class Cancelled(KnetError):
    default_hint = "Ask the question again."


class VerificationError(KnetError):
    default_hint = "Do not rely on this data; ask again, or leave out the node."


class BadReceipt(VerificationError): ...


class NotIncluded(VerificationError): ...


class ScoreInflated(VerificationError): ...


class StaleManifest(VerificationError): ...


class AuthorsWord(VerificationError):
    default_hint = "Ask the network the same question, and compare."
