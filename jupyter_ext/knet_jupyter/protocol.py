"""What the server tells panels and kernels: how a connection stands, and what happens while a question is under way.

That is, in this order: started, phases, asking, nodes, one end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from knet.codec import cid_of
from knet.errors import KnetError
from knet.records import Answer, NodeStatus, Record

if TYPE_CHECKING:
    from knet.answer.live import LiveAnswer


PLACE = "KNET_JUPYTER"  # the environment variable that names the folder
SOCKET = "client"  # the socket in it
HOME = "home"  # where the server keeps what it knows; a kernel that was told of another place has another user's client


class Phase(Record, frozen=True):
    """How far one part of a network is that is being started; ``total`` is 0 while nobody knows."""

    title: str
    phase: str
    done: int = 0
    total: int = 0


class State(Record, frozen=True):
    """Where the connection to a network stands: ``state`` is off | starting | ready | failed."""

    profile: str
    profiles: list[str]
    state: str
    detail: str = ""
    phases: list[Phase] = []
    address: str = ""
    development: bool = False  # a chain of this machine, where nothing costs anything


class Event(Record, frozen=True, omit_defaults=True):
    """``event`` names what happened: started | phase | asking | node | answer | stopped | error."""

    event: str
    id: str = ""  # started: what to stop it by; answer: its CID
    phase: Phase | None = None
    nodes: list[NodeStatus] | None = None
    node: NodeStatus | None = None
    answer: Answer | None = None
    text: str = ""  # answer: as plain text
    html: str = ""  # answer: as self-contained, escaped HTML, for readers without this extension
    message: str = ""
    reason: str = ""


def started(number: str) -> Event:
    return Event(event="started", id=number)


def phase(part: Phase) -> Event:
    return Event(event="phase", phase=part)


def asking(nodes: Sequence[NodeStatus]) -> Event:
    return Event(event="asking", nodes=list(nodes))


def node_done(node: NodeStatus) -> Event:
    return Event(event="node", node=node)


def answered(answer: LiveAnswer) -> Event:
    shown = answer._repr_mimebundle_()
    return Event(
        event="answer",
        id=str(cid_of(answer.record)),
        answer=answer.record,
        text=shown["text/plain"],
        html=shown["text/html"],
    )


def stopped() -> Event:
    return Event(event="stopped")


def failed(error: KnetError) -> Event:
    return Event(event="error", message=str(error), reason=type(error).__name__)
