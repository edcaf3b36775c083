"""Export of answers as research objects (RO-Crate 1.2) with their provenance (PROV-O).

Source: https://www.researchobject.org/ro-crate/specification/1.2/
"""

from __future__ import annotations

import io
import json
import zipfile
from hashlib import sha256
from typing import Any

from ..codec import to_json
from ..records import Answer, Passage
from .live import MEDIA_TYPE
from .prov import Heads, answer_id, moment, prov_jsonld

SPECIFICATION = "https://w3id.org/ro/crate/1.2"
UNSTATED = "The documents name no licence; ask their owners before passing them on."
EARLIEST = (1980, 1, 1, 0, 0, 0)  # that a ZIP archive can date
LATEST_YEAR = 2107


def ro_crate(answer: Answer, *, heads: Heads | None = None) -> bytes:
    """Return an answer as a ZIP archive: its record, from which it can be verified, its provenance and its passages.

    The same answer gives the same bytes. ``heads`` as for `prov_jsonld`. Raises what ``heads`` raises.
    """
    lineage = json.dumps(prov_jsonld(answer, heads=heads), ensure_ascii=False, indent=2)
    files = {"answer.json": to_json(answer, indent=2).encode(), "provenance.jsonld": lineage.encode()}
    files |= {_name(n): passage.text.encode() for n, passage in enumerate(answer.passages, 1)}
    described = {"@context": f"{SPECIFICATION}/context", "@graph": _graph(answer, files)}
    files = {"ro-crate-metadata.json": json.dumps(described, ensure_ascii=False, indent=2).encode(), **files}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, _date(answer))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return buffer.getvalue()


def _name(number: int) -> str:
    return f"passages/{number:03}.txt"


def _graph(answer: Answer, files: dict[str, bytes]) -> list[dict[str, Any]]:
    licences = sorted({passage.licence for passage in answer.passages if passage.licence})
    titles = {status.node: status.title for status in answer.nodes}
    made = moment(answer.time).isoformat()
    return [
        {
            "@id": "ro-crate-metadata.json",
            "@type": "CreativeWork",
            "about": {"@id": "./"},
            "conformsTo": {"@id": SPECIFICATION},
        },
        {
            "@id": "./",
            "@type": "Dataset",
            "name": f"Answer to: {answer.question}",
            "description": answer.text,
            "identifier": answer_id(answer),
            "datePublished": made,
            "license": "; ".join(licences) or UNSTATED,
            "hasPart": [{"@id": name} for name in files],
            "mainEntity": {"@id": "answer.json"},
            "mentions": {"@id": "#asking"},
        },
        _file("answer.json", files, "The answer as a record that `knet verify` checks again", MEDIA_TYPE),
        _file("provenance.jsonld", files, "Provenance of the answer (W3C PROV-O)", "application/ld+json"),
        *(_passage(number, passage, files) for number, passage in enumerate(answer.passages, 1)),
        {
            "@id": "#asking",
            "@type": "CreateAction",
            "name": "Asking the network",
            "endTime": made,
            "instrument": {"@id": "#knet"},
            "object": [{"@id": _name(n)} for n in range(1, len(answer.passages) + 1)],
            "result": {"@id": "answer.json"},
        },
        {"@id": "#knet", "@type": "SoftwareApplication", "name": "knet"},
        *(
            {"@id": f"#node-{node}", "@type": "Organization", "name": titles.get(node) or f"node {node}"}
            for node in sorted({passage.provenance.node for passage in answer.passages})
        ),
    ]


def _file(name: str, files: dict[str, bytes], title: str, media_type: str) -> dict[str, Any]:
    return {
        "@id": name,
        "@type": "File",
        "name": title,
        "encodingFormat": media_type,
        "contentSize": str(len(files[name])),
        "sha256": sha256(files[name]).hexdigest(),
    }


def _passage(number: int, passage: Passage, files: dict[str, bytes]) -> dict[str, Any]:
    name = _name(number)
    described = _file(name, files, passage.title or passage.uri, "text/plain")
    described["description"] = f"Characters {passage.start} to {passage.end} of {passage.uri}"
    described["identifier"] = f"ipfs://{passage.provenance.document}#char={passage.start},{passage.end}"
    described["provider"] = {"@id": f"#node-{passage.provenance.node}"}
    if passage.licence:
        described["license"] = passage.licence
    return described


def _date(answer: Answer) -> tuple[int, int, int, int, int, int]:
    when = moment(answer.time)
    if not EARLIEST[0] <= when.year <= LATEST_YEAR:
        return EARLIEST
    return when.year, when.month, when.day, when.hour, when.minute, when.second
