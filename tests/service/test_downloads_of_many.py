"""What S3 holds of many files is asked for by listing: the same answers as by a HEAD each, for a tenth of the requests.

A chain of a year has 732 manifests and signatures, and a restore of one file asks for all of them.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from chalicelib.wire import MAX_FILES_PER_REQUEST
from tests.hostile.memory_aws import MemoryDynamo, MemoryS3, service_in_memory
from tests.service.conftest import Service, later

BEGIN = date(2025, 11, 22)
DAYS = 99
PLACE = "anna-laptop/system/"
DOWNLOADS = "/jobs/system/downloads"


def stamp(day: int) -> str:
    return f"{BEGIN + timedelta(days=day):%Y%m%d}T195500Z"


INCREMENTS = [f"{stamp(day)}.to.{stamp(day + 1)}" for day in range(DAYS)]
MANIFESTS = [
    f"meta_duplicity-full.{stamp(0)}.manifest.gpg",
    *(f"meta_duplicity-inc.{times}.manifest.gpg" for times in INCREMENTS),
]
SIGNATURES = [
    f"meta_duplicity-full-signatures.{stamp(0)}.sigtar.gpg",
    *(f"meta_duplicity-new-signatures.{times}.sigtar.gpg" for times in INCREMENTS),
]
JSONSTATS = [name.replace(".manifest.", ".jsonstat.") for name in MANIFESTS]


def content(name: str) -> bytes:
    return f"bytes of {name}".encode()


def digest(name: str) -> str:
    return hashlib.sha256(content(name)).hexdigest()


def proof(name: str) -> str:
    return hashlib.sha256(f"proof of {name}".encode()).hexdigest()


@dataclasses.dataclass
class Site:
    """A machine with a chain of a hundred sets; ``calls`` are those of S3 and the table, by name."""

    service: Service
    token: str
    calls: Counter[str]

    @property
    def s3(self) -> MemoryS3:
        s3: MemoryS3 = self.service.s3
        return s3

    def put(self, name: str, **fields: Any) -> None:
        metadata = {"volumes": "1", "proof": proof(name)} if ".manifest." in name else {}
        self.s3.put_object(**{"Key": PLACE + name, "Body": content(name), "Metadata": metadata, **fields})

    def ask(self, names: list[str], **fields: Any) -> list[dict[str, Any]]:
        self.calls.clear()
        answer = self.service.call("POST", DOWNLOADS, {"names": names, **fields}, self.token)
        assert answer.status == 200, answer
        permits: list[dict[str, Any]] = answer.body["files"]
        assert [permit["name"] for permit in permits] == names
        return permits

    def reconcile(self) -> None:
        import app

        app.reconcile({"machine": "anna-laptop", "job": "system"}, None)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with service_in_memory(monkeypatch) as service:
        site = Site(service, service.enrolled(), Counter())
        for name in (*MANIFESTS, *SIGNATURES, *JSONSTATS):
            site.put(name)
        site.reconcile()
        for kind, names in {
            MemoryS3: ("head_object", "list_objects_v2"),
            MemoryDynamo: ("batch_get_item", "update_item"),
        }.items():
            for name in names:
                monkeypatch.setattr(kind, name, counted(getattr(kind, name), site.calls))
        yield site


def counted(inner: Any, calls: Counter[str]) -> Any:
    """Counts what is asked for the files; each request also finds out who asks."""

    def call(stand_in: Any, **arguments: Any) -> Any:
        if "MACHINES" not in str(arguments):
            calls[inner.__name__] += 1
        return inner(stand_in, **arguments)

    return call


def test_files_whose_headers_the_client_reads_are_listed_and_counted_by_one_write(site: Site) -> None:
    assert len(SIGNATURES) == MAX_FILES_PER_REQUEST
    permits = site.ask(SIGNATURES, facts_in_headers=True)
    assert site.calls == {"list_objects_v2": 2, "update_item": 1}, "full, then those of increments"
    for permit in permits:
        assert permit["size"] == len(content(permit["name"]))
        assert permit["headers"] == {"x-amz-checksum-mode": "ENABLED"}
        signed = parse_qs(urlsplit(permit["url"]).query)["X-Amz-SignedHeaders"]
        assert signed == ["host;x-amz-checksum-mode"], "S3 refuses a header that is not signed"
        assert not {"sha256", "volumes", "proof"} & permit.keys()


def test_the_facts_of_manifests_come_from_the_catalogue(site: Site) -> None:
    permits = site.ask(MANIFESTS, facts_only=True)
    assert site.calls == {"list_objects_v2": 1, "batch_get_item": 1}, "jsonstats lie between them"
    for permit in permits:
        name = permit["name"]
        assert (permit["sha256"], permit["volumes"], permit["proof"]) == (digest(name), 1, proof(name))
        assert "url" not in permit


def test_a_client_that_reads_no_headers_gets_all_facts_with_the_urls(site: Site) -> None:
    permits = site.ask(MANIFESTS[:50] + SIGNATURES[:50])
    assert site.calls["head_object"] == 50, "of signatures nobody else knows the digest"
    for permit in permits:
        assert permit["sha256"] == digest(permit["name"])
        assert "headers" not in permit
        assert parse_qs(urlsplit(permit["url"]).query)["X-Amz-SignedHeaders"] == ["host"]


def test_few_files_are_asked_for_by_a_head_each(site: Site) -> None:
    [permit] = site.ask(SIGNATURES[:1], facts_in_headers=True)
    assert site.calls == {"head_object": 1, "update_item": 1}
    assert permit["sha256"] == digest(SIGNATURES[0])
    site.ask(MANIFESTS[:12], facts_only=True)
    assert site.calls == {"head_object": 12}


@pytest.mark.parametrize("change", ["other bytes", "other proof", "never catalogued"])
def test_the_bucket_is_the_truth_where_the_catalogue_knows_another_object(site: Site, change: str) -> None:
    name = MANIFESTS[40]
    later(site.service, minutes=1)
    fields: dict[str, Any] = {"Metadata": {"volumes": "3", "proof": "0f" * 32}}
    match change:
        case "other bytes":
            fields["Body"] = b"x" * len(content(name))
        case "never catalogued":
            name = f"meta_duplicity-inc.{stamp(DAYS)}.to.{stamp(DAYS + 1)}.manifest.gpg"
    site.put(name, **fields)
    names = [*MANIFESTS[1:], name] if change == "never catalogued" else MANIFESTS
    permit = site.ask(names, facts_only=True)[names.index(name)]
    assert site.calls["head_object"] == 1
    assert permit["sha256"] == hashlib.sha256(fields.get("Body", content(name))).hexdigest()
    assert (permit["volumes"], permit["proof"]) == (3, "0f" * 32)


@pytest.mark.parametrize("facts", [{"facts_only": True}, {"facts_in_headers": True}])
def test_a_file_that_is_gone_is_not_there_whatever_the_catalogue_knows(
    site: Site, facts: dict[str, bool]
) -> None:
    site.s3.delete_object(Key=PLACE + MANIFESTS[40])
    site.s3.delete_object(Key=PLACE + MANIFESTS[-1])
    permits = site.ask(MANIFESTS, **facts)
    assert [permit["name"] for permit in permits if permit.get("error") == "not_found"] == [
        MANIFESTS[40],
        MANIFESTS[-1],
    ]
    assert site.calls["head_object"] == 0


def test_an_empty_catalogue_costs_a_head_each_and_nothing_else(site: Site) -> None:
    site.service.table.clear()
    site.token = site.service.enrolled()
    permits = site.ask(MANIFESTS, facts_only=True)
    assert [permit["proof"] for permit in permits] == list(map(proof, MANIFESTS))
    assert site.calls["head_object"] == len(MANIFESTS)


def test_archived_and_thawed_files_are_told_apart_by_the_listing(site: Site) -> None:
    volumes = [f"data_duplicity-full.{stamp(0)}.vol{number}.difftar.gpg" for number in range(1, 41)]
    for name in volumes:
        site.put(name, StorageClass="DEEP_ARCHIVE")
    site.put(volumes[0], StorageClass="GLACIER_IR")
    for name in volumes[10:30]:
        request = {"Days": 3, "GlacierJobParameters": {"Tier": "Bulk"}}
        site.s3.restore_object(Key=PLACE + name, RestoreRequest=request)
    for name in volumes[20:30]:
        site.s3.finish(PLACE + name)
    permits = site.ask(volumes, facts_in_headers=True)
    assert "head_object" not in site.calls
    kinds = [
        "readable" if "url" in file else "thawing" if "thawing" in file else "archived" for file in permits
    ]
    assert Counter(kinds) == {"readable": 11, "thawing": 10, "archived": 19}
    assert kinds[0] == kinds[20] == "readable"
    assert (kinds[1], kinds[10], kinds[39]) == ("archived", "thawing", "archived")


def test_names_that_lie_far_apart_are_found_all_the_same(site: Site) -> None:
    """Between each two of them lie more files than a page is worth."""
    for day in range(30):
        for number in range(1, 60):
            site.put(f"data_duplicity-full.{stamp(day)}.vol{number}.difftar.gpg")
    names = [f"data_duplicity-full.{stamp(day)}.vol7.difftar.gpg" for day in range(30)]
    permits = site.ask(names, facts_in_headers=True)
    assert all("url" in permit for permit in permits)
    assert site.calls["list_objects_v2"] == 4, "a search has an end"
    assert site.calls["head_object"] > 0


def test_pages_without_a_name_are_asked_for_four_times_at_most(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As S3 may answer where thousands of deleted versions lie in between."""
    empty = counted(lambda *_, **__: {"IsTruncated": True}, site.calls)
    monkeypatch.setattr(MemoryS3, "list_objects_v2", lambda s3, **asked: empty(s3, **asked))
    permits = site.ask(SIGNATURES, facts_in_headers=True)
    assert all("url" in permit for permit in permits)
    assert site.calls["head_object"] == len(SIGNATURES)


def test_what_exceeds_the_days_limit_is_counted_file_by_file(site: Site) -> None:
    """So that as many as fit are permitted, and what was refused counts for nothing."""
    most = sum(len(content(name)) for name in SIGNATURES[:60])
    site.service.admin("machine_set", name="anna-laptop", download_cap_bytes=most)
    permits = site.ask(SIGNATURES, facts_in_headers=True)
    refused = [permit["name"] for permit in permits if permit.get("error") == "download_cap"]
    assert refused == SIGNATURES[60:]
    assert all("url" in permit for permit in permits[:60])
    assert "has fetched as much as it may in a day" in site.service.admin("report_preview")["text"]


def test_a_file_asked_for_twice_counts_twice(site: Site) -> None:
    size = len(content(SIGNATURES[0]))
    site.service.admin("machine_set", name="anna-laptop", download_cap_bytes=2 * size - 1)
    permits = site.ask([SIGNATURES[0]] * 2)
    assert ["url" in permit for permit in permits] == [True, False]
