"""LangChain retriever over a knet network."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict, Field

from .answer.live import LiveAnswer
from .codec import to_plain
from .records import Answer, Passage


@runtime_checkable  # pydantic checks the field by it
class AskableNetwork(Protocol):
    """Connection that answers questions, such as `knet.client.network.Network`."""

    def ask(self, question: str, *, k: int, **options: Any) -> LiveAnswer: ...

    async def aask(self, question: str, **options: Any) -> LiveAnswer: ...


class KnetRetriever(BaseRetriever):
    """Verified passages of a network as LangChain documents.

    ``metadata`` holds the source uri, title, licence, the exact span, scores, and the provenance that proves it. It
    also has the answer's ``confidence`` (its grade), its ``probability``, and the ``conflicts`` that the passage is in.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    network: AskableNetwork
    k: int = 4
    options: dict[str, Any] = Field(default_factory=dict)

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, k: int | None = None
    ) -> list[Document]:
        answer = self.network.ask(query, k=k or self.k, **self.options)
        return _documents(answer)

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, k: int | None = None
    ) -> list[Document]:
        answer = await self.network.aask(query, k=k or self.k, **self.options)
        return _documents(answer)


def _documents(answer: LiveAnswer) -> list[Document]:
    return [_document(number, passage, answer.record) for number, passage in enumerate(answer.passages)]


def _document(number: int, passage: Passage, answer: Answer) -> Document:
    given = answer.confidence
    where = passage.provenance
    return Document(
        id=f"{where.document}#{passage.start}-{passage.end}",
        page_content=passage.text,
        metadata={
            "source": passage.uri,
            "title": passage.title,
            "licence": passage.licence,
            "start": passage.start,
            "end": passage.end,
            "score": passage.score,
            "scores": passage.scores,
            "node": where.node,
            "manifest": str(where.manifest),
            "document": str(where.document),
            "reliability": passage.reliability.mean,
            "confidence": given.grade if given else "",
            "probability": given.probability if given else None,
            "conflicts": [
                to_plain(each) for each in answer.conflicts if number in (each.first.passage, each.second.passage)
            ],
        },
    )
