"""Tables for notebooks. All text from the network is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from knet.answer.render import NODE_COLUMNS, node_cells
from knet.records import Rating
from knet.routing.node_info import NodeInfo


class NodeTable:
    """Table of the nodes of a network; ``nodes`` are its records."""

    def __init__(self, nodes: Sequence[NodeInfo]) -> None:
        self.nodes = list(nodes)

    def __repr__(self) -> str:
        rows = [NODE_COLUMNS, *map(node_cells, self.nodes)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)

    def _repr_html_(self) -> str:
        return _table(NODE_COLUMNS, map(node_cells, self.nodes))


def rated(ratings: Sequence[Rating]) -> str:
    """Return the queued ratings in one line."""
    values = ", ".join(f"node {rating.receipt.receipt.node} {rating.value:+d}" for rating in ratings)
    return f"rated {values}; `%knet flush` puts it on chain"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"
