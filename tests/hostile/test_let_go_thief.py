"""A chain that was let go is gone for whoever has the machine's token, at one stroke, whatever the bucket still holds.

Once its files are marked deleted their names are free again in S3: only the service stands between a thief and them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib import wiring
from chalicelib.adapters.s3_buckets import Buckets
from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import SetId
from chalicelib.domain.retention.let_go import LetGo
from chalicelib.journeys.catalogue.catalogue_changes import refresh_findings
from tests.hostile.honest_laptop import name_of
from tests.hostile.memory_aws import MemoryS3, service_in_memory
from tests.service.conftest import NOW, Service, later
from tests.service.test_reader_thaws import reader_of

PLACE = "anna-laptop/system/"
BEGIN = NOW - timedelta(days=400)
OLD = [
    SetId(None, BEGIN),
    SetId(BEGIN, BEGIN + timedelta(days=1)),
    SetId(BEGIN + timedelta(days=1), BEGIN + timedelta(days=2)),
]
NEW = [SetId(None, NOW - timedelta(days=200)), SetId(NOW - timedelta(days=200), NOW - timedelta(days=1))]
KINDS = (1, 2, "signatures", "manifest", "jsonstat")


def names_of(sets: list[SetId], *kinds: int | str) -> list[str]:
    return [
        name_of(str(one), kind) for one in sets for kind in kinds or (1, "signatures", "manifest", "jsonstat")
    ]


class Site:
    """A machine with two chains, the older one let go. Its sets lack nothing but some jsonstats."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.token = service.enrolled()
        self.s3: MemoryS3 = service.s3
        for name in [*names_of(OLD, 1, "signatures", "manifest"), *names_of(NEW)]:
            self.store(name)
        self.told()
        self.run = service.run(self.token).body["run"]

    @property
    def job(self) -> Job:
        return wiring.machine_store().jobs_named([("anna-laptop", "system")])["anna-laptop", "system"]

    def store(self, name: str, body: bytes | None = None) -> None:
        metadata = {"volumes": "1"} if ".manifest." in name else {}
        self.s3.put_object(Key=PLACE + name, Body=body or name.encode(), Metadata=metadata)

    def told(self, *names: str) -> None:
        """Events of these files, or of all that there are, have come."""
        self.service.catalogue(
            *(PLACE + name for name in names or [*names_of(OLD, *KINDS), *names_of(NEW, *KINDS)])
        )

    def let_go(self, *, begun_only: bool = False) -> LetGo:
        """As the service's own function does it: the row first, then the markers."""
        let_go = LetGo("anna-laptop", "system", OLD[0], tuple(OLD), self.service.now, 100, 12)
        store = wiring.retention_store()
        assert store.begin(let_go, self.job, store.choices(self.job))
        refresh_findings(wiring.catalogue_store(), wiring.finding_store(), self.job, self.service.now)
        if not begun_only:
            for name in names_of(OLD, "manifest", "signatures", 1):
                self.s3.delete_object(Key=PLACE + name)
        return let_go

    def call(self, method: str, path: str, body: object = None) -> Any:
        return self.service.call(method, path, body, self.token).body

    def listed(self) -> list[str]:
        return [file["name"] for file in self.call("GET", "/jobs/system/files")["files"]]

    def ask(self, name: str, body: bytes = b"garbage", **fields: object) -> dict[str, Any]:
        digest = hashlib.sha256(body).hexdigest()
        file = {"name": name, "size": len(body), "sha256": digest, **fields}
        [permit] = self.call("POST", "/jobs/system/uploads", {"run": self.run, "files": [file]})["files"]
        found: dict[str, Any] = permit
        return found

    def seal(self, one: SetId) -> dict[str, Any]:
        members = [
            {"name": name_of(str(one), kind), "size": 1, "etag": hashlib.md5(b"x").hexdigest()}
            for kind in (1, "signatures")
        ]
        return self.ask(name_of(str(one), "manifest"), set=members, proof="0" * 64)

    def in_parts(self, name: str, **fields: object) -> Any:
        body = {"run": self.run, "name": name, "size": 10, "part_bytes": 5 * 2**20, "part_sha256": ["0" * 64]}
        return self.call("POST", "/jobs/system/multiparts", {**body, **fields})

    def discard(self, *names: str) -> Any:
        return self.call("POST", "/jobs/system/discards", {"run": self.run, "names": list(names)})

    def download(self, *names: str, **fields: object) -> list[dict[str, Any]]:
        answer = self.call("POST", "/jobs/system/downloads", {"names": list(names), **fields})
        found: list[dict[str, Any]] = answer["files"]
        return found

    def plan(self, *sets: SetId) -> Any:
        volumes = [{"set": str(one), "numbers": "1"} for one in sets]
        return self.call("POST", "/jobs/system/thaws", {"volumes": volumes})

    def markers(self) -> set[str]:
        versions = self.s3.list_object_versions(Prefix=PLACE).get("DeleteMarkers", [])
        return {one["Key"].removeprefix(PLACE) for one in versions}

    def step(self, what: str, one: SetId, name: str, signed: list[str]) -> None:
        """One call of a thief's, which must come to nothing. ``signed``: names of which there are old URLs."""
        if what == "old url" and name in signed:
            signed.remove(name)
            self.store(name, b"garbage")
        calls: dict[str, Callable[[], object]] = {
            "upload": lambda: self.ask(name).get("url"),
            "seal": lambda: self.seal(one).get("url"),
            "discard": lambda: self.discard(name)["discarded"],
            "download": lambda: self.download(name)[0].get("url"),
            "parts": lambda: self.in_parts(name).get("upload"),
            "thaw": lambda: self.plan(one)["archived"] + self.plan(one)["readable"],
            "event": lambda: self.told(name),
            "old url": lambda: self.told(name),
            "wait": lambda: later(self.service, minutes=3),
        }
        assert not calls[what](), (what, name)

    def check(self) -> None:
        """Nothing of the chain is listed, no set is open by it, and the machine is as well as it was."""
        assert sorted(self.listed()) == sorted(names_of(NEW))
        assert wiring.catalogue_store().summaries.open_ids(self.job, self.service.now) == []
        shown = {one.set_id for one in wiring.catalogue_store().visible_sets(self.job)}
        assert shown == set(NEW)
        found = {finding.code for finding in wiring.finding_store().findings(self.job)}
        assert found <= {"wrong_tag"}, "what is stored here carries no tags"
        assert not any(name in self.markers() for name in names_of(NEW))


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with service_in_memory(monkeypatch) as service:
        yield service


