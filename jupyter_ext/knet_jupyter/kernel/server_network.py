"""Network client of a kernel that uses the client of its Jupyter server, as other kernels and the panels do.

All of them share one model in memory and one set of connections, and the demo network outlives the kernel. The module
imports neither the libraries of the chain nor those of the models.
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
from knet.routing.options import OnSelected, OnStatus

from ..protocol import (
    ASK_OPTIONS,
    FOLDER_VARIABLE,
    HOME_FILE,
    SOCKET_FILE,
    AskEvent,
    ConnectionState,
    Transactions,
)

if TYPE_CHECKING:
    from knet.client.network import Network
    from knet.routing.node_info import NodeInfo

T = TypeVar("T")


def server_network(profile: str) -> ServerNetwork | None:
    """Return the network of a profile (empty: the default) through this kernel's server, or None without a server."""
    folder = Path(os.environ.get(FOLDER_VARIABLE, ""))
    try:
        if (folder / HOME_FILE).read_text() != str(home()):
            return None
        with closing(_Connection(folder / SOCKET_FILE)) as connection:
            connection.connect()
    except OSError:  # not under Jupyter, or the server has ended
        return None
    return ServerNetwork(folder / SOCKET_FILE, profile)


class ServerNetwork:
    """Client with the methods of `Network` for cells. Options that JSON cannot hold use a client in this process."""

    def __init__(self, path: Path, profile: str) -> None:
        self._path = path
        self._profile = profile
        self.ratings = ServerRatings(self)

    @property
    def profile(self) -> Profile:
        """The network's profile, which connects to the network. Raises ConfigError, ChainError."""
        state = self._call("connect", ConnectionState, {"profile": self._profile})
        return load_profile(state.profile)

    def ask(
        self,
        question: str,
        *,
        on_status: OnStatus | None = None,
        on_selected: OnSelected | None = None,
        **options: Any,
    ) -> LiveAnswer:
        """Ask as `Network.ask`. Interrupting the kernel cancels the question on the server."""
        sent = {name: value for name, value in options.items() if value is not None}
        if not sent.keys() <= ASK_OPTIONS:
            return self._own().ask(question, on_status=on_status, on_selected=on_selected, **options)
        phases: dict[str, str] = {}
        for event in self._events({"question": question, "profile": self._profile, **sent}):
            match event:
                case AskEvent(event="phase", phase=part) if part is not None and phases.get(part.title) != part.phase:
                    phases[part.title] = part.phase
                    print(f"knet: {part.title}: {part.phase}", file=sys.stderr, flush=True)
                case AskEvent(event="asking", nodes=nodes) if on_selected is not None:
                    on_selected(nodes or [])
                case AskEvent(event="node", node=node) if on_status is not None and node is not None:
                    on_status(node)
                case AskEvent(event="answer", answer=answer) if answer is not None:
                    return LiveAnswer(answer, self)
                case AskEvent(event="stopped"):
                    raise Cancelled("The question was cancelled.")
                case AskEvent(event="error"):
                    raise _error(event.reason, event.message)
        raise TransportError("The Jupyter server closed the connection before the answer.", hint="Ask again.")

    def verify(self, answer: Answer | LiveAnswer, *, embed: bool = True) -> VerificationReport:
        """Verify as `Network.verify`."""
        body = {"answer": _record(answer), "profile": self._profile, "embed": embed}
        return self._call("verify", VerificationReport, body)

    def rate(
        self, answer: Answer | LiveAnswer, value: float, *, passage: int | None = None, model: Any = None
    ) -> list[Rating]:
        """Rate as `Network.rate`."""
        if model is not None:
            return self._own().rate(_record(answer), value, passage=passage, model=model)
        body = {"answer": _record(answer), "value": value, "passage": passage, "profile": self._profile}
        return self._call("ratings", _Rated, body).rated

    def nodes(self) -> list[NodeInfo]:
        """List the nodes as `Network.nodes`."""
        from knet.routing.node_info import NodeInfo

        return self._call(f"nodes?profile={quote(self._profile)}", list[NodeInfo])

    def _own(self) -> Network:
        return own_network(self.profile.name)

    def _call(self, route: str, kind: type[T], body: Mapping[str, Any] | None = None) -> T:
        with self._reply(route, body) as reply:
            return from_json(reply.read(), kind)

    def _events(self, question: Mapping[str, Any]) -> Iterator[AskEvent]:
        with self._reply("ask", question) as reply:
            for line in reply:
                yield from_json(line, AskEvent)

    @contextmanager
    def _reply(self, route: str, body: Mapping[str, Any] | None) -> Iterator[http.client.HTTPResponse]:
        """Yield the server's reply. Raises the error that the reply names, or TransportError without a reply."""
        connection = _Connection(self._path)
        try:
            content = None if body is None else to_json(body).encode()
            connection.request("GET" if body is None else "POST", f"/{route}", content)
            reply = connection.getresponse()
            if reply.status != 200:
                problem = read_json(reply.read())
                raise _error(problem.get("reason") or "", problem.get("message") or reply.reason)
            yield reply
        except KnetError:  # some are also a TimeoutError
            raise
        except (OSError, http.client.HTTPException) as error:
            detail = str(error) or type(error).__name__
            raise TransportError(f"The Jupyter server does not answer: {detail}", hint="Restart the kernel.") from error
        finally:
            connection.close()


class ServerRatings:
    """Ratings that wait on the server, as ``net.ratings``."""

    def __init__(self, network: ServerNetwork) -> None:
        self._network = network

    def flush(self, *, bond: int = 0) -> list[str]:
        """Flush as `knet.client.ratings.QueuedRatings.flush`."""
        body = {"bond": str(bond), "profile": self._network._profile}
        return self._network._call("ratings/flush", Transactions, body).transactions


class _Rated(Record, frozen=True):
    """The part of the reply of the ratings route that a kernel needs."""

    rated: list[Rating]


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


def _error(name: str, message: str) -> KnetError:
    """Return the error that the server named, with the same class."""
    kind = getattr(errors, name, KnetError)
    if not (isinstance(kind, type) and issubclass(kind, KnetError)) or kind is errors.MissingExtra:
        kind = KnetError
    return kind(message)


def _record(answer: Answer | LiveAnswer) -> Answer:
    return answer.record if isinstance(answer, LiveAnswer) else answer
