"""Messages of the server to panels and kernels: the state of a connection, and the events of a question.

The events of one question come in this order: started, phase (any number), asking, node (one each), and one of answer,
stopped and error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from knet.codec import cid_of
from knet.errors import KnetError
from knet.records import Answer, NodeStatus, Record

if TYPE_CHECKING:
    from knet.answer.live import LiveAnswer


FOLDER_VARIABLE = "KNET_JUPYTER"  # the environment variable with the folder that kernels find the server by
SOCKET_FILE = "client"  # the socket in this folder
HOME_FILE = "home"  # the file with the server's knet folder; a kernel with another folder has another client


class Phase(Record, frozen=True):
    """Progress of one part of a network that is being started; ``total`` is 0 while it is unknown."""

    title: str
    phase: str
    done: int = 0
    total: int = 0


class ConnectionState(Record, frozen=True):
    """State of the connection to a network."""

    profile: str
    profiles: list[str]
    state: Literal["off", "starting", "ready", "failed"]
    detail: str = ""
    phases: list[Phase] = []
    address: str = ""
    development: bool = False  # a chain on this machine, where transactions are free


class AskEvent(Record, frozen=True, omit_defaults=True):
    """One event of a question; ``event`` tells which of the other fields are set."""

    event: Literal["started", "phase", "asking", "node", "answer", "stopped", "error"]
    id: str = ""  # started: the id by which the question can be stopped; answer: its CID
    phase: Phase | None = None
    nodes: list[NodeStatus] | None = None
    node: NodeStatus | None = None
    answer: Answer | None = None
    text: str = ""  # answer: as plain text
    html: str = ""  # answer: as self-contained, escaped HTML, for readers without this extension
    message: str = ""
    reason: str = ""


def started(number: str) -> AskEvent:
    return AskEvent(event="started", id=number)


def phase(part: Phase) -> AskEvent:
    return AskEvent(event="phase", phase=part)


def asking(nodes: Sequence[NodeStatus]) -> AskEvent:
    return AskEvent(event="asking", nodes=list(nodes))


def node_done(node: NodeStatus) -> AskEvent:
    return AskEvent(event="node", node=node)


def answered(answer: LiveAnswer) -> AskEvent:
    shown = answer._repr_mimebundle_()
    return AskEvent(
        event="answer",
        id=str(cid_of(answer.record)),
        answer=answer.record,
        text=shown["text/plain"],
        html=shown["text/html"],
    )


def stopped() -> AskEvent:
    return AskEvent(event="stopped")


def failed(error: KnetError) -> AskEvent:
    return AskEvent(event="error", message=str(error), reason=type(error).__name__)
