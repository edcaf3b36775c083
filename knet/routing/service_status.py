"""The record of a node's ``/v1/status``."""

from __future__ import annotations

from typing import Annotated

import msgspec

from ..codec import Cid
from ..records import Record

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]  # the integers that every JSON reader keeps exact


class SyncCounts(Record, frozen=True):
    """Numbers of files in a node's last sync; ``files`` is the sum of the four after it.

    ``failures`` counts sources, and parts of sources, that could not be listed.
    """

    files: Count
    read: Count
    unreadable: Count
    left_out: Count
    withheld: Count
    failures: Count


class ServiceStatus(Record, frozen=True, tag_field="type", tag="knet/status/1"):
    """The reply of a node's ``/v1/status``: the head it serves and the searches it answered since its start.

    ``manifest`` is None, and the counts of the head are 0, while there is no head to serve. ``sync`` is None before the
    first sync with an account.
    """

    ready: bool
    manifest: Cid | None
    sequence: Count
    documents: Count
    chunks: Count
    searches: Count
    sync: SyncCounts | None = None
