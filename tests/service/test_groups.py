"""The owner groups machines: settings of all of them at once, and where each value comes from."""

from __future__ import annotations

from typing import Any

import pytest

from tests.service.conftest import TABLE, Service

HOUR, DAY = 3600, 86_400


def machine(service: Service, name: str = "anna") -> dict[str, Any]:
    found: dict[str, Any] = service.admin("machine_show", name=name)
    return found


def job(service: Service, name: str = "anna", wanted: str = "system") -> dict[str, Any]:
    [found] = [one for one in machine(service, name)["jobs"] if one["job"] == wanted]
    return dict(found)


@pytest.fixture
def web(service: Service) -> Service:
    service.admin(
        "group_add",
        name="web",
        period_seconds=4 * HOUR,
        storage="deep",
        storage_after_days=30,
        keep_days=365,
        thaw_budget_usd="5",
        owner_mail="web@example.org, night@example.org",
    )
    return service


def test_a_new_machine_takes_from_its_group_what_is_not_said_of_it(web: Service) -> None:
    added = web.admin(
        "machine_add", name="anna", group="web", grace_seconds=2 * HOUR, owner_mail="anna@x.org"
    )
    assert added["group"] == "web"
    shown, system = machine(web), job(web)
    assert (system["period_seconds"], system["grace_seconds"]) == (4 * HOUR, 2 * HOUR)
    assert (system["archive_class"], system["archive_after_days"]) == ("DEEP_ARCHIVE", 30)
    assert system["keep_days"] == 365
    assert system["sources"] == {
        "period": "group web",
        "grace": "own",
        "storage": "group web",
        "retention": "group web",
    }
    assert (shown["group"], shown["owner_mail"], shown["thaw_budget_usd"]) == ("web", "anna@x.org", 5.0)
    assert shown["sources"] == {"thaw_budget": "group web", "owner_mail": "own"}


def test_a_new_job_of_a_machine_in_a_group_takes_the_groups_values(web: Service) -> None:
    web.admin("machine_add", name="anna", group="web")
    web.admin("machine_add", name="anna", jobs=["photos-old"], period_seconds=DAY)
    found = job(web, wanted="photos-old")
    assert (found["period_seconds"], found["grace_seconds"], found["keep_days"]) == (DAY, DAY, 365)
    assert found["sources"]["grace"] == "own", "a period without a grace is the grace too"


def test_a_change_of_the_group_comes_to_all_that_follow_and_to_no_others(web: Service) -> None:
    web.admin("machine_add", name="anna", group="web")
    web.admin("machine_add", name="ben", group="web", period_seconds=DAY)
    web.admin("machine_add", name="carla")
    changed = web.admin("group_set", name="web", period_seconds=HOUR, thaw_budget_usd="2")
    assert changed["changed"] == ["anna", "anna/system", "ben"]
    assert [job(web, name)["period_seconds"] for name in ("anna", "ben", "carla")] == [HOUR, DAY, DAY]
    assert changed["group"]["machines"] == [
        {"machine": "anna", "own": [], "is_behind": False},
        {"machine": "ben", "own": ["system: grace", "system: period"], "is_behind": False},
    ]
    assert web.admin("group_set", name="web", period_seconds=HOUR)["changed"] == []


def test_what_the_group_no_longer_says_is_the_default_again(web: Service) -> None:
    web.admin("machine_add", name="anna", group="web")
    web.admin("group_set", name="web", unset=["period", "retention"], owner_mail="")
    found = job(web)
    assert (found["period_seconds"], found["keep_days"]) == (DAY, 0)
    assert (found["sources"]["period"], found["sources"]["storage"]) == ("default", "group web")
    assert machine(web)["owner_mail"] is None


def test_its_own_value_stays_until_it_takes_the_groups_again(web: Service) -> None:
    web.admin("machine_add", name="anna", group="web")
    web.admin("machine_set", name="anna", period_seconds=DAY)
    web.admin("group_set", name="web", period_seconds=HOUR)
    assert job(web)["period_seconds"] == DAY
    again = web.admin("machine_set", name="anna", as_group=["period", "owner_mail"])
    assert again["jobs"][0]["period_seconds"] == HOUR
    assert again["jobs"][0]["sources"]["period"] == "group web"


