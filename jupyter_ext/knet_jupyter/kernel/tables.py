"""Tables for notebooks. All text from the network is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from knet.answer.render import plain
from knet.records import Rating
from knet.routing.node_info import NodeInfo


class NodeTable:
    """Table of the nodes of a network; ``nodes`` are its records."""

    columns = ("node", "title", "documents", "chunks", "version", "reliability", "ratings", "problem")

    def __init__(self, nodes: Sequence[NodeInfo]) -> None:
        self.nodes = list(nodes)

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                str(info.node), plain(info.title), str(info.documents), str(info.chunks), str(info.sequence),
                f"{info.reliability:.2f} ± {info.deviation:.2f}", str(info.ratings), plain(info.problem),
            )
            for info in self.nodes
        ]  # fmt: skip

    def __repr__(self) -> str:
        rows = [self.columns, *self._rows()]
        widths = [max(len(row[column]) for row in rows) for column in range(len(self.columns))]
        return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)

    def _repr_html_(self) -> str:
        return _table(self.columns, self._rows())


def rated(ratings: Sequence[Rating]) -> str:
    """Return the queued ratings in one line."""
    values = ", ".join(f"node {rating.receipt.receipt.node} {rating.value:+d}" for rating in ratings)
    return f"rated {values}; `%knet flush` puts it on chain"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"
