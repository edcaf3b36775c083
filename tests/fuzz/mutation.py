"""Hostile inputs: random bytes, valid inputs that are cut and spliced, and records with values exchanged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from random import Random
from typing import Any, Literal

import libipld
import msgspec
from hypothesis import strategies as st

Form = Literal["cbor", "json", "text", "bytes"]
Path = tuple[Any, ...]

HOSTILE: list[Any] = [
    *(None, True, 0, 1, -1, 2**31, 2**32 - 1, 2**53, 2**63 - 1, -(2**63), 2**64 - 1),
    *(0.0, -0.5, 1e300, -1e300, 5e-324),
    *("", "\0", "x" * 300, "\U0001f600" * 40, "../../etc/passwd", "<script>", "\u202e", "9" * 5000, "1e999", "é\u0301"),
    *(b"", b"\0", b"\xff" * 20, b"\xff" * 32, bytes(33), bytes(65), b"\x01\x55\x12\x20" + bytes(32), bytes(4000)),
    *([], {}, [[]], [None], {"": 0}, [0] * 40, {"type": "knet/answer/1"}),
]
PARTS = [
    *(b"", b"\0", b"\xff", b"\n", b"\r\n", b'"', b"'", b"\\", b"{", b"}", b"[" * 99, b"]", b"<", b">", b"<!--", b"-->"),
    *(b"\xd8\x2a\x58\x25\x00", b"\x9f", b"\x5f", b"\x7f", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80"),
    *(b"9" * 5000, b"-1", b"1e999", b"NaN", b"Infinity", b"null", b"\\ud800", b"\xf0\x9f\x98\x80", b"\xcc\x81" * 40),
    *(b"\x1b[2J", b"\xe2\x80\xae", b"\xe2\x80\xa8", b"# ", b"... ", b"%knet ", b"$(x)", b"\x1f\x8b\x08", b"PK\x03\x04"),
    *(b"%PDF-", b"```\n", b"&#x0;"),
]  # fmt: skip

Edit = tuple[int, int, int, bytes]
EDITS = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 1 << 16), st.integers(0, 255), st.sampled_from(PARTS)),
    min_size=1,
    max_size=4,
)


def edited(data: bytes, edits: list[Edit]) -> bytes:
    """Return bytes with some changed, removed, inserted, repeated or cut off."""
    for kind, where, number, part in edits:
        at = where % (len(data) + 1)
        match kind:
            case 0:
                data = data[:at] + bytes((number,)) + data[at + 1 :]
            case 1:
                data = data[:at] + data[at + number :]
            case 2:
                data = data[:at] + part + data[at:]
            case 3:
                data = data[:at] + data[at : at + number] * 3 + data[at + number :]
            case _:
                data = data[:at]
    return data


def paths(value: Any, before: Path = ()) -> Iterator[Path]:
    """Yield the paths of all values in dicts and lists."""
    yield before
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from paths(inner, (*before, key))


def exchanged(value: Any, path: Path, new: Any) -> Any:
    """Return dicts and lists with one value exchanged; ``...`` removes it."""
    if not path:
        return None if new is ... else new
    key, *rest = path
    if rest:
        inner = exchanged(value[key], tuple(rest), new)
        return {**value, key: inner} if isinstance(value, dict) else [*value[:key], inner, *value[key + 1 :]]
    if isinstance(value, dict):
        return {k: v for k, v in value.items() if k != key} if new is ... else {**value, key: new}
    return [*value[:key], *([] if new is ... else [new]), *value[key + 1 :]]


class Mutants:
    """Hostile inputs made from valid ones (``seeds``): for Hypothesis, and more from a generator of random numbers."""

    def __init__(self, seeds: list[bytes], form: Form) -> None:
        self._seeds = [*seeds, b""]
        self._form = form
        read: dict[str, Callable[[bytes], Any]] = {"cbor": libipld.decode_dag_cbor, "json": msgspec.json.decode}
        self._valid = [(value, list(paths(value))) for value in map(read[form], seeds)] if form in read else []
        self._values = [*HOSTILE, ..., *(value_at(value, path) for value, places in self._valid for path in places)]

    def strategy(self) -> st.SearchStrategy[bytes]:
        known, place = st.sampled_from(self._seeds), st.integers(0, 1 << 16)
        choices = [
            st.binary(max_size=300),
            st.builds(edited, known, EDITS),
            st.builds(spliced, known, known, place, place),
        ]
        if self._form == "text":
            choices.append(st.text(max_size=100).map(lambda text: text.encode(errors="surrogatepass")))
        if self._valid:
            changes = st.lists(st.tuples(place, st.sampled_from(self._values)), min_size=1, max_size=3)
            choices += [st.builds(self._changed, st.sampled_from(self._valid), changes)] * 2
        return st.one_of(choices)

    def random(self, random: Random) -> bytes:
        """Return one more input, in a hundredth of the time that Hypothesis takes."""
        kind = random.randrange(10)
        if kind < 5 and self._valid:
            changes = [(random.randrange(1 << 16), random.choice(self._values)) for _ in range(random.randint(1, 3))]
            return self._changed(random.choice(self._valid), changes)
        if kind == 0:
            return random.randbytes(random.randrange(300))
        one, other = random.choice(self._seeds), random.choice(self._seeds)
        if kind == 1:
            return spliced(one, other, random.randrange(1 << 16), random.randrange(1 << 16))
        edits = [
            (random.randrange(5), random.randrange(1 << 16), random.randrange(256), random.choice(PARTS))
            for _ in range(random.randint(1, 4))
        ]
        return edited(one, edits)

    def _changed(self, start: tuple[Any, list[Path]], changes: list[tuple[int, Any]]) -> bytes:
        value, places = start
        for place, new in changes:
            with suppress(KeyError, IndexError, TypeError):  # an earlier change removed it
                value = exchanged(value, places[place % len(places)], new)
        return written(value, self._form)


def spliced(one: bytes, other: bytes, at: int, to: int) -> bytes:
    return one[: at % (len(one) + 1)] + other[to % (len(other) + 1) :]


def value_at(value: Any, path: Path) -> Any:
    for key in path:
        value = value[key]
    return value


def written(value: Any, form: Form) -> bytes:
    try:
        return bytes(libipld.encode_dag_cbor(value)) if form == "cbor" else msgspec.json.encode(value)
    except (ValueError, TypeError, OverflowError, UnicodeEncodeError, msgspec.MsgspecError):
        return b""
