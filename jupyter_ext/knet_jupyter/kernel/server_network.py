"""A kernel's way to the network: through the client of the Jupyter server that started it, which every other kernel and
all panels use too. One model in memory, one set of connections, and a demo that outlives the kernel.

Nothing heavy is imported: a kernel that asks through its server needs neither the chain's nor the models' libraries.
"""

from __future__ import annotations

import http.client
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from knet import errors
from knet.answer.live import LiveAnswer
from knet.answer.report import VerificationReport
from knet.client.shared import own_network
from knet.codec import from_json, read_json, to_json
from knet.config import Profile, home, load_profile
from knet.errors import Cancelled, KnetError, TransportError
from knet.records import Answer, Rating, Record
from knet.search.limits import OnAsking, OnStatus

from ..protocol import HOME, PLACE, SOCKET, Event, State

if TYPE_CHECKING:
    from knet.client.network import Network
    from knet.routing.node_info import NodeInfo

SENT = {"k", "ask", "nodes", "private", "min_reliability", "deadline"}  # of `Network.ask`'s options, what JSON can say

T = TypeVar("T")


def server_network(profile: str) -> ServerNetwork | None:
    """The network of a profile (empty: the server's default one) through this kernel's server; None without one."""
    folder = Path(os.environ.get(PLACE, ""))
    try:
        if (folder / HOME).read_text() != str(home()):
            return None
        with closing(_Connection(folder / SOCKET)) as connection:
            connection.connect()
    except OSError:  # not under Jupyter, or the server is gone
        return None
    return ServerNetwork(folder / SOCKET, profile)


class ServerNetwork:
    """What cells do with a `Network`. What a server cannot be told, such as a chat model, this process does itself."""

    def __init__(self, path: Path, profile: str) -> None:
        self._path = path
        self._profile = profile

    @property
    def profile(self) -> Profile:
        """The network's profile; connects to it. Raises ConfigError, ChainError."""
        state = self._call("connect", State, {"profile": self._profile})
        return load_profile(state.profile)

    def ask(
        self,
        question: str,
        *,
        on_status: OnStatus | None = None,
        on_asking: OnAsking | None = None,
        **options: Any,
    ) -> LiveAnswer:
        """As `Network.ask`. Interrupting the kernel withdraws the question on the server."""
        told = {name: value for name, value in options.items() if value is not None}
        if not told.keys() <= SENT:
            return self._own().ask(question, on_status=on_status, on_asking=on_asking, **options)
        seen: dict[str, str] = {}
        for event in self._events({"question": question, "profile": self._profile, **told}):
            match event:
                case Event(event="phase", phase=part) if part is not None and seen.get(part.title) != part.phase:
                    seen[part.title] = part.phase
                    print(f"knet: {part.title}: {part.phase}", file=sys.stderr, flush=True)
                case Event(event="asking", nodes=nodes) if on_asking is not None:
                    on_asking(nodes or [])
                case Event(event="node", node=node) if on_status is not None and node is not None:
                    on_status(node)
                case Event(event="answer", answer=answer) if answer is not None:
                    return LiveAnswer(answer, self)
                case Event(event="stopped"):
                    raise Cancelled("The question was withdrawn.")
                case Event(event="error"):
                    raise _error(event.reason, event.message)
        raise TransportError("The Jupyter server ended before it had an answer.", hint="Ask again.")

    def verify(self, answer: Answer | LiveAnswer, *, embed: bool = True) -> VerificationReport:
        """As `Network.verify`."""
        body = {"answer": _record(answer), "profile": self._profile, "embed": embed}
        return self._call("verify", VerificationReport, body)

    def rate(
        self, answer: Answer | LiveAnswer, value: float, *, passage: int | None = None, model: Any = None
    ) -> list[Rating]:
        """As `Network.rate`."""
        if model is not None:
            return self._own().rate(_record(answer), value, passage=passage, model=model)
        body = {"answer": _record(answer), "value": value, "passage": passage, "profile": self._profile}
        return self._call("ratings", _Rated, body).rated

    def flush_ratings(self, *, bond: int = 0) -> list[str]:
        """As `Network.flush_ratings`."""
        return self._call("ratings/flush", _Sent, {"bond": str(bond), "profile": self._profile}).transactions

    def nodes(self) -> list[NodeInfo]:
        """As `Network.nodes`."""
        from knet.routing.node_info import NodeInfo

        return self._call(f"nodes?profile={quote(self._profile)}", list[NodeInfo])

    def _own(self) -> Network:
        return own_network(self.profile.name)

    def _call(self, route: str, kind: type[T], body: Mapping[str, Any] | None = None) -> T:
        with self._reply(route, body) as reply:
            return from_json(reply.read(), kind)

    def _events(self, question: Mapping[str, Any]) -> Iterator[Event]:
        with self._reply("ask", question) as reply:
            for line in reply:
                yield from_json(line, Event)

    @contextmanager
    def _reply(self, route: str, body: Mapping[str, Any] | None) -> Iterator[http.client.HTTPResponse]:
        """What the server says. Raises the error that it names, or TransportError when it does not answer."""
        connection = _Connection(self._path)
        try:
            content = None if body is None else to_json(body).encode()
            connection.request("GET" if body is None else "POST", f"/{route}", content)
            reply = connection.getresponse()
            if reply.status != 200:
                said = read_json(reply.read())
                raise _error(said.get("reason") or "", said.get("message") or reply.reason)
            yield reply
        except KnetError:  # which may be a TimeoutError, too
            raise
        except (OSError, http.client.HTTPException) as error:
            detail = str(error) or type(error).__name__
            raise TransportError(f"The Jupyter server does not answer: {detail}", hint="Restart the kernel.") from error
        finally:
            connection.close()


class _Rated(Record, frozen=True):
    """Of what the server says of ratings, what it has just made of a verdict."""

    rated: list[Rating]


class _Sent(Record, frozen=True):
    transactions: list[str]


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


def _error(name: str, message: str) -> KnetError:
    """The error that the server named, of the same class."""
    kind = getattr(errors, name, KnetError)
    if not (isinstance(kind, type) and issubclass(kind, KnetError)) or kind is errors.MissingExtra:
        kind = KnetError
    return kind(message)


def _record(answer: Answer | LiveAnswer) -> Answer:
    return answer.record if isinstance(answer, LiveAnswer) else answer
