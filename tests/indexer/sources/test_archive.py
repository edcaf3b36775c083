"""Damaged members of zip archives are errors of the tree, whatever the decompressor raises."""

from __future__ import annotations

import io
import zipfile

import pytest

from knet.errors import SourceError
from knet_indexer.sources.archive import member, open_archive

TEXT = b"A beaver builds a dam. " * 40
METHODS = {"deflate": zipfile.ZIP_DEFLATED, "bzip2": zipfile.ZIP_BZIP2, "lzma": zipfile.ZIP_LZMA}


def archive_of(method: int) -> bytearray:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("a.xml", TEXT)
    return bytearray(out.getvalue())


@pytest.mark.parametrize("method", METHODS)
def test_every_damaged_byte_of_a_member_is_a_source_error(method: str) -> None:
    """Threat model: document; a member that crashes its decompressor."""
    intact = archive_of(METHODS[method])
    refused = 0
    for at in range(len(intact)):
        for flip in (0x01, 0xFF):
            data = bytearray(intact)
            data[at] ^= flip
            try:
                read = member(open_archive(bytes(data), "docx", "a.docx"), "a.xml", "docx", "a.docx")
            except SourceError:
                refused += 1
            else:
                assert read == TEXT, "a flipped byte of a name, date or flag alone does not alter the text"
    assert refused > len(intact)


def test_missing_member_is_a_source_error() -> None:
    with pytest.raises(SourceError, match="not a readable docx"):
        member(open_archive(bytes(archive_of(zipfile.ZIP_DEFLATED)), "docx", "a.docx"), "b.xml", "docx", "a.docx")
