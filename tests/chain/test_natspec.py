"""NatSpec of the contracts' interfaces: rule 9 of the prose rules in STYLE.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

INTERFACES = Path(__file__).resolve().parents[2] / "contracts" / "src" / "interfaces"
DECLARATION = re.compile(r"(?P<comment>(?:^ *///[^\n]*\n)*)^ *(?P<kind>event|error|function) (?P<name>\w+)\(", re.M)
OPENINGS = {"error": "Thrown when ", "event": "Emitted when "}


class Declaration(NamedTuple):
    kind: str
    name: str
    comment: str
    parameters: list[str]


def declarations(source: str) -> Iterator[Declaration]:
    """Yield each event, error and function of an interface, with the comment above it and the names it takes."""
    for match in DECLARATION.finditer(source):
        arguments = source[match.end() : source.index(")", match.end())]
        names = [argument.split()[-1] for argument in arguments.split(",") if argument.strip()]
        yield Declaration(match["kind"], match["name"], match["comment"], names)


ALL = [
    pytest.param(declaration, id=f"{path.stem}.{declaration.name}")
    for path in sorted(INTERFACES.glob("*.sol"))
    for declaration in declarations(path.read_text(encoding="utf-8"))
]


def test_every_interface_is_parsed() -> None:
    kinds = {case.values[0].kind for case in ALL}  # type: ignore[union-attr]
    assert kinds == {"event", "error", "function"}
    assert len({str(case.id).split(".")[0] for case in ALL}) == len(list(INTERFACES.glob("*.sol")))


@pytest.mark.parametrize("declaration", ALL)
def test_interface_declaration_has_notice_and_every_parameter(declaration: Declaration) -> None:
    notice = re.search(r"@notice (.*)", declaration.comment)
    assert notice is not None, "no @notice"
    assert notice[1].startswith(OPENINGS.get(declaration.kind, ""))
    assert re.findall(r"@param (\w+)", declaration.comment) == declaration.parameters
