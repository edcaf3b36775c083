"""Errors in the server as the panels receive them."""

from __future__ import annotations

from typing import Any

import pytest

from knet.errors import ChainUnreachable
from knet_jupyter.server.service import Service

from .conftest import Call

pytestmark = pytest.mark.network


def test_rating_is_queued_without_a_known_cost(
    call: Call, answer: dict[str, Any], service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dead() -> None:
        raise ChainUnreachable("The chain does not answer.")

    monkeypatch.setattr(service.clients.connected().ratings, "cost", dead)
    pending = call("ratings", {"answer": answer, "value": 1, "passage": 1})
    assert len(pending["ratings"]) == 1
    assert (pending["cost"], pending["problem"]) == (None, "The chain does not answer.")


def test_server_error_ends_the_question_with_an_error(
    call: Call, events: Call, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("secret")

    call("connect", {})
    monkeypatch.setattr(service.clients.connected(), "ask", broken)
    last = events()[-1]
    assert last["event"] == "error"
    assert last["message"] == "The server failed: RuntimeError. Its log says more."


@pytest.mark.parametrize(
    "option", [{"max_nodes": -1}, {"node_timeout": 0}, {"node_timeout": -1}, {"min_reliability": 5}]
)
def test_invalid_options_are_refused(events: Call, option: dict[str, Any]) -> None:
    last = events(**option)[-1]
    assert (last["event"], last["reason"]) == ("error", "ConfigError")