def test_a_machine_moves_between_groups_with_what_is_its_own(web: Service) -> None:
    web.admin("group_add", name="lab", period_seconds=12 * HOUR)
    web.admin("machine_add", name="anna", keep_days=30)
    into = web.admin("machine_set", name="anna", group="web")["jobs"][0]
    assert (into["period_seconds"], into["keep_days"], into["archive_class"]) == (
        4 * HOUR,
        30,
        "DEEP_ARCHIVE",
    )
    on = web.admin("machine_set", name="anna", group="lab")["jobs"][0]
    assert (on["period_seconds"], on["keep_days"], on["archive_class"]) == (12 * HOUR, 30, "GLACIER_IR")
    out = web.admin("machine_set", name="anna", group="none")
    assert (out["group"], out["jobs"][0]["period_seconds"], out["owner_mail"]) == (None, DAY, None)


def test_pictures_keep_their_own_rhythm_and_take_how_long_they_are_kept(web: Service) -> None:
    token = web.enrolled("anna", photos=True, group="web")
    body = {"family": "photos", "job": "photos-2018"}
    assert web.call("POST", "/jobs", body, token).status in (200, 201)
    [family] = machine(web)["families"]
    folder = job(web, wanted="photos-2018")
    for found in (family, folder):
        assert (found["period_seconds"], found["archive_class"], found["keep_days"]) == (
            7 * DAY,
            "DEEP_ARCHIVE",
            365,
        )
        assert found["sources"] == {
            "period": "default",
            "grace": "default",
            "storage": "default",
            "retention": "group web",
        }
    web.admin("group_set", name="web", keep_days=90)
    assert job(web, wanted="photos-2018")["keep_days"] == 90
    assert machine(web)["families"][0]["keep_days"] == 90
    refused = web.admin("machine_set", name="anna", job="photos", as_group=["period"])
    assert "Pictures take how long old chains are kept" in refused["message"]


def test_a_bad_value_changes_nothing_however_many_good_ones_stand_before_it(web: Service) -> None:
    web.admin("machine_add", name="anna", group="web", jobs=["system", "photos-old"])
    before = machine(web), web.admin("group_show", name="web")
    for bad in (
        {"owner_mail": "nobody"},
        {"storage_cap_bytes": 0},
        {"thaw_budget_usd": "1.001"},
        {"group": "lab"},
    ):
        for command in ("machine_set", "group_set"):
            web.admin(
                command,
                name="anna" if command == "machine_set" else "web",
                period_seconds=HOUR,
                drill_every_seconds=0,
                storage="standard",
                keep_days=1,
                **({**bad, "owner_mail": "nobody"} if command == "group_set" else bad),
            )
    assert (machine(web), web.admin("group_show", name="web")) == before


