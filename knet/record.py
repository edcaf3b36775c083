"""The base of every record, see `knet.records`."""

from __future__ import annotations

import msgspec


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Base of every record: keyword-only, hashable, immutable.

    Records are trees without cycles, so the garbage collector does not track the thousands of them behind an answer.
    """
