"""The verification report of an answer: one check a claim, with its outcome."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from ..records import Record
from .render import safe


class CheckKind(StrEnum):
    """The kind of a claim, for programs; `claim` is the same for people."""

    QUESTION = "question"
    QUESTION_VECTOR = "question_vector"
    RECEIPT = "receipt"
    COVERED = "covered"
    ON_CHAIN = "on_chain"
    IN_MANIFEST = "in_manifest"
    EXACT_TEXT = "exact_text"
    SIMILARITY = "similarity"
    TEXT_VECTOR = "text_vector"
    ANSWER_TEXT = "answer_text"
    WORDING = "wording"
    CITATION = "citation"
    DERIVED = "derived"
    ORDER = "order"
    SOURCES = "sources"
    COMPLETE = "complete"
    RECORD = "record"
    SHOWN = "shown"
    CELL = "cell"
    BESIDE = "beside"

    @property
    def claim(self) -> str:
        """The claim in English."""
        return _CLAIMS.get(self, self.value)


_CLAIMS = {  # of kinds whose own name does not say it
    CheckKind.QUESTION_VECTOR: "vector fits question",
    CheckKind.COVERED: "receipt covers it",
    CheckKind.ON_CHAIN: "manifest on chain",
    CheckKind.IN_MANIFEST: "in its manifest",
    CheckKind.EXACT_TEXT: "exact text and source",
    CheckKind.TEXT_VECTOR: "vector fits text",
    CheckKind.ANSWER_TEXT: "answer text",
    CheckKind.DERIVED: "written from its passages",
    CheckKind.ORDER: "order of passages",
    CheckKind.SOURCES: "also held by",
    CheckKind.COMPLETE: "nothing left out",
    CheckKind.SHOWN: "shown as recorded",
    CheckKind.CELL: "question of the cell",
    CheckKind.BESIDE: "shown beside it, not proven",
}


class Check(Record, frozen=True):
    """One claim with its outcome: ``ok`` is None where it cannot be checked now, and ``detail`` gives the reason.

    ``kind`` and the numbers are for programs, ``claim`` and ``subject`` for people. ``passage``, ``sentence`` and
    ``receipt`` count from 1, and ``node`` is an id; each is None where the claim is not about one.
    """

    kind: CheckKind
    claim: str
    subject: str
    ok: bool | None
    detail: str = ""
    passage: int | None = None
    sentence: int | None = None
    receipt: int | None = None
    node: int | None = None


class VerificationReport(Record, frozen=True):
    """The checks of every claim of one answer."""

    checks: list[Check]

    @property
    def ok(self) -> bool:
        """True if every claim was checked and holds."""
        return bool(self.checks) and all(check.ok for check in self.checks)

    @property
    def failed(self) -> list[Check]:
        """The claims that are wrong."""
        return [check for check in self.checks if check.ok is False]

    @property
    def unchecked(self) -> list[Check]:
        """The claims that could not be checked."""
        return [check for check in self.checks if check.ok is None]

    def __str__(self) -> str:
        held = sum(check.ok is True for check in self.checks)
        return f"{held} claims hold, {len(self.failed)} fail, {len(self.unchecked)} could not be checked"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))  # IPython prints this; the repr holds all the claims

    def _repr_html_(self) -> str:
        return checks_html(str(self), self.checks)


def checks_html(summary: str, checks: Sequence[Check]) -> str:
    """Return the outcome of each claim as an HTML fragment like that of `answer_html`."""
    marks = {True: "holds", False: "FAILS", None: "not checked"}
    rows = "".join(
        "<tr>" + "".join(f"<td>{safe(cell)}</td>" for cell in (c.claim, c.subject, marks[c.ok], c.detail)) + "</tr>"
        for c in checks
    )
    return (
        f'<div class="knet-checks"><p><b>{safe(summary)}</b></p><details><summary>{len(checks)} claims</summary>'
        f"<table><tr><th>claim</th><th>about</th><th></th><th>detail</th></tr>{rows}</table></details></div>"
    )
