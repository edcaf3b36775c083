"""Every error knet raises, one tree.

::

    KnetError
    ├── ConfigError            a setting, profile or key file is missing or wrong
    ├── MissingExtra           an optional dependency; the message is the pip command
    ├── CodecError             bytes that are not the record they should be
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
    │   │   └── TransactionPending  sent, and not mined in time; it may still be
    │   └── NotRegistered      the registry does not know the node
    ├── SpaceError
    │   ├── ModelNotFound      no weights here, and none could be fetched
    │   └── SpaceMismatch      vectors of different spaces met
    ├── IndexerError
    │   ├── SourceError        a source cannot be listed or read
    │   └── NodeBusy           another process holds this node's state
    ├── Cancelled              the question was withdrawn
    └── VerificationError
        ├── BadReceipt         forged, replayed, or for somebody else
        ├── NotIncluded        a passage that its manifest does not contain
        ├── ScoreInflated      a score the evidence does not bear out
        └── StaleManifest      not the head on chain

Third-party exceptions are translated at the edge where they arise; `tests/test_errors.py` checks that none escapes.
"""

from __future__ import annotations

DISTRIBUTION = "knetwork"  # what pip installs; `knet` on PyPI is another project


def pip_command(*extras: str) -> str:
    """Return the command that installs this package with the extras."""
    return f"pip install '{DISTRIBUTION}[{','.join(extras)}]'"


class KnetError(Exception):
    """Base of the tree. ``hint`` says what to do about it, in one sentence."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        message = Exception.__str__(self)  # KeyError would print the repr
        return f"{message} {self.hint}" if self.hint else message


class ConfigError(KnetError): ...


class MissingExtra(KnetError, ImportError):
    """An optional dependency is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} is not installed. Run: {pip_command(extra)}")


class CodecError(KnetError, ValueError): ...


class ContentError(KnetError): ...


class BlockNotFound(ContentError, KeyError): ...


class BlockTampered(ContentError): ...


class StoreError(ContentError): ...


class TransportError(KnetError): ...


class Unreachable(TransportError): ...


class DeadlineExceeded(TransportError, TimeoutError): ...


class TooLarge(TransportError): ...


class AddressRefused(TransportError): ...


class BadReply(TransportError):
    """``status`` is the HTTP status, or 0 when there was none; 401 and 403 say that access was denied."""

    def __init__(self, message: str, *, status: int = 0, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status


class ChainError(KnetError): ...


class ChainUnreachable(ChainError): ...


class TransactionFailed(ChainError): ...


class TransactionPending(TransactionFailed): ...


class NotRegistered(ChainError): ...


class SpaceError(KnetError): ...


class ModelNotFound(SpaceError): ...


class SpaceMismatch(SpaceError): ...


class IndexerError(KnetError): ...


class SourceError(IndexerError): ...


class NodeBusy(IndexerError): ...


class Cancelled(KnetError): ...


class VerificationError(KnetError): ...


class BadReceipt(VerificationError): ...


class NotIncluded(VerificationError): ...


class ScoreInflated(VerificationError): ...


class StaleManifest(VerificationError): ...