@pytest.fixture
def site(service: Service) -> Site:
    return Site(service)


@pytest.fixture(params=["begun", "marked", "catalogued"])
def without(request: pytest.FixtureRequest, site: Site) -> Site:
    """The chain was let go just now, or its files are marked, or the catalogue has heard of that."""
    site.let_go(begun_only=request.param == "begun")
    if request.param == "catalogued":
        site.told()
    return site


def test_its_files_are_not_listed_and_nothing_else_changes(without: Site) -> None:
    without.check()


@pytest.mark.parametrize("kind", KINDS)
def test_no_file_of_it_is_uploaded(without: Site, kind: int | str) -> None:
    for one in OLD:
        name = name_of(str(one), kind)
        assert without.ask(name)["error"] == "set_sealed"
        assert without.ask(name, name.encode())["error"] == "set_sealed", "nor are its very bytes present"
    without.check()


def test_no_set_of_it_is_sealed_again_nor_continued(without: Site) -> None:
    for one in OLD:
        assert without.seal(one)["error"] == "set_sealed"
        more = SetId(one.end, NOW)
        assert without.ask(name_of(str(more), 1))["error"] == "name_out_of_order"


def test_no_upload_in_parts_begins_or_ends_in_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Buckets, "begin_multipart", lambda *_: "an-upload")
    monkeypatch.setattr(Buckets, "presign_part", lambda *_: ("https://s3", {}))
    open_set = SetId(None, NOW - timedelta(minutes=5))
    begun = site.in_parts(name_of(str(open_set), "signatures"))
    assert begun.get("error") is None, begun
    store, now = wiring.retention_store(), site.service.now
    let_go = LetGo("anna-laptop", "system", open_set, (open_set, *OLD), now, 0, 0)
    assert store.begin(let_go, site.job, store.choices(site.job))
    name = name_of(str(open_set), "signatures")
    assert site.in_parts(name)["error"] == "set_sealed"
    done = site.in_parts(name, upload=begun["upload"], etags=["0" * 32])
    assert done["error"] == "set_sealed"
    assert site.in_parts(name_of(str(OLD[0]), "signatures"))["error"] == "set_sealed"


def test_nothing_of_it_is_discarded(without: Site) -> None:
    before = without.markers()
    names = names_of(OLD, *KINDS)
    answer = without.discard(*names)
    assert answer["discarded"] == []
    assert {refused["error"] for refused in answer["refused"]} == {"set_sealed"}
    assert without.markers() == before


