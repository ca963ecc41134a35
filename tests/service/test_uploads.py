"""Permission to write: first writes only, one digest each, and a seal that fits the bucket."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.service.conftest import BUCKET, Service, later
from tests.service.uploading import (
    JSONSTAT,
    MANIFEST,
    PREFIX,
    SIGNATURES,
    VOLUME_1,
    VOLUME_2,
    Laptop,
    a_file,
)


@pytest.fixture
def laptop(service: Service) -> Laptop:
    return Laptop(service)


def test_a_url_signs_key_length_digest_class_tag_first_write_and_a_quarter_of_an_hour(laptop: Laptop) -> None:
    permit = laptop.ask(VOLUME_1)
    url = urlsplit(permit["url"])
    signed = parse_qs(url.query)
    assert url.path.endswith("/" + PREFIX + VOLUME_1)
    assert signed["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]
    assert signed["X-Amz-Expires"] == ["900"]
    assert set(signed["X-Amz-SignedHeaders"][0].split(";")) == {"host", *permit["headers"]}
    assert permit["headers"]["if-none-match"] == "*"
    assert permit["headers"]["content-length"] == "7"
    assert permit["headers"]["x-amz-storage-class"] == "STANDARD"
    assert permit["headers"]["x-amz-tagging"] == "panicroom-storage=glacier-ir-7d"


def test_metadata_carries_no_storage_tag_so_that_no_rule_archives_it(laptop: Laptop) -> None:
    assert "x-amz-tagging" not in laptop.ask(SIGNATURES)["headers"]


def test_the_same_bytes_are_present_and_need_no_second_upload(laptop: Laptop) -> None:
    laptop.put(VOLUME_1)
    assert laptop.ask(VOLUME_1) == {
        "name": VOLUME_1,
        "present": True,
        "etag": laptop.members[VOLUME_1]["etag"],
    }


def test_other_bytes_for_a_file_of_an_open_set_replace_it_and_keep_the_old_version(laptop: Laptop) -> None:
    laptop.put(VOLUME_1, b"before the kill")
    laptop.put(VOLUME_1, b"after the resume")
    versions = laptop.service.s3.list_object_versions(Bucket=BUCKET)
    assert len(versions["Versions"]) == 2
    assert len(versions["DeleteMarkers"]) == 1


def test_a_set_seals_with_its_volume_count(laptop: Laptop) -> None:
    for name in (VOLUME_1, VOLUME_2, SIGNATURES):
        laptop.put(name)
    permit = laptop.ask_to_seal()
    assert permit["headers"]["x-amz-meta-volumes"] == "2"
    assert parse_qs(urlsplit(permit["url"]).query)["X-Amz-Expires"] == ["30"]


@pytest.mark.parametrize("lost", [VOLUME_1, VOLUME_2, SIGNATURES])
def test_a_set_with_a_file_missing_in_the_bucket_is_not_sealed(laptop: Laptop, lost: str) -> None:
    for name in (VOLUME_1, VOLUME_2, SIGNATURES):
        laptop.put(name)
    laptop.service.s3.delete_object(Bucket=BUCKET, Key=PREFIX + lost)
    refused = laptop.ask_to_seal()
    assert refused["error"] == "set_incomplete"
    assert refused["names"] == [lost]
    laptop.put(lost)
    assert "url" in laptop.ask_to_seal(), "the gate is open again after a refusal"


def test_a_set_with_other_bytes_than_were_sent_is_not_sealed(laptop: Laptop) -> None:
    for name in (VOLUME_1, SIGNATURES):
        laptop.put(name)
    laptop.service.put(PREFIX + VOLUME_1, b"tampers")
    assert laptop.ask_to_seal()["names"] == [VOLUME_1]


@pytest.mark.parametrize(
    "listed",
    [[], [VOLUME_1], [SIGNATURES], [VOLUME_2, SIGNATURES], [VOLUME_1, VOLUME_1, SIGNATURES]],
    ids=["nothing", "no signatures", "no volumes", "no first volume", "a volume twice"],
)
def test_a_manifest_must_list_a_whole_set(laptop: Laptop, listed: list[str]) -> None:
    for name in (VOLUME_1, VOLUME_2, SIGNATURES):
        laptop.put(name)
    refused = laptop.ask_to_seal(members=[laptop.members[name] for name in listed])
    assert refused["error"] == "set_list_missing"


def test_a_manifest_without_a_list_is_refused(laptop: Laptop) -> None:
    assert laptop.ask(MANIFEST)["error"] == "set_list_missing"


def test_what_a_killed_run_left_beyond_the_set_is_marked_deleted_before_the_seal(laptop: Laptop) -> None:
    for name in (VOLUME_1, VOLUME_2, SIGNATURES):
        laptop.put(name)
    del laptop.members[VOLUME_2]
    assert laptop.ask_to_seal()["headers"]["x-amz-meta-volumes"] == "1"
    assert PREFIX + VOLUME_2 not in laptop.service.stored_keys()


class TestASetThatIsBeingSealed:
    @pytest.fixture(autouse=True)
    def _sealing(self, laptop: Laptop) -> None:
        for name in (VOLUME_1, SIGNATURES):
            laptop.put(name)
        laptop.ask_to_seal()

    def test_takes_no_new_volume(self, laptop: Laptop) -> None:
        refused = laptop.ask(VOLUME_2)
        assert refused["error"] == "set_sealing"
        assert 0 < refused["retry_after_seconds"] <= 60

    def test_gives_none_up(self, laptop: Laptop) -> None:
        body = {"run": laptop.run, "names": [VOLUME_1]}
        answer = laptop.service.call("POST", "/jobs/system/discards", body, laptop.token).body
        assert answer["discarded"] == []
        assert PREFIX + VOLUME_1 in laptop.service.stored_keys()

    def test_gives_its_manifest_another_url_but_no_other_manifest_one(self, laptop: Laptop) -> None:
        assert "url" in laptop.ask_to_seal()
        other = laptop.ask(MANIFEST, b"another", set=list(laptop.members.values()))
        assert other["error"] == "set_sealing"

    def test_is_open_again_when_the_manifests_url_lapsed_unused(self, laptop: Laptop) -> None:
        later(laptop.service, seconds=61)
        assert "url" in laptop.ask(VOLUME_2)


class TestASealedSet:
    @pytest.fixture(autouse=True)
    def _sealed(self, laptop: Laptop) -> None:
        for name in (VOLUME_1, SIGNATURES):
            laptop.put(name)
        laptop.seal()

    @pytest.mark.parametrize("name", [VOLUME_1, VOLUME_2, SIGNATURES, MANIFEST])
    def test_takes_nothing_more(self, laptop: Laptop, name: str) -> None:
        later(laptop.service, hours=1)
        run = laptop.service.run(laptop.token, resumes=laptop.run).body["run"]
        refused = laptop.service.permit(laptop.token, run, a_file(name, b"other", set=[]))[0]
        assert refused["error"] == "set_sealed"

    def test_takes_its_jsonstat_once(self, laptop: Laptop) -> None:
        laptop.put(JSONSTAT, b"statistics")
        assert laptop.ask(JSONSTAT, b"other")["error"] == "set_sealed"

    def test_says_that_its_own_bytes_are_present(self, laptop: Laptop) -> None:
        assert laptop.ask(MANIFEST, b"manifest", set=[])["present"] is True

    @pytest.mark.parametrize("name", [VOLUME_1, SIGNATURES, MANIFEST])
    def test_gives_nothing_up_and_the_owner_is_told(self, laptop: Laptop, name: str) -> None:
        body = {"run": laptop.run, "names": [name]}
        answer = laptop.service.call("POST", "/jobs/system/discards", body, laptop.token).body
        assert answer["discarded"] == []
        assert [refused["error"] for refused in answer["refused"]] == ["set_sealed"]
        assert PREFIX + name in laptop.service.stored_keys()
        assert "asked to delete 1 file(s)" in laptop.service.admin("report_preview")["text"]

    def test_loses_a_volume_that_was_added_behind_its_back(self, laptop: Laptop) -> None:
        late = PREFIX + VOLUME_2
        laptop.service.put(late, b"by a URL from before the seal")
        laptop.service.catalogue(PREFIX + VOLUME_1, PREFIX + SIGNATURES, PREFIX + MANIFEST, late)
        assert late not in laptop.service.stored_keys()
        assert PREFIX + VOLUME_1 in laptop.service.stored_keys()
        assert "were added to the finished set" in laptop.service.admin("report_preview")["text"]


def test_an_open_set_gives_up_its_files_and_keeps_their_versions(laptop: Laptop) -> None:
    laptop.put(VOLUME_1)
    body = {"run": laptop.run, "names": [VOLUME_1]}
    answer = laptop.service.call("POST", "/jobs/system/discards", body, laptop.token).body
    assert answer == {"discarded": [VOLUME_1], "refused": []}
    assert laptop.service.stored_keys() == []
    assert len(laptop.service.s3.list_object_versions(Bucket=BUCKET)["Versions"]) == 1


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("", "bad_name"),
        ("../other/data_duplicity-full.20261122T195500Z.vol1.difftar.gpg", "bad_name"),
        ("..%2fother%2f" + VOLUME_1, "bad_name"),
        ("bens-laptop/system/" + VOLUME_1, "bad_name"),
        (VOLUME_1 + "\n", "bad_name"),
        (VOLUME_1.replace("vol1", "vol١"), "bad_name"),
        (VOLUME_1.replace("vol1", "vol0"), "bad_name"),
        (VOLUME_1.replace("vol1", "vol01"), "bad_name"),
        (VOLUME_1.replace("data_", "dаta_"), "bad_name"),  # a Cyrillic letter
        (VOLUME_1.removesuffix(".gpg"), "bad_name"),
        (VOLUME_1.replace("1122T", "0231T"), "bad_name"),
        ("x" * 2000, "bad_name"),
        ("notes.txt", "bad_name"),
        (VOLUME_1.replace("data_", "meta_"), "wrong_prefix"),
        (VOLUME_1.replace("data_", ""), "wrong_prefix"),
        (MANIFEST.replace("meta_", "data_"), "wrong_prefix"),
        ("data_duplicity-full.20261122T201100Z.vol1.difftar.gpg", "name_in_future"),
        ("data_duplicity-full.20361122T195500Z.vol1.difftar.gpg", "name_in_future"),
        (
            "data_duplicity-inc.20261122T195500Z.to.20261122T195500Z.vol1.difftar.gpg",
            "name_out_of_order",
        ),
        (
            "data_duplicity-inc.20261122T195500Z.to.20261121T195500Z.vol1.difftar.gpg",
            "name_out_of_order",
        ),
    ],
)
def test_only_names_that_duplicity_writes_are_taken(laptop: Laptop, name: str, error: str) -> None:
    assert laptop.ask(name)["error"] == error


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"sha256": "0" * 63}, "bad_digest"),
        ({"sha256": "G" * 64}, "bad_digest"),
        ({"size": 0}, "bad_request"),
        ({"size": 5 * 2**30 + 1}, "file_too_large"),
    ],
)
def test_a_file_needs_a_real_digest_and_size(laptop: Laptop, fields: dict[str, Any], error: str) -> None:
    assert laptop.ask(VOLUME_1, **fields)["error"] == error


def test_each_file_of_a_batch_answers_for_itself(laptop: Laptop) -> None:
    good, bad = a_file(VOLUME_1), a_file("notes.txt")
    permits = laptop.service.permit(laptop.token, laptop.run, bad, good)
    assert [permit.get("error") for permit in permits] == ["bad_name", None]


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (b"{", 400, "bad_json"),
        (b"\xff", 400, "bad_json"),
        (b"[" * 100_000, 400, "bad_json"),
        (b"[]", 400, "bad_request"),
        ({"files": []}, 400, "bad_request"),
        ({"run": 7, "files": []}, 400, "bad_request"),
        ({"run": "r", "files": [{"name": "n", "size": "7", "sha256": "s"}]}, 400, "bad_request"),
        ({"run": "r", "files": [{"name": "n", "size": True, "sha256": "s"}]}, 400, "bad_request"),
        ({"run": "r", "files": [a_file(VOLUME_1)] * 101}, 400, "too_many_files"),
        (b" " * (5 * 2**20 + 1), 413, "body_too_large"),
    ],
)
def test_a_request_that_is_wrong_as_a_whole_says_so(
    laptop: Laptop, body: object, status: int, error: str
) -> None:
    answer = laptop.service.call("POST", "/jobs/system/uploads", body, laptop.token)
    assert (answer.status, answer.error) == (status, error)


def test_uploads_need_the_runs_lease(laptop: Laptop) -> None:
    body = {"run": "20261122t195500z-0123456789abcdef", "files": [a_file(VOLUME_1)]}
    answer = laptop.service.call("POST", "/jobs/system/uploads", body, laptop.token)
    assert (answer.status, answer.error) == (409, "lease_lost")
