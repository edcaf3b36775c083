"""Access to the handlers: only for signed-in users whom the server's authorizer accepts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from jupyter_server.auth import Authorizer, User
from jupyter_server.base.handlers import APIHandler
from tornado.web import Application, create_signed_value

from knet_jupyter.server.extension import ROUTES

GETS = ("state", "health", "nodes", "overview", "ratings", "local-nodes")
VERBS = [
    *((route, "GET") for route in GETS),
    *((route, "POST") for route in ROUTES if hasattr(ROUTES[route], "post") and route not in ("state",)),
]
VERBS = [
    (route, verb)
    for route, verb in VERBS
    if getattr(ROUTES[route], verb.lower()) is not getattr(APIHandler, verb.lower())
]

COOKIE = "signed-in"
Call = Callable[..., Any]


def test_every_route_is_covered() -> None:
    assert {route for route, _ in VERBS} == set(ROUTES)


@pytest.mark.parametrize(("route", "verb"), VERBS)
def test_request_without_a_token_is_refused(refused: Call, route: str, verb: str) -> None:
    options = {"method": verb, "headers": {"Authorization": "token wrong"}}
    status, _ = refused(route, **options, **({"body": "{}"} if verb == "POST" else {}))
    assert status in (401, 403)


@pytest.mark.parametrize(("route", "verb"), VERBS)
def test_unauthorised_user_is_refused(
    refused: Call, jp_serverapp: Any, route: str, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    class DenyAll(Authorizer):
        def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
            asked.append(resource)
            return False

    application: Application = jp_serverapp.web_app
    monkeypatch.setitem(application.settings, "authorizer", DenyAll(parent=jp_serverapp))
    status, _ = refused(route, method=verb, **({"body": "{}"} if verb == "POST" else {}))
    assert status == 403
    assert asked == ["knet"]


@pytest.fixture
def cookie(jp_serverapp: Any) -> str:
    """The cookie that a signed-in browser sends with every request."""
    user = jp_serverapp.identity_provider.user_to_cookie(User("ada"))
    jp_serverapp.identity_provider.cookie_name = COOKIE
    value = create_signed_value(jp_serverapp.web_app.settings["cookie_secret"], COOKIE, user).decode()
    return f'{COOKIE}="{value}"'


@pytest.mark.parametrize("route", [route for route, verb in VERBS if verb == "POST"])
def test_cross_site_post_is_refused(refused: Call, cookie: str, route: str) -> None:
    """The cookie alone is not enough: other sites cannot read the XSRF token."""
    status, said = refused(route, "{}", headers={"Authorization": "", "Cookie": cookie})
    assert (status, "_xsrf" in said["message"]) == (403, True)
    elsewhere = {"Authorization": "", "Cookie": cookie, "Origin": "http://elsewhere.example"}
    assert refused(route, "{}", headers=elsewhere)[0] in (403, 404)


def test_cookie_with_the_xsrf_token_is_accepted(call: Call, cookie: str) -> None:
    """Control of the test above: the token makes the difference."""
    headers = {"Authorization": "", "Cookie": f"{cookie}; _xsrf=token", "X-XSRFToken": "token"}
    assert call("stop", {"id": "none"}, headers=headers) == {"stopped": False}
