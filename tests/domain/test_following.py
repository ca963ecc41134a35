"""Groups of machines: which settings hold for a machine and its jobs, and where each comes from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.backups.machines import Job, Machine
from chalicelib.domain.backups.names import Location
from chalicelib.domain.backups.retention_policy import RetentionPolicy
from chalicelib.domain.backups.storage import STORAGE_POLICIES, StoragePolicy
from chalicelib.domain.fleet.following import (
    FIELDS,
    OF_JOBS,
    OF_MACHINES,
    OF_PICTURES,
    Row,
    default_of,
    followed_of_old,
    following,
    keeping,
    may_follow,
    settled,
    since,
    sources,
    with_own,
)
from chalicelib.domain.fleet.group import MachineGroup
from chalicelib.domain.photos.family import PHOTO_STORAGE, Family

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=timezone.utc)
HOUR = 3600
DEEP = StoragePolicy("DEEP_ARCHIVE", 7)

MACHINE = Machine("anna", NOW, follows=OF_MACHINES)
JOB = Job("anna", "system", Location("b", "anna/system/"), follows=OF_JOBS)
FAMILY = Family("anna", "photos", NOW, follows=OF_PICTURES)
FOLDER = Job(
    "anna",
    "photos-2018",
    Location("b", "anna/photos-2018/"),
    FAMILY.period_seconds,
    FAMILY.grace_seconds,
    FAMILY.storage,
    family="photos",
    follows=OF_PICTURES,
)
ROWS = (MACHINE, JOB, FAMILY, FOLDER)

VALUES = {
    "period": st.integers(1, 5).map(lambda days: days * 24 * HOUR),
    "grace": st.integers(1, 5).map(lambda days: days * 24 * HOUR),
    "storage": st.sampled_from(STORAGE_POLICIES),
    "retention": st.builds(RetentionPolicy, st.integers(1, 3), st.integers(0, 3), st.integers(0, 3)),
    "thaw_budget": st.integers(0, 3).map(Decimal),
    "owner_mail": st.sampled_from([None, "a@example.org", "a@example.org, b@example.org"]),
}
CHOICES = st.sampled_from(sorted(FIELDS)).flatmap(
    lambda setting: st.tuples(st.just(setting), VALUES[setting])
)
GROUP_NAMES = st.sampled_from(["web", "lab"])
COMMANDS = st.one_of(
    st.tuples(st.just("group set"), GROUP_NAMES, CHOICES),
    st.tuples(st.just("group unset"), GROUP_NAMES, st.sampled_from(sorted(FIELDS))),
    st.tuples(st.just("set"), st.just(""), CHOICES),
    st.tuples(st.just("as group"), st.just(""), st.sampled_from(sorted(FIELDS))),
    st.tuples(st.just("move"), st.one_of(st.none(), GROUP_NAMES), st.none()),
)


class Fleet:
    """One machine with all kinds of rows, and beside it what must hold: what is its own, and what each group says."""

    def __init__(self) -> None:
        self.rows: tuple[Row, ...] = ROWS
        self.groups = {name: MachineGroup(name, NOW) for name in ("web", "lab")}
        self.group: str | None = None
        self.own: list[dict[str, Any]] = [{} for _ in ROWS]

    @property
    def present(self) -> MachineGroup | None:
        return self.groups[self.group] if self.group else None

    def do(self, command: str, name: str | None, what: Any) -> None:
        if command == "group set":
            assert name
            self.groups[name] = dataclasses.replace(self.groups[name], **{FIELDS[what[0]]: what[1]})
        elif command == "group unset":
            assert name
            self.groups[name] = dataclasses.replace(self.groups[name], **{FIELDS[what]: None})
        elif command == "move":
            self.group = name
        elif command == "set":
            self._set(*what)
        else:
            self.rows = tuple(following(row, [what]) for row in self.rows)
            for row, own in zip(self.rows, self.own, strict=True):
                if what in may_follow(row):
                    own.pop(what, None)
        self.rows = tuple(settled(row, self.present, NOW) for row in self.rows)

    def _set(self, setting: str, value: Any) -> None:
        for row, own in zip(self.rows, self.own, strict=True):
            if hasattr(row, FIELDS[setting]):
                own[setting] = value
        self.rows = tuple(
            with_own(row, {setting: value}) if hasattr(row, FIELDS[setting]) else row for row in self.rows
        )


@given(st.lists(COMMANDS, max_size=12))
def test_each_value_is_its_own_or_else_its_groups_or_else_the_default(
    commands: list[tuple[str, str | None, Any]],
) -> None:
    fleet = Fleet()
    for command in commands:
        fleet.do(*command)
    for row, own in zip(fleet.rows, fleet.own, strict=True):
        for setting, source in sources(row, fleet.present).items():
            of_group = getattr(fleet.present, FIELDS[setting]) if fleet.present else None
            may = setting in may_follow(row)
            if setting in own:
                expected, said = own[setting], "own"
            elif may and of_group is not None and fleet.present:
                expected, said = of_group, f"group {fleet.present.name}"
            else:
                expected, said = default_of(row, setting), "default"
            assert getattr(row, FIELDS[setting]) == expected
            if may or expected != default_of(
                row, setting
            ):  # of pictures nobody knows who chose what is the default
                assert source == said


def test_pictures_take_nothing_but_retention_from_a_group() -> None:
    kept = RetentionPolicy(3, 365, 5)
    group = MachineGroup("web", NOW, 4 * HOUR, HOUR, StoragePolicy("GLACIER_IR", 0), kept)
    for row in (FAMILY, FOLDER):
        found = settled(following(row, FIELDS), group, NOW)
        assert (found.period_seconds, found.grace_seconds) == (row.period_seconds, row.grace_seconds)
        assert (found.storage, found.retention) == (PHOTO_STORAGE, kept)


def test_another_storage_holds_from_now_on_however_it_came() -> None:
    group = MachineGroup("web", NOW, storage=DEEP)
    assert settled(JOB, group, NOW).storage_since == NOW
    assert since(JOB, with_own(JOB, {"storage": DEEP}), NOW).storage_since == NOW
    moved = settled(JOB, group, NOW)
    assert settled(moved, group, NOW + timedelta(days=1)) == moved
    assert settled(JOB, MachineGroup("web", NOW, HOUR), NOW).storage_since is None


def test_leaving_with_its_settings_makes_the_groups_values_its_own_and_no_others() -> None:
    group = MachineGroup("web", NOW, 4 * HOUR)
    left = keeping(settled(JOB, group, NOW), group)
    assert left.period_seconds == 4 * HOUR
    assert sources(left, None) == {
        "period": "own",
        "grace": "default",
        "storage": "default",
        "retention": "default",
    }


@pytest.mark.parametrize(
    ("row", "follows"),
    [
        (lambda: dataclasses.replace(JOB, grace_seconds=HOUR), OF_JOBS - {"grace"}),
        (lambda: dataclasses.replace(MACHINE, owner_mail="a@example.org"), {"thaw_budget"}),
        (lambda: FAMILY, OF_PICTURES),
        (lambda: dataclasses.replace(FOLDER, retention=RetentionPolicy(2)), frozenset()),
    ],
)
def test_a_row_of_before_there_were_groups_follows_where_it_is_as_the_default_is(
    row: Callable[[], Row], follows: frozenset[str]
) -> None:
    assert followed_of_old(dataclasses.replace(row(), follows=frozenset())) == follows
