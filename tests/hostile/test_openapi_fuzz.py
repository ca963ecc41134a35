"""Requests made from the API's own description, right and wrong ones: none makes the service fail, or work long."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ops.functions.package import PROJECT
from tests.hostile.honest_laptop import name_of
from tests.hostile.memory_aws import service_in_memory
from tests.service.conftest import Service
from tools.docs.openapi import OPERATIONS, description

DESCRIPTION: dict[str, Any] = json.loads((PROJECT / "docs/reference/openapi.json").read_text())
SCHEMAS = DESCRIPTION["components"]["schemas"]
MOST_CPU_SECONDS = 1.0
"""Of one answer, by the quickest of three tries: what is measured is of the whole process, so that a collection of
garbage of the tests before counts in one of them. What a request costs, it costs each time."""

SETS = ["full.20261122T195500Z", "full.20261122T195700Z", "inc.20261122T195500Z.to.20261122T195600Z"]
NAMES = st.builds(
    name_of, st.sampled_from(SETS), st.sampled_from([1, 2, 40_000, "signatures", "manifest", "jsonstat"])
)
DIGESTS = st.sampled_from(["0" * 64, "ab" * 32, "0" * 63])
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
LIKELY = {
    "name": NAMES,
    "names": st.lists(NAMES, max_size=4),
    "sha256": DIGESTS,
    "part_sha256": st.lists(DIGESTS, max_size=3),
    "kind": st.sampled_from(["full", "incremental", "check", "x"]),
    "job": st.sampled_from(["photos-2018", "photos-2019", "photos", "system", "photos-"]),
    "family": st.sampled_from(["photos", "films"]),
    "clock": st.sampled_from(["2026-11-22T20:00:00Z", "2026-11-22T20:00:00", "9999-99-99T99:99:99Z"]),
    "false_proofs": st.lists(st.sampled_from([*SETS, "full.x"]), max_size=2),
}
"""What gets further than a random text: names, digests and times of the right form."""


def values(schema: dict[str, Any], run: str) -> st.SearchStrategy[Any]:
    if "$ref" in schema:
        return records(SCHEMAS[schema["$ref"].rpartition("/")[2]], run)
    if "oneOf" in schema:
        return st.one_of(*(values(arm, run) for arm in schema["oneOf"]))
    kind = schema["type"]
    if kind == "integer":
        least, most = schema["minimum"], schema["maximum"]
        return st.sampled_from([least, most, least - 1, most + 1, 0, 1, 10**30]) | st.integers(least, most)
    if kind == "array":
        return st.lists(values(schema["items"], run), max_size=4)
    if kind == "object":
        return st.dictionaries(st.text(max_size=60), values(schema["additionalProperties"], run), max_size=3)
    scalars = {
        "string": st.text(max_size=40),
        "number": st.floats(),
        "boolean": st.booleans(),
        "null": st.none(),
    }
    return scalars[kind]


def records(schema: dict[str, Any], run: str) -> st.SearchStrategy[Any]:
    """Now and then a field has a value of another kind."""
    likely = {**LIKELY, "run": st.just(run), "resumes": st.just(run)}
    fields = {}
    for name, inner in schema["properties"].items():
        usual = likely.get(name, values(inner, run))
        fields[name] = st.integers(0, 15).flatmap(lambda die, usual=usual: ANYTHING if die == 0 else usual)  # type: ignore[misc]
    required = {name: fields[name] for name in schema.get("required", ())}
    optional = {name: value for name, value in fields.items() if name not in required}
    return st.fixed_dictionaries(required, optional=optional)


def test_the_committed_description_is_that_of_the_code() -> None:
    assert description() == DESCRIPTION, "run `python -m tools.docs.reference`"


def test_it_describes_every_route_and_no_other(service: Service) -> None:
    import app

    routes = {(method.lower(), path) for path, methods in app.app.routes.items() for method in methods}
    assert {(operation.method, operation.path) for operation in OPERATIONS} == routes


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with pytest.MonkeyPatch.context() as patch, service_in_memory(patch) as service:
        yield service


def fuzz(service: Service, requests: int) -> None:
    service.s3.clear()
    service.table.clear()
    token = service.enrolled("anna-laptop", jobs=["system"], photos=True)
    run = service.run(token).body["run"]
    calls = []
    for path, methods in DESCRIPTION["paths"].items():
        for method, described in methods.items():
            shape = (
                described.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            )
            bodies = values(shape, run) | ANYTHING if shape else st.none()
            calls.append(st.tuples(st.just(method.upper()), st.just(path), bodies))
    rows = len(json.dumps(service.admin("machine_show", name="anna-laptop")))

    @settings(
        max_examples=requests,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.one_of(calls), st.sampled_from(["system", "system", "system", "photos", "x" * 42]))
    def send(call: tuple[str, str, Any], job: str) -> None:
        method, path, body = call
        for tries_left in (2, 1, 0):
            began = time.process_time()
            answer = service.call(
                method, path.format(job=job, run=run, thaw="0" * 20, version="0.2.0"), body, token
            )
            seconds = time.process_time() - began
            assert answer.status < 500, (call, answer)
            if seconds < MOST_CPU_SECONDS:
                break
            assert tries_left, call

    send()
    assert service.call("GET", "/machine", token=token).status == 200
    shown = service.admin("machine_show", name="anna-laptop")
    assert len(json.dumps(shown)) < rows + 10_000, "no row grows with what a request holds"
    assert len(service.admin("report_preview")["text"]) < 20_000


def test_no_request_of_five_hundred_makes_the_service_fail(service: Service) -> None:
    fuzz(service, 500)


@pytest.mark.soak
def test_no_request_of_ten_thousand_makes_the_service_fail(service: Service) -> None:
    fuzz(service, 10_000)
