"""Conformance of the server to its /openapi.json, checked by Schemathesis."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from model_files import constant_model
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance
from score_server import Server, running, serving_site

pytestmark = pytest.mark.xdist_group("openapi")  # what its tests share is made once

TOKEN = "a long random text"
BEARER = {"authorization": f"Bearer {TOKEN}"}
# What no JSON Schema can say: an id twice in one request, and how times stand to each other and to the clock.
BEYOND_SCHEMA = {"idea_id", "time", "closed_at", "known_at"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    site = serving_site(tmp_path_factory.mktemp("openapi"), constant_model(0.6))
    with running(site, token=TOKEN) as started:
        yield started


OPERATIONS = [
    ("POST", "/v1/score"),
    ("POST", "/v1/outcomes"),
    ("GET", "/v1/model"),
    ("GET", "/livez"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
]


@pytest.fixture(scope="module")
def schema(server: Server) -> Any:
    return schemathesis.openapi.from_url(f"{server.url}/openapi.json")


def test_all_that_it_does_is_described(schema: Any) -> None:
    described = {(found.ok().method.upper(), found.ok().path) for found in schema.get_all_operations()}
    assert described == set(OPERATIONS)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize(("method", "path"), OPERATIONS[:2])
def test_it_does_what_it_says_with_right_bodies_and_wrong_ones(
    schema: Any, method: str, path: str, mode: GenerationMode
) -> None:
    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=schema[path][method].as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case) -> None:
        check(case)

    ask()


@pytest.mark.parametrize(("method", "path"), OPERATIONS[2:])
def test_it_does_what_it_says_where_nothing_is_sent(schema: Any, method: str, path: str) -> None:
    check(schema[path][method].Case())


def check(case: schemathesis.Case) -> None:
    answer = case.call(headers=BEARER)
    problem = answer.json() if answer.headers["content-type"][0] == "application/problem+json" else {}
    beyond = answer.status_code == 422 and problem["reason"] in BEYOND_SCHEMA
    case.validate_response(answer, excluded_checks=[positive_data_acceptance] if beyond else [], headers=BEARER)
