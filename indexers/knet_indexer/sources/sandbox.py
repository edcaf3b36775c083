"""Conversion of documents in child processes with limits: parsers of foreign files may need any time and memory.

A child serves many files, since importing the parsers takes a second. A child that exceeds a limit is killed, and the
next file starts another one. Without the `resource` module (Windows) the limits of time and output still hold.
"""

from __future__ import annotations

import atexit
import struct
import subprocess
import sys
from importlib.util import find_spec
from threading import Lock, Timer
from typing import IO, NamedTuple

import msgspec

from knet.errors import MissingExtra, SourceError

from .base import Text
from .child_environment import child_environment
from .files import MAX_FILE
from .notes import Note

CHILD = "knet_indexer.sources.sandbox_child"
FILES_PER_CHILD = 500  # bounds what parsers leave behind in memory
LENGTH = struct.Struct(">I")


class Limits(NamedTuple):
    """Limits of the conversion of one file."""

    memory: int = 1 << 30  # bytes of data; a thesis of 60 MiB as PDF takes 500 MiB
    cpu_seconds: int = 60
    seconds: float = 180.0  # also for a machine under load
    output: int = MAX_FILE  # bytes of text


LIMITS = Limits()


class Request(msgspec.Struct, frozen=True):
    """The file of the next message: its kind (a suffix), its name, and the limits that the child sets for itself."""

    suffix: str
    where: str
    cpu_seconds: int
    output: int
    encoding: str = ""  # that the owner names


class Reply(msgspec.Struct, frozen=True):
    """The text of a file, or the error of its conversion."""

    text: str = ""
    title: str = ""
    media_type: str = ""
    notes: tuple[Note, ...] = ()
    error: str = ""
    hint: str = ""


def write_message(stream: IO[bytes], data: bytes) -> None:
    stream.write(LENGTH.pack(len(data)) + data)
    stream.flush()


def read_message(stream: IO[bytes], most: int) -> bytes:
    """Return the next message. Raises EOFError at the end, or for one that is longer than ``most`` bytes."""
    header = stream.read(LENGTH.size)
    size = LENGTH.unpack(header)[0] if len(header) == LENGTH.size else most + 1
    data = stream.read(size) if size <= most else b""
    if len(data) != size:
        raise EOFError
    return data


class Child:
    """One child process. Not thread-safe."""

    def __init__(self, memory: int) -> None:
        environment = child_environment(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")  # threads' stacks count as data
        self.memory = memory
        self.files = 0
        self._process = subprocess.Popen(  # noqa: S603  a fixed program, without a shell
            [sys.executable, "-P", "-m", CHILD, str(memory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )

    def convert(self, suffix: str, data: bytes, where: str, limits: Limits, encoding: str = "") -> Text:
        """Return the text of a file. Raises SourceError; the child is dead after one that exceeded a limit."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.files += 1
        request = Request(suffix, where, limits.cpu_seconds, limits.output, encoding)
        timer = Timer(limits.seconds, self._process.kill)
        timer.start()
        try:
            write_message(self._process.stdin, msgspec.json.encode(request))
            write_message(self._process.stdin, data)
            reply = msgspec.json.decode(read_message(self._process.stdout, 6 * limits.output + (1 << 16)), type=Reply)
        except (OSError, EOFError, msgspec.MsgspecError) as error:
            self.close()
            raise SourceError(
                f"{where} cannot be converted within {limits.memory >> 20} MiB and {limits.cpu_seconds} s.",
                hint="Leave it out, or save it in a simpler form.",
            ) from error
        finally:
            timer.cancel()
        if reply.error:
            raise SourceError(reply.error, hint=reply.hint)
        return Text(reply.text, reply.title, reply.media_type, notes=reply.notes)

    @property
    def is_usable(self) -> bool:
        return self.files < FILES_PER_CHILD and self._process.poll() is None

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:  # of bytes not yet written to a dead child
                    continue


class Pool:
    """Idle children of this process, for use by several threads."""

    def __init__(self) -> None:
        self._idle: list[Child] = []
        self._lock = Lock()

    def convert(self, suffix: str, data: bytes, where: str, *, encoding: str = "") -> Text:
        """Return the text of a file of the kind that ``suffix`` names. Raises SourceError and MissingExtra.

        ``encoding`` is that of its text, where the owner or a server names it.
        """
        for module in ("markitdown", "pypdfium2"):
            if find_spec(module) is None:
                raise MissingExtra(module, "node")
        limits = LIMITS
        child = self._take(limits.memory)
        try:
            return child.convert(suffix, data, where, limits, encoding)
        finally:
            if child.is_usable:
                with self._lock:
                    self._idle.append(child)
            else:
                child.close()

    def _take(self, memory: int) -> Child:
        with self._lock:
            while self._idle:
                child = self._idle.pop()
                if child.is_usable and child.memory == memory:
                    return child
                child.close()
        return Child(memory)

    def close(self) -> None:
        """End the idle children."""
        with self._lock:
            while self._idle:
                self._idle.pop().close()


POOL = Pool()
atexit.register(POOL.close)
