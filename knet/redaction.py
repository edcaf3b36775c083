"""Removal of keys from the URLs of RPCs and gateways, and from every text that may repeat them.

Providers issue URLs that hold a key: in the path (``/v3/KEY``), the query, the user name or password, or a label of the
host. `public_url` is a URL as it may be shown. `redacted` removes from a text the secret parts of all URLs that
`hide_keys` has seen. Each profile registers its URLs there. The messages of errors, the causes of chain errors and the
log lines of the libraries that contact an RPC pass through `redacted`.
"""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Iterator
from urllib.parse import SplitResult, parse_qsl, quote, unquote, unquote_plus, urlsplit

HIDDEN = "…"
MIN_SEGMENT = 5  # characters of a path's part that is hidden: shorter ones, such as "v3" and "rpc", are not keys
ORDINARY = frozenset(
    {"arbitrum", "ethereum", "gateway", "jsonrpc", "mainnet", "optimism", "pinning", "polygon", "sepolia", "services"}
)
MIN_PASSWORD = 3  # of a user name, password or value of a query
LIBRARIES = ("knet", "requests", "urllib3", "web3")  # their log lines are filtered
_KEY_LABEL = re.compile(r"(?=[a-zA-Z-]*[0-9])(?=[0-9-]*[a-zA-Z])[a-zA-Z0-9-]{20,63}")  # a host's label with a key

_secrets: tuple[str, ...] = ()  # the longest first; replaced as a whole, so that other threads may read it


def public_url(url: str) -> str:
    """Return a URL's scheme, host and port; ``/…`` stands for the rest. Text that is not a URL is hidden whole."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return HIDDEN
    if not parts.scheme or not host:
        return HIDDEN
    labels = ".".join(HIDDEN if _KEY_LABEL.fullmatch(label) else label for label in host.split("."))
    shown = f"[{labels}]" if ":" in host else labels
    is_more = parts.path not in ("", "/") or parts.query or parts.fragment or parts.username or parts.password
    return f"{parts.scheme}://{shown}{f':{port}' if port else ''}{f'/{HIDDEN}' if is_more else ''}"


def hide_keys(*urls: str) -> None:
    """Have `redacted` remove the secret parts of these URLs from now on."""
    global _secrets
    found = {form for url in urls for secret in _secret_parts(url) for form in _forms(secret)}
    if not found.issubset(_secrets):
        _secrets = tuple(sorted({*_secrets, *found}, key=lambda secret: (-len(secret), secret)))


def hide_words(*secrets: str) -> None:
    """Have `redacted` remove tokens, which a server may repeat."""
    global _secrets
    found = {form for secret in secrets if len(secret) >= MIN_SEGMENT for form in _forms(secret)}
    _secrets = tuple(sorted({*_secrets, *found}, key=lambda secret: (-len(secret), secret)))


def redacted(text: str) -> str:
    """Return a text without the secret parts of the URLs that `hide_keys` has seen."""
    for secret in _secrets:
        if secret in text:
            text = text.replace(secret, HIDDEN)
    return text


def redact_error(error: BaseException | None) -> None:
    """Remove secrets from the arguments of an exception and of those that led to it, which a traceback prints."""
    pending, seen = [error], set[int]()
    while pending:
        current = pending.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        pending += [current.__cause__, current.__context__]
        pending += [each for each in current.args if isinstance(each, BaseException)]
        current.args = tuple(_redacted_argument(each) for each in current.args)
        message = getattr(current, "message", None)  # of web3's errors, which print it instead of the arguments
        if isinstance(message, str):
            current.message = redacted(message)  # type: ignore[attr-defined]


def _redacted_argument(value: object) -> object:
    shown = value if isinstance(value, str) else repr(value)
    return value if isinstance(value, BaseException) or redacted(shown) == shown else redacted(shown)


class _RedactingFilter(logging.Filter):
    """Filter of log records that removes secrets from their messages."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact a record, which is then logged."""
        record.msg, record.args = redacted(record.getMessage()), ()
        return True


def redact_logs() -> None:
    """Filter what the libraries that contact an RPC write to their loggers: a filter is for one logger alone."""
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in LIBRARIES:
            logger = logging.getLogger(name)
            if not any(isinstance(each, _RedactingFilter) for each in logger.filters):
                logger.addFilter(_RedactingFilter())


def _secret_parts(url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        if len(url) >= MIN_SEGMENT:
            yield url
        return
    yield from _of_user(parts)
    yield from (segment for segment in parts.path.split("/") if _may_be_a_key(segment))
    for rest in (parts.query, parts.fragment):
        pairs = parse_qsl(rest.replace(";", "&"), keep_blank_values=True)
        values = [value or name for name, value in pairs] if pairs else []
        yield from (value for value in (rest, *values) if len(value) >= MIN_PASSWORD)
    yield from (label for label in (parts.hostname or "").split(".") if _KEY_LABEL.fullmatch(label))


def _may_be_a_key(segment: str) -> bool:
    return len(segment) >= MIN_SEGMENT and segment not in ORDINARY


def _of_user(parts: SplitResult) -> Iterator[str]:
    user, password = parts.username or "", parts.password or ""
    yield from (each for each in (user, password) if len(each) >= MIN_PASSWORD)
    if user or password:
        yield parts.netloc.rpartition("@")[0] + "@"
        for plain in (f"{user}:{password}", f"{unquote(user)}:{unquote(password)}"):
            yield base64.b64encode(plain.encode()).decode()  # as the header Authorization has it


def _forms(secret: str) -> set[str]:
    """Return the ways in which libraries write a part of a URL."""
    forms = {secret, unquote(secret), unquote_plus(secret), quote(secret), quote(secret, safe=""), repr(secret)[1:-1]}
    return {form for form in forms if len(form) >= MIN_PASSWORD}
