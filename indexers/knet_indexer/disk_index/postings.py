"""The word index of a disk index: Tantivy postings that propose candidates for exact BM25 scores."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from knet.errors import MissingExtra, StoreError
from knet.files import make_folder

try:
    import tantivy
except ImportError as error:
    raise MissingExtra("tantivy", "node") from error

WRITER_BYTES = 64 << 20  # buffered in memory before they are written
_WORDS, _NUMBER, _SHARD = "words", "number", "shard"
_ANALYSER = "knet"
_FAILURES = (ValueError, RuntimeError, OSError)  # the types of Tantivy's errors


class Postings:
    """The word index in one folder, as of its opening. Texts arrive as tokens of `knet.index.lexical`."""

    def __init__(self, folder: Path) -> None:
        """Open or create it. Raises StoreError."""
        self.folder = folder
        with self._translated():
            make_folder(folder)
            builder = tantivy.SchemaBuilder()
            builder.add_text_field(_WORDS, tokenizer_name=_ANALYSER, index_option="freq")
            builder.add_unsigned_field(_NUMBER, fast=True)
            builder.add_unsigned_field(_SHARD, indexed=True)
            self._schema = builder.build()
            self._index = tantivy.Index(self._schema, str(folder))
            analyser = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()
            self._index.register_tokenizer(_ANALYSER, analyser)
            self._searcher = self._index.searcher()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except _FAILURES as error:
            raise StoreError(f"the word index in {self.folder} cannot be used: {error}.") from error

    @property
    def count(self) -> int:
        """The number of chunks it holds, including removed ones that are not dropped yet."""
        return int(self._searcher.num_docs)

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """Change the index. An index opened after a commit has the change. Raises StoreError."""
        with self._translated():
            writer = self._index.writer(WRITER_BYTES, 1)
            try:
                yield Writer(writer)
                writer.commit()
            except BaseException:
                with suppress(*_FAILURES):
                    writer.rollback()
                    writer.wait_merging_threads()  # also releases the folder
                raise
            writer.wait_merging_threads()

    def candidates(self, terms: Collection[str], count: int) -> list[int]:
        """Return the numbers of at most ``count`` chunks with the best approximate BM25: Tantivy rounds lengths."""
        with self._translated():
            parts = [(tantivy.Occur.Should, tantivy.Query.term_query(self._schema, _WORDS, t, "freq")) for t in terms]
            found = self._searcher.search(tantivy.Query.boolean_query(parts), count, count=False).hits
            numbers: Sequence[object] = self._searcher.fast_field_values(_NUMBER, [address for _, address in found])
        return [number for number in numbers if isinstance(number, int)]


class Writer:
    """An open transaction of the word index."""

    def __init__(self, writer: tantivy.IndexWriter) -> None:
        self._writer = writer

    def add(self, shard: int, first: int, texts: Iterable[Sequence[str]]) -> None:
        """Index the tokens of a shard's chunks, numbered from ``first``, in place of its earlier ones."""
        self.drop(shard)
        for number, words in enumerate(texts, first):
            document = tantivy.Document()
            document.add_text(_WORDS, " ".join(words))
            document.add_unsigned(_NUMBER, number)
            document.add_unsigned(_SHARD, shard)
            self._writer.add_document(document)

    def drop(self, shard: int) -> None:
        self._writer.delete_documents_by_term(_SHARD, shard)

    def commit(self) -> None:
        self._writer.commit()
