"""Search of documents for secrets before they are published: keys, tokens, passwords, and seed phrases of wallets.

The rules for tokens are those of detect-secrets (https://github.com/Yelp/detect-secrets). The others are for files by
their names, keys of wallets, passwords in prose, and services that detect-secrets does not know. A secret is never
repeated in a message. Work is linear in a text's length: a rule sees at most `WINDOW` characters at once.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from knet.errors import MissingExtra, SecretsFound
from knet.records import Record

from ..sources.folder import CODE

RULES = 2  # version of the rules: documents are scanned again when it changes
MOST = 3  # findings listed for each document
MOST_LISTED = 100  # documents listed in an error
WINDOW = 1024  # characters that a rule sees at once
OVERLAP = 256  # characters of two successive windows in common: longer than any secret that a rule needs whole
SEED_WORDS = 12  # the shortest seed phrase of BIP 39
LANGUAGES = ("english", "spanish", "french", "italian", "czech")  # word lists of BIP 39 with an alphabet

# Detectors of detect-secrets that are left out: the first three report hashes and addresses of any document, the others
# take time that grows with the square of a line, or report ordinary words. Rules below replace them.
_UNUSED = {
    "Base64HighEntropyString",
    "HexHighEntropyString",
    "IPPublicDetector",
    "ArtifactoryDetector",
    "BasicAuthDetector",
    "JwtTokenDetector",
    "KeywordDetector",
    "NpmDetector",
    "OpenAIDetector",
    "PrivateKeyDetector",
}

_NAMES = (
    *("id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "*.pem", "*.key", "*.ppk", "*.kdbx", "*.p12", "*.pfx"),
    *("*.env", "*.env.*", "utc--*", "keystore*", "*.keystore*", "htpasswd*", "netrc*", "_netrc*"),
)
_DOCUMENT_NAMES = (  # of documents, not of source code: `password.py` is ordinary
    *("wallet.*", "wallets.*", "passwd*", "logins.*", "credential.*", "credentials.*", "secret.*", "secrets.*"),
    *("password.*", "passwords.*", "*passwords.*", "passphrase*", "my?password*", "token.txt", "tokens.txt"),
    *("seed.*", "seed?phrase*", "seedphrase*", "mnemonic.*", "recovery?phrase*", "recovery?code*", "backup?code*"),
    *("env.txt", "private?key*", "privatekey*", "api?key*", "apikey*", "*_rsa.*", "*_ed25519.*"),
)

_RULES = [
    (kind, re.compile(pattern))
    for kind, pattern in (
        (
            "private key",
            r"-----? ?BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY|PuTTY-User-Key-File-\d|AGE-SECRET-KEY-1[0-9A-Z]{50}",
        ),
        ("wallet key", r"\b[xyzt]prv[1-9A-HJ-NP-Za-km-z]{100}|\b(?:[5KL]|6P)[1-9A-HJ-NP-Za-km-z]{50,57}\b"),
        (
            "wallet key",
            r"(?i)\b(?:priv(?:ate)?|secret|signing|deployer|wallet|account)[ _-]?key\b\W{0,9}(?:0x)?[0-9a-f]{64}\b",
        ),
        ("keystore", r'"(?:kdfparams|cipherparams)"\s{0,9}:'),
        ("web token", r"\beyJ[\w-]{10,400}\.eyJ[\w-]{10}"),
        (
            "API key",
            r"\bsk-(?:[a-z]{2,8}[\d-]{0,3}-)?(?=\w{0,19}\d)[A-Za-z0-9_-]{20}|\bhf_[A-Za-z]{30}|\bAIza[\w-]{35}|\bya29\.[\w-]{20}",
        ),
        (
            "API key",
            r"\bgithub_pat_\w{22}|\bdop_v1_[0-9a-f]{64}|\bshpat_[0-9a-f]{32}|\bnpm_[A-Za-z0-9]{36}|\bpat-[\w-]{30}",
        ),
        ("API key", r"\bsk_(?:live|test)_\w{16}|\bwhsec_\w{24}|\bxapp-\d-\w{8}|\bPMAK-[0-9a-f]{24}|\bhvs\.[\w-]{24}"),
        (
            "key in an RPC address",
            r"(?i)\b(?:infura\.io|alchemy\.com|quiknode\.pro|ankr\.com)/(?:[\w-]{1,20}/){0,2}[\w-]{24}",
        ),
    )
]
# a password in an address, and one behind its name; the value decides, see `_is_password`
_ADDRESS = re.compile(r"://[^\s:/?#\[\]@'\"<>`]{0,64}:([^\s:/?#\[\]@'\"<>`]{3,128})@")
_ASSIGNED = re.compile(
    r"(?i)(?:pass(?:word|wd|phrase|code)|passwort|kennwort|contrase(?:ñ|n)a|pwd|secret|credentials?"
    r"|(?:api|access|auth|account|client|service|private|priv|db|database)[ _-]?key"
    r"|(?:api|access|auth|bot|refresh)[ _-]?token)"
    r"[\w-]{0,20}[*_`\]'\")]{0,4}(?:[ \t]{0,9}(?::=|=>|={1,3}|:|\|)|[ \t]{1,9}is\b)[*_]{0,3}[ \t]{0,9}"
    r"(?:(?P<mark>['\"`])(?P<quoted>[^\s'\"`]{6,128})(?P=mark)|(?P<bare>[^\s'\"`,;|]{6,128}))"
)
_CODE_TYPES = frozenset(CODE.values())
_PLACEHOLDER = re.compile(
    r"(?i)example|your|placeholder|changeme|change_me|redacted|dummy|sample|xxx|\*\*\*|\.\.\.|…|<|>|\{|\}|\$|%s|%\(|test"
)
_CODE = re.compile(r"[()\[\]]|^[A-Za-z_]\w*\.\w|^[a-z]+(?:_[a-z0-9]+)+$|::|->|^https?:|^[\w-]*/[\w/.-]*$|^--?\w")
_WORD = re.compile(r"[^\W\d_]+")
_LONGEST_WORD = 12  # letters of a word in the lists
_GAP = re.compile(r"[.:;)|\"'`*>#-]{0,6}[\s,][\s\d.,:;)|\"'`*>#-]{0,12}")  # between words of a phrase
_SUSPECT = re.compile(  # needed by every rule below; most lines have none of it
    r"[\w+/=.:-]{16}|BEGIN|-File-|params|(?i:pass|pwd|kennw|contrase|secret|credential|key|token)"
)


class SecretScan(Record, frozen=True):
    """The documents that the last complete sync withheld, by name, each with what was found in it."""

    rules: int
    documents: list[tuple[str, str]] = []


def check_secrets(name: str, text: str, media_type: str, *, is_file: bool, labels: Sequence[str] = ()) -> None:
    """Raise SecretsFound if a document seems to hold a secret, or if the name of its file says so.

    ``labels`` are its address, title and licence, which are published as well.
    """
    found = find_secrets(text, name if is_file else "", is_code=media_type in _CODE_TYPES)
    for label in labels:
        found += [f"{kind} in its address or title" for kind, _ in _found(label, is_code=False)]
    if found:
        listed = ", ".join(dict.fromkeys(found[:MOST]))
        raise SecretsFound(f"{name} seems to hold a secret: {listed}.", documents=[(name, listed)])


def refuse_secrets(scan: SecretScan) -> None:
    """Raise SecretsFound with the list of documents, if there are any."""
    if scan.documents:
        listed = "; ".join(f"{name} ({found})" for name, found in scan.documents[:MOST_LISTED])
        more = f"; and {len(scan.documents) - MOST_LISTED} more" if len(scan.documents) > MOST_LISTED else ""
        raise SecretsFound(
            f"Nothing is published, because documents seem to hold secrets: {listed}{more}.",
            hint=SecretsFound.default_hint,
            documents=scan.documents,
        )


def find_secrets(text: str, path: str = "", *, is_code: bool = False) -> list[str]:
    """Return the kinds and lines of secrets in a document, the first `MOST`; ``path`` is its name, if it is a file.

    ``is_code`` is for source code, where passwords are quoted and names such as ``wallet.py`` are ordinary.
    """
    found: dict[str, None] = {}
    if path and has_secret_name(path, is_code=is_code):
        found["its name"] = None
    for kind, line in _found(text, is_code):
        found[f"{kind} in line {line}"] = None
        if len(found) >= MOST:
            break
    return list(found)


def has_secret_name(path: str, *, is_code: bool) -> bool:
    """Return True if the name of a file suggests a secret, in any width, case and composition of its letters."""
    name = unicodedata.normalize("NFKC", path.rpartition("/")[2]).lower()
    name = "".join(c for c in name if unicodedata.category(c) not in ("Cf", "Mn"))
    patterns = _NAMES if is_code else (*_NAMES, *_DOCUMENT_NAMES)
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _found(text: str, is_code: bool) -> Iterator[tuple[str, int]]:
    for number, line in enumerate(text.splitlines(), 1):
        for window in _windows(line):
            if _SUSPECT.search(window) and (kind := _secret_in(window, is_code)):
                yield kind, number
                break
    for at in _seed_phrases(text):
        yield "seed phrase", text.count("\n", 0, at) + 1


def _windows(line: str) -> Iterator[str]:
    line = line.strip()
    if line:
        yield line[:WINDOW]
    for start in range(WINDOW - OVERLAP, len(line) - OVERLAP, WINDOW - OVERLAP):
        yield line[start : start + WINDOW]


def _secret_in(line: str, is_code: bool) -> str:
    """Return the kind of secret in one line, or ``""``."""
    for kind, pattern in _RULES:
        if (match := pattern.search(line)) and "EXAMPLE" not in match[0].upper():
            return kind
    for kind, pattern in _token_rules():
        for match in pattern.finditer(line):
            if any(c.isdigit() for c in match[0]) and "EXAMPLE" not in match[0].upper():
                return kind
    if any(_is_password(match[1]) for match in _ADDRESS.finditer(line)):
        return "password in an address"
    for match in _ASSIGNED.finditer(line):
        quoted, bare = match["quoted"], match["bare"]
        if _is_password(quoted or "" if is_code else quoted or bare.rstrip("*_.)")):
            return "password or key"
    return ""


def _is_password(value: str) -> bool:
    """Tell a password from a word of prose, a placeholder and an expression of code."""
    mixed = any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
    return mixed and len(value) >= 6 and not _PLACEHOLDER.search(value) and not _CODE.search(value)


@cache
def _token_rules() -> list[tuple[str, re.Pattern[str]]]:
    """Return the kinds and patterns of detect-secrets. Raises MissingExtra."""
    try:
        from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
    except ImportError as error:
        raise MissingExtra("detect-secrets", "node") from error
    detectors: dict[str, Any] = get_mapping_from_secret_type_to_class()
    used = sorted((kind, each) for kind, each in detectors.items() if each.__name__ not in _UNUSED)
    return [(kind, pattern) for kind, each in used for pattern in each.denylist]


# --- seed phrases ------------------------------------------------------------------------------------------------


def _seed_phrases(text: str) -> Iterator[int]:
    """Yield the place of each run of `SEED_WORDS` words of one BIP 39 list; numbers and marks may be in between."""
    lists = _word_lists()
    words = frozenset[str]().union(*lists)
    run: list[str] = []
    first = end = 0
    for match in _WORD.finditer(text):
        word = match[0].lower()
        if not word.isascii():
            word = _folded(word) if len(word) <= _LONGEST_WORD else ""
        if word not in words:
            run.clear()
            continue
        if not run or not _GAP.fullmatch(text, end, match.start()):
            run, first = [], match.start()
        end = match.end()
        run.append(word)
        if len(run) >= SEED_WORDS and any(known.issuperset(run[-SEED_WORDS:]) for known in lists):
            yield first
            run.clear()


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKD", text.lower())


@cache
def _word_lists() -> list[frozenset[str]]:
    found = find_spec("eth_account")
    if found is None or found.origin is None:
        raise MissingExtra("eth-account", "node")
    folder = Path(found.origin).parent / "hdaccount" / "wordlist"
    return [frozenset(_folded((folder / f"{name}.txt").read_text("utf-8")).split()) for name in LANGUAGES]
