"""Many machines in one call: all are checked before one is written, and the same call twice is harmless."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib import wiring
from chalicelib.journeys.admin.fleet.add_many import MOST_ADDED
from tests.service.conftest import Service, later


def add(service: Service, *machines: dict[str, Any], **options: Any) -> Any:
    return service.admin("machines_add", machines=list(machines), **options)


def named(service: Service) -> list[str]:
    return [machine["machine"] for machine in service.admin("machine_list")["machines"]]


def test_each_is_added_as_if_alone_with_codes_that_enrol(service: Service) -> None:
    service.admin("group_add", name="web", period_seconds=172_800)
    answer = add(
        service,
        {"name": "web-1", "group": "web"},
        {"name": "db-1", "jobs": ["home"], "storage": "deep", "owner_mail": "a@example.org", "keep_days": 90},
        {"name": "disk", "photos": True},
    )
    assert [(one["machine"], one["status"], one["group"]) for one in answer["machines"]] == [
        ("web-1", "not enrolled yet", "web"),
        ("db-1", "not enrolled yet", None),
        ("disk", "not enrolled yet", None),
    ]
    assert service.admin("machine_show", name="web-1")["jobs"][0]["period_seconds"] == 172_800
    shown = service.admin("machine_show", name="db-1")
    assert (shown["owner_mail"], shown["jobs"][0]["job"], shown["jobs"][0]["keep_days"]) == (
        "a@example.org",
        "home",
        90,
    )
    assert service.admin("machine_show", name="disk")["families"][0]["family"] == "photos"
    for one in answer["machines"]:
        enrolled = service.call("POST", "/enrolments", {"code": one["code"], "secret_sha256": "1" * 64})
        assert (enrolled.status, enrolled.body["recovery_code"]) == (201, one["recovery_code"])


def test_where_one_is_refused_nothing_is_written_and_all_refusals_are_said(service: Service) -> None:
    answer = add(
        service,
        {"name": "web-1"},
        {"name": "web-2", "group": "nowhere"},
        {"name": "web-3", "owner_mail": "nobody"},
        {"name": "WEB"},
    )
    assert answer["machines"] == []
    assert [one["machine"] for one in answer["refused"]] == ["web-2", "web-3", "WEB"]
    assert "no group called nowhere" in answer["refused"][0]["error"]
    assert named(service) == []
    assert service.admin("journal")["entries"] == []


@pytest.mark.parametrize(
    ("other", "typed"),
    [
        ({"period_seconds": 172_800}, "--every ..."),
        ({"grace_seconds": 1}, "--grace ..."),
        ({"storage": "standard"}, "--storage ..."),
        ({"keep_chains": 9}, "--keep-..."),
    ],
)
@pytest.mark.parametrize("photos", [False, True])
def test_settings_that_would_not_come_to_a_machine_that_is_there_are_refused(
    service: Service, other: dict[str, Any], typed: str, photos: bool
) -> None:
    machine = {"name": "web-1", "photos": photos}
    add(service, machine)
    job = "photos" if photos else "system"
    [refused] = add(service, {**machine, **other})["refused"]
    assert refused["error"] == (
        f"web-1/{job} is there already, with other settings: `python -m ops machine set web-1 --job {job} {typed}"
        " --stage test` changes them."
    )


def test_no_group_is_called_none(service: Service) -> None:
    [refused] = add(service, {"name": "web-1", "group": "none"})["refused"]
    assert refused["error"] == "none stands for no group: name a group, or leave it out."


def test_only_checking_writes_nothing(service: Service) -> None:
    assert add(service, {"name": "web-1"}, only_check=True) == {"machines": [], "refused": [], "failed": []}
    assert named(service) == []


def test_typed_again_an_enrolled_machine_keeps_its_token_and_a_revoked_one_stays_revoked(
    service: Service,
) -> None:
    token = service.enrolled("web-1")
    service.enrolled("web-2")
    service.admin("machine_revoke", name="web-2")
    later(service, minutes=1)
    machines = [{"name": name} for name in ("web-1", "web-2", "web-3")]
    answer = add(service, *machines)
    assert [(one["status"], one["code"] is None) for one in answer["machines"]] == [
        ("enrolled", True),
        ("revoked", True),
        ("not enrolled yet", False),
    ]
    assert service.call("GET", "/machine", token=token).status == 200
    assert all(one["code"] for one in add(service, *machines, new_codes=True)["machines"])
    assert service.call("GET", "/machine", token=token).status == 200  # until the code is used
    told = [one["detail"] for one in service.admin("journal", name="web-2")["entries"]]
    assert "From a list. It is revoked, and has no new code." in told


def test_one_that_fails_in_the_middle_costs_no_other_its_codes(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = wiring.machine_store()
    put = store.put_code

    def put_code(code: Any) -> None:
        if code.machine == "web-2":
            raise RuntimeError("the table is away")
        put(code)

    monkeypatch.setattr(store, "put_code", put_code)
    answer = add(service, *({"name": name} for name in ("web-1", "web-2", "web-3")))
    assert [one["machine"] for one in answer["machines"]] == ["web-1", "web-3"]
    assert [(one["machine"], one["error"]) for one in answer["failed"]] == [
        ("web-2", "It failed: the table is away. Type the command again.")
    ]
    assert {one["machine"] for one in service.admin("journal")["entries"]} == {"web-1", "web-3"}


@pytest.mark.parametrize(
    ("machines", "said"),
    [
        ([], "a list of what machine_add takes"),
        ("web-1", "a list of what machine_add takes"),
        (["web-1"], "a list of what machine_add takes"),
        ([{"name": "web-1"}, {"name": "web-1"}], "named twice: web-1"),
        ([{"name": "web-1", "bucket": "attic"}], "one at a time"),
        ([{"name": f"web-{number}"} for number in range(MOST_ADDED + 1)], "too many at once"),
    ],
)
def test_what_is_no_such_list_is_refused(service: Service, machines: Any, said: str) -> None:
    answer = service.admin("machines_add", machines=machines)
    assert answer["error"] == "bad_request"
    assert said in answer["message"]
