"""Who may use the handlers: nobody without signing in, nobody whom the server's authorizer refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from jupyter_server.auth import Authorizer
from jupyter_server.base.handlers import APIHandler
from tornado.web import Application

from knet_jupyter.extension import ROUTES

GETS = ("state", "pulse", "nodes", "landscape", "ratings", "own")
VERBS = [
    *((route, "GET") for route in GETS),
    *((route, "POST") for route in ROUTES if hasattr(ROUTES[route], "post") and route not in ("state",)),
]
VERBS = [
    (route, verb)
    for route, verb in VERBS
    if getattr(ROUTES[route], verb.lower()) is not getattr(APIHandler, verb.lower())
]

Call = Callable[..., Any]


def test_every_route_is_tried() -> None:
    assert {route for route, _ in VERBS} == set(ROUTES)


@pytest.mark.parametrize(("route", "verb"), VERBS)
def test_a_stranger_is_refused(refused: Call, route: str, verb: str) -> None:
    options = {"method": verb, "headers": {"Authorization": "token wrong"}}
    status, _ = refused(route, **options, **({"body": "{}"} if verb == "POST" else {}))
    assert status in (401, 403)


@pytest.mark.parametrize(("route", "verb"), VERBS)
def test_a_user_without_the_right_is_refused(
    refused: Call, jp_serverapp: Any, route: str, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    class Nobody(Authorizer):
        def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
            asked.append(resource)
            return False

    application: Application = jp_serverapp.web_app
    monkeypatch.setitem(application.settings, "authorizer", Nobody(parent=jp_serverapp))
    status, _ = refused(route, method=verb, **({"body": "{}"} if verb == "POST" else {}))
    assert status == 403
    assert asked == ["knet"]


@pytest.mark.parametrize("route", [route for route, verb in VERBS if verb == "POST"])
def test_a_post_from_another_site_is_refused(refused: Call, jp_serverapp: Any, route: str) -> None:
    """A browser sends cookies along; without the XSRF token they open nothing."""
    status, _ = refused(route, "{}", headers={"Authorization": "", "Origin": "http://elsewhere.example"})
    assert status in (403, 404)
