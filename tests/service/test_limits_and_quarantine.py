"""What a stolen token can cost is bounded, and a garbage set can be put out of the way."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from tests.service.conftest import BUCKET, Service, later
from tests.service.uploading import (
    FULL,
    MANIFEST,
    PREFIX,
    SIGNATURES,
    VOLUME_1,
    VOLUME_2,
    Laptop,
    download,
)


@pytest.fixture
def laptop(service: Service) -> Laptop:
    return Laptop(service)


class TestStorageCap:
    @pytest.fixture(autouse=True)
    def _cap(self, laptop: Laptop) -> None:
        laptop.service.admin("machine_set", name="anna-laptop", storage_cap_bytes=100)

    def test_uploads_stop_at_it_and_the_owner_is_told(self, laptop: Laptop) -> None:
        laptop.put(VOLUME_1, b"x" * 60)
        assert laptop.ask(VOLUME_2, b"x" * 60)["error"] == "storage_cap"
        assert "url" in laptop.ask(VOLUME_2, b"x" * 40)
        assert "stored as much as it may" in laptop.service.admin("report_preview")["text"]

    def test_older_versions_count(self, laptop: Laptop) -> None:
        laptop.put(VOLUME_1, b"x" * 60)
        assert laptop.ask(VOLUME_1, b"y" * 60)["error"] == "storage_cap"
        laptop.service.admin("machine_set", name="anna-laptop", storage_cap_bytes=1000)
        laptop.put(VOLUME_1, b"y" * 60)
        assert laptop.service.admin("machine_recount", name="anna-laptop")["stored_bytes"] == 120

    def test_a_recount_forgets_permissions_that_were_never_used(self, laptop: Laptop) -> None:
        laptop.ask(VOLUME_1, b"x" * 90)
        assert laptop.ask(VOLUME_2, b"x" * 60)["error"] == "storage_cap"
        laptop.service.admin("machine_recount", name="anna-laptop")
        assert "url" in laptop.ask(VOLUME_2, b"x" * 60)

    def test_another_machines_bytes_do_not(self, laptop: Laptop) -> None:
        laptop.put(VOLUME_1, b"x" * 90)
        ben = Laptop(laptop.service, "bens-laptop")
        assert "url" in ben.ask(VOLUME_1, b"x" * 90)


class TestDownloadCap:
    @pytest.fixture(autouse=True)
    def _cap(self, laptop: Laptop) -> None:
        laptop.put(VOLUME_1, b"x" * 60)
        laptop.put(VOLUME_2, b"x" * 60)
        laptop.service.admin("machine_set", name="anna-laptop", download_cap_bytes=100)

    def test_downloads_stop_at_it_until_tomorrow_and_the_owner_is_told(self, laptop: Laptop) -> None:
        first, second = download(laptop, VOLUME_1, VOLUME_2)
        assert first["size"] == 60
        assert second["error"] == "download_cap"
        assert "--download-cap" in second["message"]
        assert "fetched as much as it may" in laptop.service.admin("report_preview")["text"]
        later(laptop.service, hours=4)
        assert "url" in download(laptop, VOLUME_2)[0]

    def test_the_owner_can_lift_it(self, laptop: Laptop) -> None:
        download(laptop, VOLUME_1)
        laptop.service.admin("machine_set", name="anna-laptop", download_cap_bytes=1000)
        assert "url" in download(laptop, VOLUME_2)[0]


def test_a_download_url_lives_five_minutes(laptop: Laptop) -> None:
    laptop.put(VOLUME_1)
    assert "X-Amz-Expires=300" in download(laptop, VOLUME_1)[0]["url"]


@pytest.mark.parametrize("name", ["../bens-laptop/x", "bens-laptop/system/" + VOLUME_1, "notes.txt", ""])
def test_only_backup_files_are_handed_out(laptop: Laptop, name: str) -> None:
    laptop.service.put(PREFIX + "notes.txt", b"stray")
    assert download(laptop, name)[0]["error"] == "bad_name"


def test_a_file_that_is_not_there_or_not_readable_yet_is_told_apart(laptop: Laptop) -> None:
    laptop.service.put(PREFIX + VOLUME_1, b"x", StorageClass="DEEP_ARCHIVE")
    archived, missing = download(laptop, VOLUME_1, VOLUME_2)
    assert archived == {"name": VOLUME_1, "size": 1, "sha256": sha256(b"x").hexdigest(), "archived": True}
    assert missing["error"] == "not_found"


def test_a_volume_may_have_a_gigabyte_and_signatures_more(laptop: Laptop) -> None:
    assert laptop.ask(VOLUME_1, size=2**30 + 1)["error"] == "file_too_large"
    assert "url" in laptop.ask(SIGNATURES, size=2**30 + 1)


class TestQuarantine:
    @pytest.fixture(autouse=True)
    def _garbage(self, laptop: Laptop) -> None:
        for name in (VOLUME_1, SIGNATURES):
            laptop.put(name)
        laptop.seal()
        laptop.service.catalogue(*(PREFIX + name for name in (VOLUME_1, SIGNATURES, MANIFEST)))

    def hide(self, laptop: Laptop, **arguments: object) -> dict[str, Any]:
        chosen = {"name": "anna-laptop", "job": "system", "set": f"full.{FULL}", **arguments}
        answer: dict[str, Any] = laptop.service.admin("set_quarantine", **chosen)
        return answer

    def listed(self, laptop: Laptop) -> list[str]:
        answer = laptop.service.call("GET", "/jobs/system/files", token=laptop.token)
        return [file["name"] for file in answer.body["files"]]

    def test_hides_a_set_and_deletes_nothing(self, laptop: Laptop) -> None:
        self.hide(laptop)
        assert self.listed(laptop) == []
        assert len(laptop.service.stored_keys()) == 3
        assert "DeleteMarkers" not in laptop.service.s3.list_object_versions(Bucket=BUCKET)

    def test_a_hidden_set_does_not_make_a_job_fresh(self, laptop: Laptop) -> None:
        self.hide(laptop)
        (job,) = laptop.service.call("GET", "/machine", token=laptop.token).body["jobs"]
        assert job["state"] == "never"

    def test_can_be_undone(self, laptop: Laptop) -> None:
        self.hide(laptop)
        self.hide(laptop, release=True)
        assert len(self.listed(laptop)) == 3

    @pytest.mark.parametrize(
        ("arguments", "error"),
        [
            ({"name": "nobody"}, "not_found"),
            ({"job": "photos"}, "unknown_job"),
            ({"set": "full.x"}, "bad_request"),
            ({"set": "full.20200101T000000Z"}, "not_found"),
        ],
    )
    def test_says_what_it_does_not_know(self, laptop: Laptop, arguments: dict[str, str], error: str) -> None:
        assert self.hide(laptop, **arguments)["error"] == error


def test_rotating_gives_a_code_to_a_machine_that_is_there_only(service: Service) -> None:
    token = service.enrolled("anna-laptop")
    assert service.admin("machine_rotate", name="anna-laptop")["code"]
    assert service.call("GET", "/machine", token=token).status == 200
    assert service.admin("machine_rotate", name="nobody")["error"] == "not_found"
