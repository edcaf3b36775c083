"""A writable LangChain vector store over a node's own documents.

Added documents become files of the node, in ``texts/`` of its home, and are indexed as any others. `knet node publish`
publishes them, and the whole network finds them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from threading import RLock
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

from langchain_core.documents import Document

from knet.codec import cid_of
from knet.embed.base import Embedder
from knet.errors import ConfigError, SourceError
from knet.files import make_folder, write_atomically
from knet.index.card import make_card
from knet.index.collection import Collection, ScoredChunk
from knet.index.shard import read_shard
from knet.records import Card, Manifest, ShardRef, Space
from knet.vectorstore import KnetVectorStore

from .chunking import canonical
from .config import SourceConfig
from .ingest.sync import sync
from .node import Node, quiet
from .publication.manifest import draft_manifest

FOLDER = "texts"
NOTES = ".langchain"  # hidden, so that the folder's source skips it


class NodeVectorStore(KnetVectorStore):
    """The documents of a node, indexed at once and searched before they are published.

    A document longer than the node's passages is cut. Its parts have ids ``id#start-end``, offsets into its canonical
    text. `delete` and `get_by_ids` take ids of whole documents that were added here.
    """

    def __init__(self, node: Node) -> None:
        """Open a node. Raises NodeBusy while another process works on it."""
        self._node = node
        self._folder = node.folder / FOLDER
        self._lock = RLock()
        self._latest: Collection | None = None
        self._base: Manifest | None = None
        make_folder(self._folder / NOTES)
        self._source = spec = f"folder:{self._folder.absolute()}"
        if spec not in {source.spec for source in node.config.sources}:
            added = SourceConfig(spec=spec, options={"base": "texts/", "gitignore": "no"})
            node.configure(sources=[*node.config.sources, added])

    @classmethod
    def from_texts(
        cls,
        texts: Iterable[str],
        embedding: Any = None,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        node: Node | None = None,
        ids: Sequence[str | None] | None = None,
        **options: Any,
    ) -> NodeVectorStore:
        """Return a store over ``node`` that also holds these texts. The node's own model embeds: ``embedding`` stays
        None.

        Raises ConfigError otherwise.
        """
        if node is None or embedding is not None:
            raise ConfigError("A node's store takes a node and no embedding.", hint="Pass node= alone.")
        store = cls(node)
        store.add_texts(texts, metadatas, ids=ids)
        return store

    @property
    def embedder(self) -> Embedder:
        return self._node.embedder

    @property
    def collection(self) -> Collection:
        """Every document the node has indexed, published or not. Raises NodeBusy and StoreError."""
        with self._lock:
            if self._latest is None:
                sync(self._node, may_empty=lambda source, _: source == self._source)  # its last text was deleted
                self._latest = self._read_state()
            return self._latest

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: Sequence[str | None] | None = None,
        **options: Any,
    ) -> list[str]:
        """Add texts, or replace those of the same ids, index them, and return their ids.

        Raises ConfigError for lists of different lengths or metadata that is not valid JSON, SourceError for an empty
        text (no text is added then), NodeBusy and StoreError.
        """
        given = list(texts)
        names = [name or str(uuid4()) for name in ids or [None] * len(given)]
        notes = metadatas or [{}] * len(given)
        if not len(given) == len(names) == len(notes):
            raise ConfigError(
                f"{len(given)} texts, {len(names)} ids and {len(notes)} metadata: the lists differ in length."
            )
        if any(not text.strip() for text in given):
            raise SourceError("a text is empty.", hint="Leave it out.")
        written = [_note(name, note, text) for name, note, text in zip(names, notes, given, strict=True)]
        with self._lock:
            for name, note, text in zip(names, written, given, strict=True):
                for old in self._folder.glob(f"{_key(name)}-*.txt"):
                    old.unlink()
                write_atomically(self._folder / NOTES / f"{_key(name)}.json", note)
                write_atomically(self._folder / f"{_key(name)}-{_key(text)}.txt", text.encode())
            self._index()
        return names

    def delete(self, ids: Sequence[str] | None = None, **options: Any) -> bool:
        """Delete documents that were added here, or all of them for None. Unknown ids are ignored."""
        with self._lock:
            notes = (self._folder / NOTES).glob("*.json")
            keys = [note.stem for note in notes] if ids is None else [_key(name) for name in ids]
            for key in keys:
                for path in (*self._folder.glob(f"{key}-*.txt"), self._folder / NOTES / f"{key}.json"):
                    path.unlink(missing_ok=True)
            self._index()
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """Return documents that were added here, in the order of ``ids``, without unknown ones."""
        return [document for name in ids if (document := self._added(_key(name))) is not None]

    def _added(self, key: str) -> Document | None:
        """Return the document of a key as it was added."""
        texts = sorted(self._folder.glob(f"{key}-*.txt"))
        note = self._folder / NOTES / f"{key}.json"
        if not texts or not note.exists():
            return None
        saved = json.loads(note.read_bytes())
        text = texts[0].read_bytes().decode()
        return Document(id=saved["id"], page_content=text, metadata=saved["metadata"])

    def _index(self) -> None:
        self._latest = None
        _ = self.collection

    def _read_state(self) -> Collection:
        """Return the state as a collection, in the shards that a publication would write."""
        node = self._node
        with node.lock("search"), node.open_state() as state:
            if not state.meta("space"):
                space = node.embedder.space
                card = make_card(space, [], title="", documents=0)
                manifest = _manifest(space, [], card)
                return Collection.in_memory(cid_of(manifest), manifest, space, card, [])
            draft = draft_manifest(node, state, self._base, compact=False, progress=quiet)
        self._base = _manifest(draft.space, draft.shards, draft.card)
        shards = [read_shard(node.store, ref) for ref in draft.shards]
        return Collection.in_memory(cid_of(self._base), self._base, draft.space, draft.card, shards)

    def _document(self, found: ScoredChunk) -> Document:
        passage = super()._document(found)
        folder, _, name = unquote(passage.metadata["source"]).rpartition("/")
        added = self._added(name.partition("-")[0]) if folder == FOLDER else None
        if added is None:
            return passage
        start, end = passage.metadata["start"], passage.metadata["end"]
        if passage.page_content.strip() == canonical(added.page_content).strip():
            return added
        where = {**added.metadata, "start": start, "end": end}
        return Document(id=f"{added.id}#{start}-{end}", page_content=passage.page_content, metadata=where)


def _manifest(space: Space, shards: list[ShardRef], card: Card) -> Manifest:
    """Return the manifest of a publication, without its place on chain."""
    return Manifest(
        node=0,
        sequence=0,
        previous=None,
        space=cid_of(space),
        shards=shards,
        card=cid_of(card),
        documents=card.documents,
        chunks=card.chunks,
        time=0,
    )


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def _note(name: str, metadata: dict[str, Any], text: str) -> bytes:
    try:
        return json.dumps({"id": name, "metadata": metadata}).encode()
    except (TypeError, ValueError) as error:
        raise ConfigError(f"the metadata of {text[:40]!r} cannot be written as JSON: {error}.") from error
