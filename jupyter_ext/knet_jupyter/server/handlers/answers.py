"""Routes of an answer that the browser holds: verification, chain of custody, export."""

from __future__ import annotations

import base64
import json
from typing import Any

from knet.answer.notebook import NotebookReport, verify_notebook
from knet.answer.prov import prov_jsonld
from knet.answer.report import VerificationReport
from knet.answer.ro_crate import ro_crate
from knet.codec import to_json
from knet.errors import ConfigError
from knet.records import Answer, Record

from ..custody import Custody, custody
from .base import CallHandler


class AnswerRequest(Record, frozen=True):
    """An answer from the browser or a notebook, which is untrusted."""

    answer: Answer
    profile: str = ""
    passage: int = 1
    embed: bool = True
    format: str = "prov"


class VerifyHandler(CallHandler):
    """POST {answer, embed}: the outcome of every claim."""

    request_type = AnswerRequest

    def call(self, body: AnswerRequest) -> VerificationReport:
        return self.network_of(body.answer, body.profile).verify(body.answer, embed=body.embed)


class NotebookRequest(Record, frozen=True):
    """A notebook that is open in the browser (nbformat), saved or not."""

    notebook: dict[str, Any]
    profile: str = ""


class NotebookHandler(CallHandler):
    """POST {notebook}: the outcome of every claim of every answer in it, and of the comparison with the shown text."""

    request_type = NotebookRequest

    def call(self, body: NotebookRequest) -> list[NotebookReport]:
        def verify(answer: Answer) -> VerificationReport:
            return self.network_of(answer, body.profile).verify(answer)

        return verify_notebook(body.notebook, verify)


class CustodyHandler(CallHandler):
    """POST {answer, passage}: the chain of custody of one passage."""

    request_type = AnswerRequest

    def call(self, body: AnswerRequest) -> Custody:
        return custody(self.network_of(body.answer, body.profile), body.answer, body.passage)


class ExportedFile(Record, frozen=True):
    """A file for the browser to save."""

    name: str
    media_type: str
    base64: str


class ExportHandler(CallHandler):
    """POST {answer, format}: PROV-O as JSON-LD (``prov``), an RO-Crate (``ro-crate``), or the answer (``json``)."""

    request_type = AnswerRequest

    def call(self, body: AnswerRequest) -> ExportedFile:
        if body.format == "json":
            return _file("answer.json", "application/json", to_json(body.answer, indent=2).encode())
        if body.format not in ("prov", "ro-crate"):
            raise ConfigError(f"{body.format[:40]!r} is not an export format.", hint="Ask for prov, ro-crate or json.")
        heads = self.network_of(body.answer, body.profile).chain.manifests.heads
        if body.format == "prov":
            data = json.dumps(prov_jsonld(body.answer, heads=heads), ensure_ascii=False, indent=2).encode()
            return _file("answer.prov.jsonld", "application/ld+json", data)
        return _file("answer.crate.zip", "application/zip", ro_crate(body.answer, heads=heads))


def _file(name: str, media_type: str, data: bytes) -> ExportedFile:
    return ExportedFile(name=name, media_type=media_type, base64=base64.b64encode(data).decode())
