"""Whatever the API's own document allows, and much that it does not, gets an answer that it describes."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.publish.parts import report
from tests.publish.served import Served
from tests.publish.test_api import push

OPERATIONS = (
    ("GET", "/api/advisories"),
    ("POST", "/api/advisories"),
    ("GET", "/api/advisories/{id}"),
    ("GET", "/api/advisories/{id}/status"),
    *(("POST", f"/api/advisories/{{id}}/{name}") for name in ("acknowledge", "publish", "withdraw", "supersede")),
    ("GET", "/api/consent"),
    ("PUT", "/api/consent"),
    ("GET", "/api/search"),
    ("GET", "/api/search/facets"),
)


@pytest.fixture(scope="module")
def document(served: Served) -> dict[str, Any]:
    return dict(served.call("GET", "/api/openapi.json", None).json())


def test_every_operation_is_tried(document: dict[str, Any]) -> None:
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described == set(OPERATIONS)


@pytest.mark.parametrize("examples", [20, pytest.param(1500, marks=pytest.mark.soak)])
@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_answer_is_described(
    served: Served, document: dict[str, Any], method: str, path: str, mode: GenerationMode, examples: int
) -> None:
    schema = schemathesis.openapi.from_dict(document)
    known = report()
    push(served, "lea", known)
    users = itertools.cycle(("lea", "sen", "ben"))
    base = f"http://127.0.0.1:{served.port}"
    # What is well formed may still be no advisory, or for somebody who is not there.
    unwanted: Any = [positive_data_acceptance]

    @settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
        derandomize=examples < 100,
    )
    @given(case=schema[path][method].as_strategy(generation_mode=mode))
    def tried(case: Case[Any]) -> None:
        user = next(users)
        if "{id}" in path and user != "ben":
            case.path_parameters = {"id": known["id"]}
        token = {"Authorization": f"Bearer {served.tokens[user]}"}
        case.call_and_validate(base_url=base, headers=token, excluded_checks=unwanted)

    tried()
