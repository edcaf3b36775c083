"""Contradictions planted for a question: a copy of the passage that answers it, at another node, says otherwise."""

from __future__ import annotations

import re
from typing import Any

from msgspec.structs import replace

from benchmarks.answers.nodes import NODES
from benchmarks.answers.sets import Sent
from knet.answer.evidence import OPPOSITES
from knet.answer.writer import extract
from knet.index.analyser import tokens

MIRROR = NODES + 1
_NUMBER = re.compile(r"\b\d{1,4}\b")
_VERB = re.compile(r"\b(is|was|are|were|can|has|had|will)\b")
_NAMES = ("Ada Lovelace", "Lisbon", "Quito", "Nils Holm")
_OPPOSED = OPPOSITES | {value: key for key, value in OPPOSITES.items()}


def planted(sent: Sent, number: int) -> Sent | None:
    """Return what was sent with a contradiction of the first quoted sentence; None where none can be made."""
    quoted = extract(sent.question.text, sent.passages, sent.statistics)
    if not quoted:
        return None
    citation = quoted[0].citations[-1]
    own = sent.passages[citation.passage]
    changed = _contradicted(citation.exact, sent, number)
    if changed is None:
        return None
    text = own.text.replace(citation.exact, changed, 1)
    where: Any = replace(own.provenance, node=MIRROR)
    copy = replace(own, text=text, end=own.start + len(text), provenance=where, sources=[])
    place = citation.passage + 1
    return sent._replace(passages=[*sent.passages[:place], copy, *sent.passages[place:]])


def _contradicted(text: str, sent: Sent, number: int) -> str | None:
    """Return a sentence with another number, an opposite, a negation or another name, whichever fits, in turn."""
    asked = set(tokens(sent.question.text))
    ways = [_other_number, _opposite, _negated, _other_name]
    for way in ways[number % 4 :] + ways[: number % 4]:
        changed = way(text, asked, sent)
        if changed is not None and changed != text:
            return changed
    return None


def _other_number(text: str, asked: set[str], sent: Sent) -> str | None:
    found = next((each for each in _NUMBER.finditer(text) if each.group() not in asked), None)
    if found is None:
        return None
    return f"{text[: found.start()]}{int(found.group()) + 3}{text[found.end() :]}"


def _opposite(text: str, asked: set[str], sent: Sent) -> str | None:
    for word in text.split():
        if word in _OPPOSED and word not in asked:
            return re.sub(rf"\b{re.escape(word)}\b", _OPPOSED[word], text, count=1)
    return None


def _negated(text: str, asked: set[str], sent: Sent) -> str | None:
    return _VERB.sub(r"\1 not", text, count=1) if _VERB.search(text) else None


def _other_name(text: str, asked: set[str], sent: Sent) -> str | None:
    for answer in sent.question.answers:
        named = answer[:1].isupper() and not set(tokens(answer)) & asked and not text.startswith(answer)
        if named and re.search(rf"\b{re.escape(answer)}\b", text):
            return text.replace(answer, _NAMES[len(text) % len(_NAMES)], 1)
    return None
