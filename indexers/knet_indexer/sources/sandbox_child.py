"""The child process of `knet_indexer.sources.sandbox`: converts the files it receives until its input ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from knet.errors import KnetError

from .archive import unreadable
from .base import Text
from .files import MAX_FILE
from .formats import csv_text, eml_text, epub_text, rtf_text, vtt_text, xml_text
from .html import html_text
from .notebooks import notebook_text
from .office import docx_text, odt_text, pptx_text, xlsx_text
from .pdf import pdf_text
from .sandbox import Reply, Request, read_message, write_message

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

CONVERTERS: dict[str, Callable[[bytes, str], Text]] = {
    ".pdf": pdf_text,
    ".docx": docx_text,
    ".pptx": pptx_text,
    ".xlsx": xlsx_text,
    ".odt": odt_text,
    ".epub": epub_text,
    ".rtf": rtf_text,
    ".xml": xml_text,
    ".ipynb": lambda data, where: notebook_text(data, Path(where)),
}
DECODED: dict[str, Callable[[bytes, str, str], Text]] = {
    ".html": html_text,
    ".csv": csv_text,
    ".eml": eml_text,
    ".vtt": vtt_text,
}  # with the encoding that the owner names
MAX_REQUEST = 1 << 16


def main(memory: int) -> None:
    """Serve requests, with at most ``memory`` bytes of data."""
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # parsers may print
    if resource is not None:
        _limit(resource.RLIMIT_DATA, memory)
        _limit(resource.RLIMIT_CORE, 0)
        _limit(resource.RLIMIT_FSIZE, 0)
    while True:
        try:
            request = msgspec.json.decode(read_message(requests, MAX_REQUEST), type=Request)
            data = read_message(requests, MAX_FILE)
        except EOFError:
            return
        if resource is not None:
            usage = resource.getrusage(resource.RUSAGE_SELF)
            _limit(resource.RLIMIT_CPU, int(usage.ru_utime + usage.ru_stime) + 1 + request.cpu_seconds)
        write_message(replies, msgspec.json.encode(_convert(request, data)))


def _limit(kind: int, most: int) -> None:
    _, hard = resource.getrlimit(kind)
    try:
        resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
    except (ValueError, OSError):  # macOS refuses some limits
        return


def _convert(request: Request, data: bytes) -> Reply:
    try:
        if request.suffix in DECODED:
            text = DECODED[request.suffix](data, request.where, request.encoding)
        else:
            text = CONVERTERS[request.suffix](data, request.where)
    except KnetError as error:
        return Reply(error=str(error.args[0]), hint=error.hint)
    except MemoryError:
        os._exit(1)  # little works from here on
    except (ValueError, LookupError, RecursionError, OSError) as error:  # of damaged values in a valid file
        return Reply(error=str(unreadable(error, request.suffix[1:], request.where)))
    size = len(text.text.encode(errors="replace"))
    if size > request.output:
        limit = f"The limit is {request.output >> 20} MiB."
        return Reply(error=f"{request.where} holds too much text ({size >> 20} MiB).", hint=limit)
    title = _clean(text.title)[:MAX_REQUEST]
    return Reply(text=_clean(text.text), title=title, media_type=text.media_type, notes=text.notes)


def _clean(text: str) -> str:
    """Return the text without lone surrogates, which JSON cannot carry."""
    return text.encode(errors="replace").decode()


if __name__ == "__main__":
    main(int(sys.argv[1]))
