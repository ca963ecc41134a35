"""An attacker with a valid token, in between the steps of an honest laptop, in every order that Hypothesis thinks of.

He uploads, discards, seals, replays URLs that he was given or has found and sets that are finished, starts runs and
ends them, forks the laptop's chain and dates sets in the past, begins more sets than may be open, floods the owner with
notices, and time passes; the honest laptop crashes and resumes. After every step each sealed set is there, bit for
bit, nothing more and nothing less, and follows those before it. In the end, once he has been quiet for a day and the
owner has put his unfinished sets into quarantine, the laptop can back up, and the owner has few notices.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from chalicelib.domain.backups.machines import MAX_OPEN_SETS
from tests.hostile import behind_gateway
from tests.hostile.honest_laptop import HonestLaptop, name_of, time_of
from tests.hostile.memory_aws import service_in_memory
from tests.hostile.presigned_s3 import Upload, digest_of, signing_clock
from tests.hostile.vault import Vault, belongs
from tests.service.conftest import Service

ALL_PARTS: list[int | str] = [1, 2, 3, 4, "signatures", "manifest", "jsonstat"]
PARTS = st.sampled_from(ALL_PARTS)
CONTENTS = st.sampled_from([b"rubbish", b"other rubbish"])
CLAIMS = st.sampled_from(["what is there", "what is there", "less", "more", "other bytes"])
SECONDS = st.sampled_from([1, 20, 50, 300, 901, 1300])
"""Within a manifest URL's life, behind it, behind the seal's, a heartbeat, behind a URL's life, behind a lease's."""

MOST_NOTICES_A_DAY = 8
"""One of each kind that a laptop can cause, for its one job."""

numbers = itertools.count(1)


class Attack(RuleBasedStateMachine):
    """Every example has a machine of its own in one service."""

    service: Service

    @initialize(insider=st.sampled_from([True, True, False]))
    def enrol(self, insider: bool) -> None:
        """The laptop has one backup. An insider reads its disk: he knows its runs and may take them over."""
        self.service.s3.clear()
        self.service.table.clear()
        self.service.discards.clear()
        machine = f"laptop-{next(numbers)}"
        token = self.service.enrolled(machine)
        self.vault = Vault(self.service, machine=machine, token=token)
        self.laptop = HonestLaptop(self.vault, token)
        self.insider = insider
        self.began = self.service.now
        self.own_runs: list[str] = []
        self.uploads: list[Upload] = []
        self.own_sets = [
            f"full.{time_of(self.service.now + timedelta(seconds=after))}" for after in (0, 2, 400)
        ]
        self.told = True
        self.laptop.begin("full", 1)
        self.laptop_goes_on(10)
        base, now = self.laptop.newest, self.service.now
        self.own_sets += [
            *(f"inc.{base}.to.{time_of(now + timedelta(seconds=after))}" for after in (2, 3)),
            f"full.{time_of(now - timedelta(days=1))}",
        ]

    # ------------------------------------------------------------ the honest laptop

    @precondition(lambda self: self.laptop.idle)
    @rule(kind=st.sampled_from(["full", "incremental"]), volumes=st.integers(1, 3), steps=st.integers(1, 8))
    def laptop_begins(self, kind: str, volumes: int, steps: int) -> None:
        self.laptop.begin(kind, volumes)
        self.laptop_goes_on(steps)

    @precondition(lambda self: not self.laptop.idle)
    @rule(steps=st.integers(1, 8))
    def laptop_goes_on(self, steps: int) -> None:
        for _ in range(steps):
            self.laptop.step()

    @precondition(lambda self: not self.laptop.idle)
    @rule()
    def laptop_finishes(self) -> None:
        self.laptop_goes_on(16)

    @precondition(lambda self: self.laptop.run is not None)
    @rule()
    def laptop_crashes(self) -> None:
        """What it was sending may still arrive, at any time."""
        left = self.laptop.crash()
        if left is not None:
            self.uploads.append(left)

    @precondition(lambda self: self.laptop.run is not None)
    @rule(steps=st.integers(1, 12))
    def laptop_crashes_and_resumes(self, steps: int) -> None:
        self.laptop_crashes()
        self.laptop_goes_on(steps)

    # ------------------------------------------------------------ the attacker

    @rule()
    def he_starts_a_run(self) -> None:
        known = self.laptop.known_run if self.insider else None
        body = {"kind": "full", "clock": self.clock(), "resumes": known or (self.own_runs or [None])[-1]}
        answer = self.call("POST", "/jobs/system/runs", body)
        if answer.status == 201:
            self.own_runs.append(answer.body["run"])

    @rule(
        choice=st.integers(0, 9), parts=st.lists(PARTS, min_size=1, max_size=5, unique=True), content=CONTENTS
    )
    def he_asks_for_uploads(self, choice: int, parts: list[int | str], content: bytes) -> None:
        self.ask_for(choice, [(name_of(self.set_of(choice), part), content, None) for part in parts])

    @rule(choice=st.integers(0, 9), content=CONTENTS, claims=st.lists(CLAIMS, min_size=1, max_size=3))
    def he_asks_to_seal(self, choice: int, content: bytes, claims: list[str]) -> None:
        set_id = self.set_of(choice)
        for claim in claims:
            before = len(self.uploads)
            members = self.members(set_id, claim)
            self.ask_for(choice, [(name_of(set_id, "manifest"), content, members)])
            if self.uploads[before:]:
                here = {
                    name: version for name, version in self.vault.names().items() if belongs(name, set_id)
                }
                etags = {file["name"]: file["etag"] for file in self.vault.listed() if file["name"] in here}
                assert etags == {file["name"]: file["etag"] for file in members}, "sealed is what was listed"

    @precondition(lambda self: self.uploads)
    @rule(
        choice=st.integers(0, 30),
        count=st.integers(1, 6),
        as_permitted=st.sampled_from([True, True, True, False]),
    )
    def he_uses_urls(self, choice: int, count: int, as_permitted: bool) -> None:
        """Not for the first time, perhaps, and perhaps after the seal."""
        newest_first = self.uploads[::-1]
        first = choice % max(1, len(newest_first))
        for upload in reversed(newest_first[first : first + count]):
            self.vault.put(upload, None if as_permitted else b"bytes that were not announced")

    @rule(
        choice=st.integers(0, 9),
        volumes=st.integers(1, 2),
        spare=st.lists(PARTS, min_size=1, max_size=4, unique=True),
        claims=st.lists(CLAIMS, max_size=2),
        use_spare=st.booleans(),
    )
    def he_makes_a_set(
        self, choice: int, volumes: int, spare: list[int | str], claims: list[str], use_spare: bool
    ) -> None:
        """With URLs to spare, which he uses after the seal or keeps for later."""
        seals = self.he_makes_a_set_up_to_its_seal(choice, volumes, spare, claims)
        for upload in seals:
            self.vault.put(upload)
        if use_spare:
            self.he_uses_urls(len(seals), len(spare), True)

    @rule(
        choice=st.integers(0, 9),
        volumes=st.integers(1, 2),
        claims=st.lists(CLAIMS, max_size=2),
        seconds=SECONDS,
        given_up=st.lists(PARTS, min_size=1, max_size=2),
    )
    def he_changes_a_set_while_its_manifest_is_under_way(
        self, choice: int, volumes: int, claims: list[str], seconds: int, given_up: list[int | str]
    ) -> None:
        set_id = self.set_of(choice)
        seals = self.he_makes_a_set_up_to_its_seal(choice, volumes, [], claims)
        self.time_passes(seconds)
        self.discard(choice, set_id, given_up)
        for upload in seals:
            self.vault.put(upload)

    @precondition(lambda self: self.vault.sealed)
    @rule(choice=st.integers(0, 9))
    def he_replays_a_finished_set(self, choice: int) -> None:
        """Its very bytes, which decrypt, under the name of another set."""
        finished = list(self.vault.sealed)[choice % len(self.vault.sealed)]
        set_id, before = self.set_of(choice), len(self.uploads)
        wanted = []
        for part in (1, "signatures"):
            name = name_of(finished, part)
            version = self.vault.sealed[finished].files[name]
            wanted.append(
                (name_of(set_id, part), self.vault.contents[self.vault.prefix + name, version], None)
            )
        self.ask_for(choice, wanted)
        for upload in self.uploads[before:]:
            self.vault.put(upload)
        self.he_asks_to_seal(choice, b"rubbish", ["what is there"])

    @rule(choice=st.integers(0, 9), first=st.integers(0, 400), use=st.integers(0, 3))
    def he_begins_more_sets_than_may_be_open(self, choice: int, first: int, use: int) -> None:
        before = len(self.uploads)
        for after in range(first, first + MAX_OPEN_SETS + 2):
            set_id = f"full.{time_of(self.service.now + timedelta(seconds=after))}"
            self.ask_for(choice, [(name_of(set_id, 1), b"rubbish", None)])
        begun = self.uploads[before:]
        assert len(begun) <= MAX_OPEN_SETS
        for upload in begun[:use]:
            self.vault.put(upload)

    @rule(choice=st.integers(0, 9))
    def he_floods_the_owner_with_notices(self, choice: int) -> None:
        for _ in range(5):
            self.call("POST", "/jobs/system/runs", {"kind": "full", "clock": self.clock()})
            self.he_discards_what_is_finished(choice)

    def he_discards_what_is_finished(self, choice: int) -> None:
        for set_id in list(self.vault.sealed)[:1]:
            self.discard(choice, set_id, [1])

    def clock(self) -> str:
        return f"{self.service.now:%Y-%m-%dT%H:%M:%SZ}"

    def he_makes_a_set_up_to_its_seal(
        self, choice: int, volumes: int, spare: list[int | str], claims: list[str]
    ) -> list[Upload]:
        """The URLs that he got for its manifest."""
        before = len(self.uploads)
        self.he_asks_for_uploads(choice, [*range(1, volumes + 1), "signatures"], b"rubbish")
        mine = self.uploads[before:]
        self.he_asks_for_uploads(choice, spare, b"spare rubbish")
        for upload in mine:
            self.vault.put(upload)
        before = len(self.uploads)
        self.he_asks_to_seal(choice, b"rubbish", ["what is there", *claims])
        return self.uploads[before:]

    @rule(choice=st.integers(0, 9), parts=st.lists(PARTS, min_size=1, max_size=4))
    def he_discards(self, choice: int, parts: list[int | str]) -> None:
        self.discard(choice, self.set_of(choice), parts)

    @rule(choice=st.integers(0, 9))
    def he_discards_a_sealed_set(self, choice: int) -> None:
        sealed = list(self.vault.sealed)
        self.discard(choice, sealed[choice % len(sealed)], ALL_PARTS)

    def discard(self, choice: int, set_id: str, parts: list[int | str]) -> None:
        self.call_with_run("discards", choice, {"names": [name_of(set_id, part) for part in parts]})

    @precondition(lambda self: self.own_runs or (self.insider and self.laptop.run))
    @rule(choice=st.integers(0, 9))
    def he_ends_a_run(self, choice: int) -> None:
        self.call("PATCH", f"/jobs/system/runs/{self.run_of(choice)}", {"exit_code": 0})

    def ask_for(self, choice: int, wanted: list[tuple[str, bytes, list[dict[str, Any]] | None]]) -> None:
        files = [{"name": name, **digest_of(content), "set": members} for name, content, members in wanted]
        answer = self.call_with_run("uploads", choice, {"files": files})
        for (name, content, _), permit in zip(wanted, answer.body.get("files", []), strict=False):
            if "url" in permit:
                self.vault.permitted(name, permit["url"])
                self.uploads.append(Upload(name, permit["url"], permit["headers"], content))

    def call_with_run(self, call: str, choice: int, body: dict[str, Any]) -> behind_gateway.Answer:
        """Where he has no lease he tries to get one."""
        answer = self.call("POST", f"/jobs/system/{call}", {"run": self.run_of(choice), **body})
        if answer.error == "lease_lost":
            self.he_starts_a_run()
            answer = self.call("POST", f"/jobs/system/{call}", {"run": self.run_of(choice), **body})
        return answer

    def set_of(self, choice: int) -> str:
        """The set that is being made, one of his own, or one that is sealed."""
        unfinished = [self.laptop.unfinished.set_id] if self.laptop.unfinished else []
        own = [set_id for set_id in self.own_sets if set_id not in self.vault.sealed]
        by_preference = [*([unfinished] * 4), *([own] * 4), *([list(self.vault.sealed)] * 2)][choice]
        candidates = by_preference or own or list(self.vault.sealed)
        return candidates[choice % len(candidates)]

    def run_of(self, choice: int) -> str:
        runs = [
            *self.own_runs[-1:],
            *([self.laptop.known_run] if self.insider and self.laptop.known_run else []),
        ]
        return runs[choice % len(runs)] if runs else "20261122t200000z-0123456789abcdef"

    def members(self, set_id: str, claim: str) -> list[dict[str, Any]]:
        """What he says that a set consists of."""
        shown = [
            {"name": file["name"], "size": file["size"], "etag": file["etag"]}
            for file in self.vault.listed()
            if belongs(file["name"], set_id)
        ]
        signatures = [file for file in shown if "signatures" in file["name"]]
        volumes = [file for file in shown if ".vol" in file["name"]]
        more = {"name": name_of(set_id, len(volumes) + 1), "size": 7, "etag": "0" * 32}
        claimed = {
            "what is there": volumes,
            "less": volumes[:-1],
            "more": [*volumes, more],
            "other bytes": [{**file, "etag": "0" * 32} for file in volumes],
        }
        return [*claimed[claim], *signatures]

    def call(self, method: str, path: str, body: object) -> behind_gateway.Answer:
        answer = behind_gateway.call(method, path, body, self.vault.token)
        assert answer.status < 500, answer
        return answer

    # ------------------------------------------------------------ the owner

    def put_unfinished_sets_out_of_the_way(self) -> None:
        [job] = self.service.admin("machine_show", name=self.vault.machine)["jobs"]
        for one in job["sets"]:
            if not one["sealed"]:
                named = {"name": self.vault.machine, "job": "system", "set": one["set"]}
                assert self.service.admin("set_quarantine", **named)["quarantined"]

    def notices(self) -> int:
        return len(self.service.table._partitions["NOTICES"])

    # ------------------------------------------------------------ time and events

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: int) -> None:
        self.service.now += timedelta(seconds=seconds)

    @rule()
    def events_lag(self) -> None:
        """The catalogue hears of what happens from here on with the next step that tells it."""
        self.told = False

    @invariant()
    def every_sealed_set_is_there_and_nothing_else(self) -> None:
        if self.told:
            self.vault.tell()
        self.vault.check(told=self.told)
        self.told = True

    def teardown(self) -> None:
        if not hasattr(self, "vault"):
            return
        self.vault.tell()
        self.vault.check(told=True)
        self.laptop.crash()
        self.laptop.unfinished = None
        self.service.now += timedelta(days=1)
        self.put_unfinished_sets_out_of_the_way()
        assert self.notices() <= MOST_NOTICES_A_DAY * (1 + (self.service.now - self.began).days)
        sealed = len(self.laptop.finished)
        self.laptop.begin("full", 2)
        for _ in range(20):
            self.laptop.step()
        assert len(self.laptop.finished) == sealed + 1, "when he is quiet the laptop can back up"
        self.vault.tell()
        self.vault.check(told=True)
        self.vault.check_bytes()
        for set_id, files in self.laptop.finished.items():
            stored = self.vault.sealed[set_id].files
            assert {n: self.vault.contents[self.vault.prefix + n, stored[n]] for n in files} == files


@pytest.fixture(scope="module")
def attack() -> Iterator[Callable[..., None]]:
    with (
        pytest.MonkeyPatch.context() as patch,
        service_in_memory(patch) as service,
        signing_clock(patch, service),
    ):
        Attack.service = service

        def run(**how: Any) -> None:
            everything = settings(suppress_health_check=list(HealthCheck), **how)
            run_state_machine_as_test(Attack, settings=everything)

        yield run


def test_an_attacker_with_a_token_cannot_harm_a_sealed_set(attack: Callable[..., None]) -> None:
    # Without shrinking: a failure is to be told in a minute. Its blob, or the long form, makes it small.
    attack(max_examples=80, stateful_step_count=30, derandomize=True, database=None, phases=[Phase.generate])


@pytest.mark.soak
def test_an_attacker_with_a_token_and_an_hour_cannot_harm_a_sealed_set(attack: Callable[..., None]) -> None:
    attack(max_examples=20_000, stateful_step_count=60)
