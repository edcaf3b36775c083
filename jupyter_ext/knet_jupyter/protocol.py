"""Messages between the server, panels and kernels: the state of a connection, a question, and its events.

The events of one question come in this order: started, phase (any number), asking, node (one each), and one of answer,
stopped and error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from knet.codec import cid_of
from knet.records import Answer, NodeStatus, Record
from knet.routing.options import NODE_TIMEOUT, PASSAGES, MaxNodes

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


class AskRequest(Record, frozen=True):
    """A question with its options, which are those of `Network.ask` that JSON can hold."""

    question: str
    profile: str = ""
    k: int = PASSAGES
    max_nodes: MaxNodes = "auto"
    nodes: list[int] = []
    private: bool = False
    min_reliability: float = 0.0
    node_timeout: float = NODE_TIMEOUT  # seconds


ASK_OPTIONS = {*AskRequest.__struct_fields__} - {"question", "profile"}


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


def answered(answer: LiveAnswer) -> AskEvent:
    """Return the event of an answer."""
    shown = answer._repr_mimebundle_()
    return AskEvent(
        event="answer",
        id=str(cid_of(answer.record)),
        answer=answer.record,
        text=shown["text/plain"],
        html=shown["text/html"],
    )


class Transactions(Record, frozen=True):
    """The hashes of the transactions that put ratings on chain."""

    transactions: list[str]
