"""LangChain retriever over a knet network."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from langchain_core.callbacks import AsyncCallbackManagerForRetrieverRun, CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import ConfigDict, Field

from .answer.live import LiveAnswer
from .records import Passage


@runtime_checkable  # pydantic checks the field by it
class AskableNetwork(Protocol):
    """Connection that answers questions, such as `knet.client.network.Network`."""

    def ask(self, question: str, *, k: int, **options: Any) -> LiveAnswer: ...

    async def aask(self, question: str, **options: Any) -> LiveAnswer: ...


class KnetRetriever(BaseRetriever):
    """Verified passages of a network as LangChain documents.

    ``metadata`` holds the source uri, title, licence, the exact span, scores, and the provenance that proves it.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    network: AskableNetwork
    k: int = 4
    options: dict[str, Any] = Field(default_factory=dict)

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun, k: int | None = None
    ) -> list[Document]:
        answer = self.network.ask(query, k=k or self.k, **self.options)
        return [_document(passage) for passage in answer.passages]

    async def _aget_relevant_documents(
        self, query: str, *, run_manager: AsyncCallbackManagerForRetrieverRun, k: int | None = None
    ) -> list[Document]:
        answer = await self.network.aask(query, k=k or self.k, **self.options)
        return [_document(passage) for passage in answer.passages]


def _document(passage: Passage) -> Document:
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
        },
    )
