"""Every text, byte string, list and dict of a foreign record has a limit where it is decoded.

Threat model: node, author of an answer, a megabyte in any field. A new record is foreign unless it is listed below.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import inspect

from knet.codec import decode, encode, from_json, to_json
from knet.errors import CodecError
from knet.limits import MAX_REASON
from knet.record import Record
from knet.records import NodeStatus

ROOT = Path(__file__).parent.parent
PRODUCT = ("knet", "indexers/knet_indexer", "jupyter_ext/knet_jupyter")
READERS = {"decode", "from_json", "get_record", "parse", "read_body", "body", "_call"}
OWN = {  # decoded from files of this user, from this user's browser, server or child process, or only written
    *("Account", "BackendMeasurement", "ChangesReply", "Deployment", "GraphRecord", "NodeConfig", "PendingTransaction"),
    *("Plan", "Profile", "RegistrySnapshot", "Running", "SavedServer", "SecretScan", "_Journal", "_Kept"),
    *("AskEvent", "NodeInfo", "VerificationReport", "_Rated", "_Sent", "Transactions", "AskRequest", "AnswerRequest"),
    *("NotebookRequest", "StopRequest", "NodeName", "StartRequest", "ConnectRequest", "RatingRequest"),
    *("ConnectionState", "FlushRequest", "WithdrawRequest", "Artifact", "Request", "Reply", "PendingRatings"),
}


@cache
def structs() -> dict[str, list[type[msgspec.Struct]]]:
    """Return the structs of the product by their name."""
    found: dict[str, list[type[msgspec.Struct]]] = {}
    for name, tree in trees().items():
        classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
        bases = {ast.unparse(base) for node in tree.body if isinstance(node, ast.ClassDef) for base in node.bases}
        if bases & {"Record", "msgspec.Struct", "VerificationReport"}:
            module = importlib.import_module(name)
            kinds = [getattr(module, each) for each in classes]
            for kind in kinds:
                if issubclass(kind, msgspec.Struct) and kind is not Record:
                    found.setdefault(kind.__name__, []).append(kind)
    return found


@cache
def trees() -> dict[str, ast.Module]:
    return {
        ".".join(path.relative_to((ROOT / folder).parent).with_suffix("").parts).removesuffix(".__init__"): ast.parse(
            path.read_text("utf-8")
        )
        for folder in PRODUCT
        for path in sorted((ROOT / folder).rglob("*.py"))
    }


def read_kinds() -> set[str]:
    """Return the names of the structs that any call decodes."""
    calls = [node for tree in trees().values() for node in ast.walk(tree) if isinstance(node, ast.Call)]
    decoding = [each for each in calls if ast.unparse(each.func).rpartition(".")[2] in READERS]
    values = [value for call in decoding for value in (*call.args, *(k.value for k in call.keywords))]
    names = {node.id for value in values for node in ast.walk(value) if isinstance(node, ast.Name)}
    return names & structs().keys()


def foreign() -> list[type[msgspec.Struct]]:
    """Return the structs that are decoded from foreign bytes: all with a type of their own, and those that are read."""
    tagged = {name for name, kinds in structs().items() if any(kind.__struct_config__.tag_field for kind in kinds)}
    return [kind for name in sorted((tagged | read_kinds()) - OWN) for kind in structs()[name]]


def unbounded(kind: inspect.Type, path: str) -> Iterator[str]:
    """Yield the paths of values without a limit in a type."""
    match kind:
        case inspect.StrType() | inspect.BytesType() if kind.max_length is None:
            yield path
        case inspect.ListType() | inspect.VarTupleType() | inspect.SetType():
            if kind.max_length is None:
                yield path
            yield from unbounded(kind.item_type, f"{path}[]")
        case inspect.DictType():
            if kind.max_length is None:
                yield path
            yield from unbounded(kind.key_type, f"{path} key")
            yield from unbounded(kind.value_type, f"{path}[]")
        case inspect.UnionType():
            for each in kind.types:
                yield from unbounded(each, path)
        case inspect.StructType():
            for field in kind.fields:
                yield from unbounded(field.type, f"{kind.cls.__name__}.{field.name}")
        case inspect.AnyType() | inspect.RawType():
            yield path


@pytest.mark.parametrize("kind", foreign(), ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_every_field_of_a_foreign_record_has_a_limit(kind: type[msgspec.Struct]) -> None:
    assert list(unbounded(inspect.type_info(kind), kind.__name__)) == []


def test_foreign_records_are_found() -> None:
    names = {kind.__name__ for kind in foreign()}
    assert names >= {"Manifest", "Card", "SearchReply", "Answer", "RatingBlock", "BatchOffer", "SignedPair", "Probe"}
    assert names >= {"_Header", "_Problem", "_Pins", "ServiceStatus", "Bundle", "Lexical", "Space", "SearchRequest"}


def test_exempt_records_exist() -> None:
    assert structs().keys() >= OWN


class Inner(Record, frozen=True):
    notes: dict[str, bytes]


class Outer(Record, frozen=True):
    inner: list[Inner] | None
    number: int


def test_field_without_a_limit_is_found() -> None:
    found = list(unbounded(inspect.type_info(Outer), "Outer"))
    assert found == ["Outer.inner", "Inner.notes", "Inner.notes key", "Inner.notes[]"]


@pytest.mark.parametrize("name", ["detail", "why"])
def test_status_with_a_long_reason_is_refused(name: str) -> None:
    status = NodeStatus(node=1, title="", status="error", **{name: "x" * MAX_REASON})  # type: ignore[arg-type]
    assert decode(encode(status), NodeStatus) == status
    longer: Any = msgspec.structs.replace(status, **{name: "x" * (MAX_REASON + 1)})
    with pytest.raises(CodecError, match="length"):
        decode(encode(longer), NodeStatus)
    with pytest.raises(CodecError, match="length"):
        from_json(to_json(longer), NodeStatus)
