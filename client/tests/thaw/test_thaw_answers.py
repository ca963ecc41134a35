"""Answers about thaws that no service of ours gives are taken for what they are."""

from __future__ import annotations

from typing import Any

import pytest
from fake_service import CODE, FakeService
from panicroom.api import Api, ApiError
from panicroom.wire import ErrorCode, ThawRequest, ThawStart, ThawTier, ThawVolumes

SECRET_SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
REQUEST = ThawRequest((ThawVolumes("full.20261122T213347Z", "1"),))
OFFER = {"ready_by": "2026-12-02T09:00:00Z", "tier": "Bulk", "usd": 0.1}
PLAN = {
    "thaw": "a1",
    "state": "planned",
    "bytes": 1,
    "archived_bytes": 1,
    "archived": 1,
    "thawing": 0,
    "readable": 0,
    "missing": [],
    "tiers": [OFFER],
    "needs_approval": False,
    "left_usd": 1.0,
}
STATUS = {"thaw": "a1", "state": "thawing", "done": 0, "of": 1}


@pytest.fixture
def api(service: FakeService) -> Api:
    service.enrol({"code": CODE, "secret_sha256": SECRET_SHA256})
    return Api(service.url, "laptop.test", patience_seconds=0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"thaw": "../../machine"},
        {"thaw": ""},
        {"state": "melting"},
        {"tiers": [{**OFFER, "usd": -1.0}]},
        {"tiers": [{**OFFER, "transfer_usd": -1.0}]},
        {"tiers": [{**OFFER, "ready_by": "soon"}]},
        {"tiers": [{**OFFER, "readable_until": "2026-12-02"}]},
        {"tiers": [{**OFFER, "tier": "Free"}]},
        {"left_usd": -0.1},
        {"month_usd": -0.1},
        {"archived": -1},
    ],
)
def test_a_plan_is_checked(service: FakeService, api: Api, wrong: dict[str, Any]) -> None:
    service.thaws.plan = lambda *_asked: (200, {**PLAN, **wrong})  # type: ignore[method-assign]
    with pytest.raises(ApiError, match="does not understand"):
        api.plan_thaw("system", REQUEST)


@pytest.mark.parametrize(
    "wrong",
    [{"thaw": "a/b"}, {"ready_by": "soon"}, {"readable_until": "never"}, {"usd": -1.0}, {"done": "all"}],
)
def test_a_state_is_checked(service: FakeService, api: Api, wrong: dict[str, Any]) -> None:
    service.thaws.look = lambda _thaw: (200, {**STATUS, **wrong})  # type: ignore[method-assign]
    service.thaws.start = lambda _thaw, _body: (200, {**STATUS, **wrong})  # type: ignore[method-assign]
    with pytest.raises(ApiError, match="does not understand"):
        api.thaw_status("system", "a1")
    with pytest.raises(ApiError, match="does not understand"):
        api.start_thaw("system", "a1", ThawStart(ThawTier.BULK, 0.1))


def test_a_cap_is_no_throttling_and_is_not_tried_again(service: FakeService, api: Api) -> None:
    service.thaws.plans_left = 0
    with pytest.raises(ApiError, match="tomorrow") as raised:
        api.plan_thaw("system", REQUEST)
    assert raised.value.code == ErrorCode.THAW_CAP
    assert service.thaws.requests == ["plan"]