@pytest.mark.parametrize("how", [{}, {"facts_only": True}, {"facts_in_headers": True}])
def test_nothing_of_it_is_handed_out_and_older_clients_take_it_for_gone(
    without: Site, how: dict[str, object]
) -> None:
    answers = without.download(*names_of(OLD, *KINDS), **how)
    assert {(one["error"], "url" in one, "sha256" in one) for one in answers} == {("not_found", False, False)}
    assert all("retention undo" in one["message"] for one in answers)
    assert not any("error" in one for one in without.download(*names_of(NEW), **how))


def test_nothing_of_it_is_thawed(without: Site) -> None:
    without.s3.move(PLACE + "data_", "DEEP_ARCHIVE")
    plan = without.plan(OLD[0], NEW[0])
    assert plan["missing"] == [f"{OLD[0]}.vol1"]
    assert plan["archived"] == 1


def test_what_was_planned_before_starts_without_it(site: Site) -> None:
    site.s3.move(PLACE + "data_", "DEEP_ARCHIVE")
    plan = site.plan(OLD[0], NEW[0])
    assert plan["archived"] == 2
    site.let_go(begun_only=True)
    start = {"tier": "Bulk", "max_usd": 5.0}
    started = site.call("POST", f"/jobs/system/thaws/{plan['thaw']}/start", start)
    assert started["of"] == 1


def test_a_thaw_that_was_started_before_asks_s3_for_nothing_of_it(site: Site) -> None:
    import app

    site.s3.move(PLACE + "data_", "DEEP_ARCHIVE")
    plan = site.plan(OLD[0], NEW[0])
    site.call("POST", f"/jobs/system/thaws/{plan['thaw']}/start", {"tier": "Bulk", "max_usd": 5.0})
    site.let_go(begun_only=True)
    app.thaw({"machine": "anna-laptop", "job": "system", "thaw": plan["thaw"]}, None)
    restored = set(site.s3.finish())
    assert restored == {PLACE + name_of(str(NEW[0]), 1)}


def test_a_url_from_before_stores_a_file_that_nobody_sees(site: Site) -> None:
    """Of a sealed set only the jsonstat has a URL, and only where there is none yet."""
    name = name_of(str(OLD[1]), "jsonstat")
    assert "url" in site.ask(name)
    site.let_go()
    site.told()
    site.store(name, b"garbage")
    site.told(name)
    site.check()
    assert site.download(name)[0]["error"] == "not_found"


def test_quarantined_sets_give_nothing_away_either(site: Site) -> None:
    wiring.catalogue_store().quarantine(site.job, NEW[1], hide=True)
    [permit] = site.download(name_of(str(NEW[1]), "manifest"))
    assert permit["error"] == "not_found"
    assert "quarantine" in permit["message"]


def test_a_recovery_code_reads_nothing_of_it(without: Site) -> None:
    without.token = reader_of(without.service).token
    assert sorted(without.listed()) == sorted(names_of(NEW))
    assert {one["error"] for one in without.download(*names_of(OLD))} == {"not_found"}
    without.s3.move(PLACE + "data_", "DEEP_ARCHIVE")
    assert without.plan(OLD[0])["archived"] == 0


def test_the_owner_is_told_what_brings_it_back(without: Site) -> None:
    wanted = f"python -m ops retention undo anna-laptop system {OLD[0]}"
    chosen = {"name": "anna-laptop", "job": "system", "set": str(OLD[1])}
    for command, more in (("set_quarantine", {}), ("set_quarantine", {"release": True}), ("set_place", {})):
        answer = without.service.admin(command, **chosen, **more)
        assert answer["error"] == "bad_request"
        assert wanted in answer["message"]
    since = (NOW - timedelta(days=2000)).isoformat()
    hidden = without.service.admin("set_quarantine", name="anna-laptop", job="system", stored_since=since)
    assert not {str(one) for one in OLD} & set(hidden["sets"])


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["upload", "seal", "discard", "download", "parts", "thaw", "event", "old url", "wait"]
        ),
        st.sampled_from(OLD),
        st.sampled_from(KINDS),
    ),
    min_size=5,
    max_size=25,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, marked=st.booleans())
def test_whatever_a_thief_tries_in_whatever_order(service: Service, steps: list[Any], marked: bool) -> None:
    service.s3.clear()
    service.table.clear()
    service.now = NOW
    wiring.retention_store.cache_clear()
    site = Site(service)
    signed = [name for name in names_of(OLD, *KINDS) if "url" in site.ask(name)]
    site.let_go(begun_only=not marked)
    markers = site.markers()
    for what, one, kind in steps:
        site.step(what, one, name_of(str(one), kind), signed)
        site.check()
    assert site.markers() == markers
