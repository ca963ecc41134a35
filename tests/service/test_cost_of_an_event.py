"""What an event costs the catalogue, counted as ``make bench`` counts it: the price of the service rests on it."""

from __future__ import annotations

import pytest
from moto import mock_aws

from bench.events import BATCH_SIZE, MOST_WRITES, EventCost, as_duplicity_stores, batches, handle
from chalicelib.domain.costs.service_costs import WRITES_AN_OBJECT
from tests.service.conftest import ENVIRONMENT

FIRST, *VOLUMES = [key for key in as_duplicity_stores() if "vol" in key][: BATCH_SIZE + 1]
"""The first volume of a set has it noted as open, once."""


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


def cost(*batched: list[str]) -> EventCost:
    with mock_aws():
        return handle(batched, after=[[FIRST]])


def test_s3_is_asked_once_what_a_key_holds_and_once_for_its_tag() -> None:
    calls = cost(*batches(VOLUMES)).meter.calls
    assert calls["s3 list_object_versions"] == calls["s3 get_object_tagging"] == BATCH_SIZE
    assert calls["s3 head_object"] == 0


def test_an_event_writes_its_object_and_its_set_and_a_batch_writes_the_set_once() -> None:
    alone, together = cost([VOLUMES[0]]), cost(VOLUMES)
    assert alone.writes == MOST_WRITES == WRITES_AN_OBJECT / 2, "a transaction counts twice"
    assert together.writes == (BATCH_SIZE + 1) / BATCH_SIZE