def test_a_change_that_dies_half_way_shows_who_is_behind_and_is_made_good(
    web: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chalicelib.adapters.stores.machine_store import MachineStore

    for name in ("anna", "ben"):
        web.admin("machine_add", name=name, group="web")
    written, change = [], MachineStore.change_settings

    def dies(store: MachineStore, before: Any, after: Any) -> bool:
        if written:
            raise RuntimeError("the function's time was up")
        written.append(after)
        return change(store, before, after)

    with monkeypatch.context() as patched:
        patched.setattr(MachineStore, "change_settings", dies)
        with pytest.raises(RuntimeError):
            web.admin("group_set", name="web", period_seconds=HOUR)
    behind = {one["machine"]: one["is_behind"] for one in web.admin("group_show", name="web")["machines"]}
    assert sorted(behind.values()) == [False, True]
    assert len(web.admin("group_set", name="web")["changed"]) == 1
    assert [job(web, name)["period_seconds"] for name in ("anna", "ben")] == [HOUR, HOUR]


def test_what_somebody_else_made_its_own_meanwhile_is_not_written_over(
    web: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chalicelib.adapters.stores.machine_store import MachineStore

    web.admin("machine_add", name="anna", group="web")
    change = MachineStore.change_settings

    def too_late(store: MachineStore, before: Any, after: Any) -> bool:
        monkeypatch.setattr(MachineStore, "change_settings", change)
        web.admin("machine_set", name="anna", period_seconds=DAY)
        return change(store, before, after)

    monkeypatch.setattr(MachineStore, "change_settings", too_late)
    answer = web.admin("group_set", name="web", period_seconds=HOUR)
    assert (answer["changed"], answer["missed"]) == ([], ["anna/system"])
    assert job(web)["period_seconds"] == DAY


def test_a_group_with_machines_goes_only_where_they_keep_its_settings(web: Service) -> None:
    web.admin("machine_add", name="anna", group="web")
    assert "anna" in web.admin("group_remove", name="web")["message"]
    removed = web.admin("group_remove", name="web", keep_settings=True)
    assert removed["changed"] == ["anna", "anna/system"]
    assert web.admin("group_list")["groups"] == []
    shown = machine(web)
    assert (shown["group"], shown["owner_mail"]) == (None, "web@example.org, night@example.org")
    assert shown["jobs"][0]["sources"] == {
        "period": "own",
        "grace": "own",
        "storage": "own",
        "retention": "own",
    }


def test_a_machine_that_comes_while_its_group_is_removed_keeps_the_settings_too(
    web: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chalicelib.adapters.stores.fleet.group_store import GroupStore

    remove = GroupStore.remove

    def late(store: GroupStore, name: str) -> None:
        web.admin("machine_add", name="anna", group="web")
        remove(store, name)

    monkeypatch.setattr(GroupStore, "remove", late)
    assert web.admin("group_remove", name="web")["changed"] == ["anna", "anna/system"]
    web.admin("machine_set", name="anna", storage_cap_bytes=10**12)
    assert machine(web)["group"] is None
    assert (job(web)["period_seconds"], job(web)["archive_class"]) == (4 * HOUR, "DEEP_ARCHIVE")


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("group_add", {"name": "none"}),
        ("group_add", {"name": "web"}),
        ("group_add", {"name": "Web\n"}),
        ("group_add", {"name": "x", "period_seconds": -1}),
        ("group_add", {"name": "x", "owner_mail": ["a@example.org"]}),
        ("group_set", {"name": ["web"]}),
        ("group_set", {"name": "x" * 2000}),
        ("group_set", {"name": "web", "unset": "period"}),
        ("group_set", {"name": "web", "unset": ["name"]}),
        ("group_set", {"name": "web", "unset": ["period"], "period_seconds": 1}),
        ("group_show", {}),
        ("group_show", {"name": "a\x1b[31m\u202e"}),
        ("group_remove", {"name": "lab"}),
        ("machine_add", {"name": "ben", "group": "lab"}),
        ("machine_add", {"name": "anna", "group": "web"}),
        ("machine_set", {"name": "anna", "as_group": ["period"]}),
        ("machine_set", {"name": "anna", "group": {"S": "web"}}),
        ("machine_set", {"name": "anna", "group": "web", "job": "system"}),
        ("machine_set", {"name": "anna", "group": "web", "as_group": ["period"], "period_seconds": 60}),
        ("for_machines", {"names": ["anna"], "each": "machine_remove"}),
        ("for_machines", {"names": "anna", "each": "machine_pause"}),
        ("for_machines", {"names": [], "each": "machine_pause"}),
        ("for_machines", {"names": ["anna"] * 1001, "each": "machine_pause"}),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(
    web: Service, command: str, arguments: dict[str, Any]
) -> None:
    web.admin("machine_add", name="anna")
    answer = web.admin(command, **arguments)
    assert answer.get("error"), answer
    assert answer["message"].endswith(".")
    assert answer["message"].isprintable()


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("a@x.org,b@x.org", "a@x.org, b@x.org"),
        (" a@x.org , a@x.org ", "a@x.org"),
        ("a@x.org,", None),
        ("a@x.org,b@x.org\nBcc: c@x.org", None),
        ("a@x.org;b@x.org", None),
        (",".join(f"{n}@x.org" for n in range(5)), ", ".join(f"{n}@x.org" for n in range(5))),
        (",".join(f"{n}@x.org" for n in range(6)), None),
        ("\u202ea@x.org", None),
        ("a" * 250 + "@x.org", None),
    ],
)
def test_several_owners_are_each_checked(service: Service, typed: str, stored: str | None) -> None:
    service.admin("machine_add", name="anna")
    answer = service.admin("machine_set", name="anna", owner_mail=typed)
    assert (answer.get("owner_mail"), "error" in answer) == (stored, stored is None)
    if stored is None:
        assert answer["message"].isprintable()


def test_a_command_for_several_machines_goes_on_where_one_fails(service: Service) -> None:
    for name in ("anna", "ben"):
        service.admin("machine_add", name=name)
    answer = service.admin("for_machines", names=["anna", "nobody", "ben"], each="machine_rotate")
    [anna, nobody, ben] = answer["results"]
    assert anna["added"]["code"] != ben["added"]["code"]
    assert "no machine called nobody" in nobody["error"]
    service.admin("for_machines", names=["anna", "ben"], each="machine_pause", until="2026-12-24")
    assert [machine(service, name)["status"] for name in ("anna", "ben")] == ["paused", "paused"]
    service.admin("for_machines", names=["anna", "ben"], each="machine_set", period_seconds=HOUR)
    assert [job(service, name)["period_seconds"] for name in ("anna", "ben")] == [HOUR, HOUR]


def test_rows_of_before_there_were_groups_follow_where_they_are_as_the_default_is(web: Service) -> None:
    web.admin("machine_add", name="anna", grace_seconds=HOUR, thaw_budget_usd="3")
    for pk, sk in (("MACHINES", "anna"), ("JOBS", "anna/system")):
        key = {"pk": {"S": pk}, "sk": {"S": sk}}
        web.table.update_item(TableName=TABLE, Key=key, UpdateExpression="REMOVE follows")
    assert job(web)["sources"]["period"] == "default"
    web.admin("machine_set", name="anna", group="web")
    found = job(web)
    assert (found["period_seconds"], found["grace_seconds"]) == (4 * HOUR, HOUR)
    web.admin("group_set", name="web", period_seconds=HOUR)
    assert job(web)["period_seconds"] == HOUR
    assert machine(web)["sources"] == {"thaw_budget": "own", "owner_mail": "group web"}


def test_a_pause_that_is_over_already_is_refused_and_leaves_the_one_that_there_is(service: Service) -> None:
    service.admin("machine_add", name="anna")
    service.admin("machine_pause", name="anna", until="2040-01-01")
    refused = service.admin("machine_pause", name="anna", until="2020-01-01")
    assert refused["message"] == "2020-01-01 is over already: name a day that is still to come."
    assert machine(service)["status"] == "paused"


def test_the_commands_of_a_refusal_are_those_of_its_stage(service: Service) -> None:
    service.admin("machine_add", name="anna")
    nowhere = {"name": "ben", "group": "nowhere"}
    refused = [
        service.admin("machine_set", name="anna", group="nowhere")["message"],
        service.admin("machines_add", machines=[nowhere])["refused"][0]["error"],
        service.admin("for_machines", names=["anna"], each="machine_set", group="nowhere")["results"][0][
            "error"
        ],
    ]
    message = (
        "There is no group called nowhere. `python -m ops group list --stage test` lists them,"
        " `python -m ops group add nowhere --stage test` makes it."
    )
    assert set(refused) == {message}
    assert service.admin("group_add", name="B\u00fcro")["message"].startswith(
        "The name of a group is 1 to 41"
    )
