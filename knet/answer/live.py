"""Answers with the network that they came from: verification, rating and rich display."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..codec import from_json, to_json, to_plain
from ..errors import ConfigError
from ..records import Answer, NodeStatus, Passage, Rating, Sentence
from .render import answer_html, answer_text
from .report import VerificationReport

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

MEDIA_TYPE = "application/vnd.knet.answer+json"


class AnswerBackend(Protocol):
    """Backend that verifies and rates answers: a `Network`, in this or in another process."""

    def verify(self, answer: Answer | LiveAnswer, *, embed: bool = True) -> VerificationReport: ...
    def rate(
        self,
        answer: Answer | LiveAnswer,
        value: float,
        *,
        passage: int | None = None,
        model: BaseChatModel | None = None,
    ) -> list[Rating]: ...


class LiveAnswer:
    """Result of `Network.ask`. ``record`` is the answer itself, which `to_json` serialises."""

    def __init__(self, record: Answer, network: AnswerBackend) -> None:
        self.record = record
        self._network = network

    @property
    def text(self) -> str:
        return self.record.text

    @property
    def found(self) -> bool:
        """False if no passage is relevant enough to answer from."""
        return self.record.found

    @property
    def sentences(self) -> list[Sentence]:
        return self.record.sentences

    @property
    def passages(self) -> list[Passage]:
        return self.record.passages

    @property
    def nodes(self) -> list[NodeStatus]:
        """The outcome at each node."""
        return self.record.nodes

    def verify(self, *, embed: bool = True) -> VerificationReport:
        """Verify every claim; see `Network.verify`."""
        return self._network.verify(self.record, embed=embed)

    def rate(self, value: float, *, passage: int | None = None, model: BaseChatModel | None = None) -> list[Rating]:
        """Queue a rating from -1 to 1 of the answer, or of one passage (counted from 1); see `Network.rate`."""
        return self._network.rate(self.record, value, passage=passage, model=model)

    def to_json(self) -> str:
        """Return the record as JSON, from which it can be verified."""
        return to_json(self.record)

    def __str__(self) -> str:
        return answer_text(self.record)

    def __repr__(self) -> str:
        return f"<answer from {self.record.counts['answered']} nodes: {self.text[:80]!r}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {
            "text/plain": str(self),
            "text/html": answer_html(self.record),
            MEDIA_TYPE: to_plain(self.record),  # an object: Jupyter splits texts into lines
        }


def load_answer(source: str | Path) -> Answer:
    """Load an answer from a file or from its JSON. Raises ConfigError, CodecError."""
    if isinstance(source, str) and source.lstrip().startswith("{"):
        return from_json(source, Answer)
    try:
        return from_json(Path(source).read_bytes(), Answer)
    except OSError as error:
        raise ConfigError(
            f"{source} cannot be read: {error.strerror}.", hint="Ask a question first, or name a saved answer."
        ) from error
