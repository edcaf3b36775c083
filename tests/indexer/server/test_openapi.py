"""The service conforms to `/openapi.json`, for valid and invalid requests generated from it."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed: pip install 'knetwork[dev]'")

from schemathesis import GenerationMode  # noqa: E402

from knet.config import Profile  # noqa: E402
from tests.network.support import RunningNode, start_nodes  # noqa: E402

from .test_app import TEXTS  # noqa: E402

ROOT = Path(__file__).parents[3]
EXAMPLES = 40  # for each route, the same in every run


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("openapi_tool", ROOT / "tools" / "openapi.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_committed_document_matches_the_service(tool: ModuleType) -> None:
    assert (ROOT / "docs" / "openapi.json").read_text(encoding="utf-8") == tool.text(), "run `make openapi`"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, devnet: Profile) -> Iterator[RunningNode]:
    with start_nodes(tmp_path_factory.mktemp("openapi"), devnet, [TEXTS]) as (started,):
        yield started


def load_schema() -> Any:
    # 400 and 406: a well-formed CID that no node can hold, a vector of another size, no requested format
    accepted = {"positive_data_acceptance": {"expected-statuses": ["2xx", "400", "404", "406", "409"]}}
    # 413: a body that is too long is not read any further
    refused = {"negative_data_rejection": {"expected-statuses": ["400", "404", "405", "406", "413", "415", "422"]}}
    config = schemathesis.Config.from_dict({"checks": accepted | refused})
    return schemathesis.openapi.from_path(ROOT / "docs" / "openapi.json", config=config)


OPERATIONS = {found.ok().label: found.ok() for found in load_schema().get_all_operations()}
WITH_INPUT = [name for name, found in OPERATIONS.items() if found.query or found.path_parameters or found.body]
VALID, INVALID = GenerationMode.POSITIVE, GenerationMode.NEGATIVE


@schemathesis.serializer("application/vnd.ipld.dag-cbor")
def as_dag_cbor(context: Any, value: Any) -> bytes:
    """Encode generated values as dag-cbor, and values that it cannot represent as text."""
    import libipld

    try:
        return bytes(libipld.encode_dag_cbor(value))
    except Exception:  # the encoder's own errors have no common base
        return repr(value).encode()


@pytest.mark.parametrize(
    ("name", "mode"), [*((name, VALID) for name in OPERATIONS), *((name, INVALID) for name in WITH_INPUT)]
)
def test_service_conforms_to_the_document(name: str, mode: GenerationMode, node: RunningNode) -> None:
    operation = OPERATIONS[name]

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=EXAMPLES, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    def conforms(case: Any) -> None:
        case.call_and_validate(base_url=node.endpoint, timeout=60)

    conforms()
