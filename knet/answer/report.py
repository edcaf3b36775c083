"""What became of each claim of an answer when it was checked again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..records import Record
from .render import safe


class Check(Record, frozen=True):
    """One claim: ``ok`` is None where it cannot be checked here and now, and ``detail`` says why."""

    claim: str
    subject: str
    ok: bool | None
    detail: str = ""


class VerificationReport(Record, frozen=True):
    checks: list[Check]

    @property
    def ok(self) -> bool:
        """Whether every claim was checked and holds."""
        return bool(self.checks) and all(check.ok for check in self.checks)

    @property
    def failed(self) -> list[Check]:
        return [check for check in self.checks if check.ok is False]

    @property
    def unchecked(self) -> list[Check]:
        return [check for check in self.checks if check.ok is None]

    def __str__(self) -> str:
        held = sum(check.ok is True for check in self.checks)
        return f"{held} claims hold, {len(self.failed)} fail, {len(self.unchecked)} could not be checked"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))  # what IPython prints; the repr is all the claims

    def _repr_html_(self) -> str:
        return checks_html(str(self), self.checks)


def checks_html(summary: str, checks: Sequence[Check]) -> str:
    """What became of each claim of an answer, as an HTML fragment like that of `answer_html`."""
    marks = {True: "holds", False: "FAILS", None: "not checked"}
    rows = "".join(
        "<tr>" + "".join(f"<td>{safe(cell)}</td>" for cell in (c.claim, c.subject, marks[c.ok], c.detail)) + "</tr>"
        for c in checks
    )
    return (
        f'<div class="knet-checks"><p><b>{safe(summary)}</b></p><details><summary>{len(checks)} claims</summary>'
        f"<table><tr><th>claim</th><th>about</th><th></th><th>detail</th></tr>{rows}</table></details></div>"
    )
