"""Errors in the server as the panels receive them."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from msgspec.structs import replace

from knet.config import load_profile, save_profile
from knet.errors import ChainUnreachable, CodecError
from knet_jupyter.server.extension import ROUTES
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
    assert (pending["cost"], pending["problem"]) == (
        None,
        f"The chain does not answer. {ChainUnreachable.default_hint}",
    )


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


def test_error_tells_what_to_do_as_the_command_line_does(refused: Call) -> None:
    status, reply = refused("nodes", params={"profile": "nowhere"})
    assert (status, reply["reason"]) == (400, "ConfigError")
    assert reply["message"].endswith("Name a known one, or run `knet network join`.")
    status, reply = refused("stop", "{")
    assert reply["message"].endswith(CodecError.default_hint)


def test_no_reply_shows_the_keys_of_the_rpc(
    fetch: Call, answer: dict[str, Any], service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """Threat model: reader of a shared log, terminal or answer; the key in an RPC's URL."""
    url = "http://canaryuser:canarypass@127.0.0.1:9/v3/CanaryPathKey42?key=CanaryQueryKey42"
    save_profile(replace(load_profile(), name="away", rpc=url))
    caplog.set_level(logging.DEBUG)
    ask = {"question": "How?", "profile": "away", "answer": answer, "value": 1, "passage": 1, "name": "x", "id": "x"}
    ask["notebook"] = {"cells": []}
    sent = [(route, ask) for route, handler in ROUTES.items() if hasattr(handler, "post")]
    sent += [(route, None) for route, handler in ROUTES.items() if hasattr(handler, "get")]
    options: dict[str, Any] = {"params": {"profile": "away"}, "raise_error": False}
    replies = [fetch(route, body, **options).body.decode() for route, body in sent]
    assert sum("does not answer" in reply for reply in replies) >= 5
    shown = "".join(replies) + caplog.text
    assert [secret for secret in ("canaryuser", "canarypass", "CanaryPath", "CanaryQuery") if secret in shown] == []
