"""The owners of the demo's nodes: real documentation found on this machine, and a mirror that falsifies one of them.

Every package here is a dependency of knet, or Python itself, so that it is installed wherever knet is.
"""

from __future__ import annotations

from knet.records import Record


class Owner(Record, frozen=True):
    """One independent node of the demo. ``mirrors`` names the owner whose documents it copies and falsifies."""

    name: str
    title: str
    spec: str = ""
    include: str = ""
    limit: int = 40
    mirrors: str = ""

    @property
    def options(self) -> dict[str, str]:
        """The options of its source."""
        options = {"limit": str(self.limit)}
        return options | {"include": self.include} if self.include else options


OWNERS = [
    Owner(
        name="stdlib",
        title="Python standard library",
        spec="python:stdlib",
        include="heapq*, json*, random*, statistics*, bisect*, tempfile*, shelve*",
    ),
    Owner(
        name="numpy",
        title="NumPy",
        spec="python:numpy",
        include="numpy.sort, numpy.unique, numpy.linalg.norm, numpy.linalg.svd, numpy.linalg.lstsq, numpy.linalg",
    ),
    Owner(
        name="faiss",
        title="Faiss",
        spec="python:faiss",
        include="faiss.IndexHNSW*, faiss.HNSW*, faiss.IndexIVF*, faiss.Clustering*, faiss.Kmeans, faiss.Index",
        limit=20,
    ),
    Owner(name="web3", title="web3.py", spec="python:web3", limit=30),
    Owner(
        name="langchain",
        title="LangChain",
        spec="python:langchain_core",
        include="langchain_core.documents*, langchain_core.retrievers*, langchain_core.vectorstores*",
    ),
    Owner(name="mirror", title="Unofficial Python mirror", mirrors="stdlib"),
]

QUESTIONS = [
    "Which of the two middle values does statistics.median_low return?",
    "How does json.dump handle NaN and infinity?",
    "How are nan values ordered by numpy.sort?",
    "What is a HNSW index in faiss?",
    "What does heapq.heapreplace pop and return?",
    "How do I bake sourdough bread at high altitude?",
]
