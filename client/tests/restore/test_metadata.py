"""Manifests and signatures at hand: the cache is believed only as far as it is proved."""

from __future__ import annotations

import base64
import copy
import gzip
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_service import FakeService, Stored
from laptop import PASSPHRASE, Laptop
from panicroom.api import Api
from panicroom.duplicity_files.signatures import read_signatures
from panicroom.duplicity_files.stored_sets import StoredChains, chains
from panicroom.exit_codes import ExitCode, Problem
from panicroom.secrets import token_of
from panicroom.settings import load_settings
from panicroom.stored.metadata import MetadataCache, SetMetadata


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory, gnupg: Path) -> Iterator[Laptop]:
    """A full backup and two increments; ``saved`` beside the laptop's folders is how they were then."""
    service = FakeService()
    home = tmp_path_factory.mktemp("laptop")
    (home / "source").mkdir()
    laptop = Laptop(home, gnupg, service)
    laptop.enrol()
    for number in range(3):
        (laptop.source / f"file {number}").write_bytes(os.urandom(20_000 + number))
        laptop.succeed("backup")
    for folder in ("cache", "state"):
        shutil.copytree(home / folder, home / "saved" / folder)
    yield laptop
    service.close()


@pytest.fixture
def backed_up(made_once: Laptop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Laptop]:
    """The same laptop, as it was after its backups; this process has its folders."""
    objects = copy.deepcopy(made_once.service.objects)
    for name, value in made_once.environment().items():
        monkeypatch.setenv(name, value)
    yield made_once
    made_once.service.objects = objects
    made_once.service.archived.clear()
    for folder in ("cache", "state"):
        shutil.rmtree(made_once.home / folder)
        shutil.copytree(made_once.home / "saved" / folder, made_once.home / folder)


class Reading:
    """The cache of the laptop's job, and what the bucket lists."""

    def __init__(self, laptop: Laptop) -> None:
        settings = load_settings()
        self._laptop = laptop
        self._api = Api(settings.url, token_of(settings))
        self.cache = MetadataCache(settings, "system", self._api)

    def stored(self) -> StoredChains:
        return chains(self._api.files("system"))

    def at_hand(self) -> dict[str, SetMetadata]:
        (chain,) = self.stored().chains
        found = self.cache.at_hand(chain.sets)
        self.cache.check_key(found.values())
        return found

    def downloads(self) -> list[str]:
        """What it downloads to have everything at hand."""
        taken: list[str] = []
        self._laptop.service.on_get = taken.append
        assert all(not item.unopened for item in self.at_hand().values())
        self._laptop.service.on_get = lambda _name: None
        return sorted(taken)

    def metadata(self) -> list[str]:
        return [name for name in self._laptop.service.names() if re.search(r"manifest|sigtar", name)]


def test_a_new_computer_fetches_all_with_few_requests_and_then_nothing(backed_up: Laptop) -> None:
    shutil.rmtree(backed_up.home / "cache")
    reading = Reading(backed_up)
    before = backed_up.service.download_requests
    assert reading.downloads() == reading.metadata()
    assert backed_up.service.download_requests == before + 2, "one file first, to try the passphrase"
    assert reading.downloads() == []
    for item in reading.at_hand().values():
        manifest = item.manifest()
        assert manifest is not None
        assert list(manifest.volumes) == list(item.set.volumes)
        assert item.signatures is not None
        assert list(read_signatures(item.signatures))


def test_what_is_fetched_is_what_the_backup_had(backed_up: Laptop) -> None:
    def contents() -> dict[str, bytes]:
        found = {path.name: path.read_bytes() for path in backed_up.archive.iterdir()}
        return {name: gzip.decompress(data) if name.endswith(".gz") else data for name, data in found.items()}

    made = contents()
    shutil.rmtree(backed_up.archive)
    Reading(backed_up).at_hand()
    assert contents() == {name: data for name, data in made.items() if re.search(r"manifest|sigtar", name)}


@pytest.mark.parametrize("damage", ["empty", "cut", "zeros", "another's", "gone"])
def test_a_copy_that_is_not_as_recorded_is_fetched_again(backed_up: Laptop, damage: str) -> None:
    reading = Reading(backed_up)
    reading.at_hand()
    good = {
        path.name: path.read_bytes() for path in backed_up.archive.iterdir() if "jsonstat" not in path.name
    }
    for name, data in good.items():
        path = backed_up.archive / name
        match damage:
            case "empty":
                path.write_bytes(b"")
            case "cut":
                path.write_bytes(data[: len(data) // 2])
            case "zeros":
                path.write_bytes(b"\0" * len(data))
            case "another's":
                path.write_bytes(good[max(other for other in good if other[-9:] == name[-9:])])
            case "gone":
                path.unlink()
    fetched = reading.downloads()
    newest = 2 if damage == "another's" else 0
    assert len(fetched) == len(reading.metadata()) - newest
    assert reading.downloads() == []


def test_a_damaged_record_means_all_is_fetched(backed_up: Laptop) -> None:
    reading = Reading(backed_up)
    reading.at_hand()
    (record,) = (backed_up.home / "state").rglob("metadata.json")
    record.write_bytes(record.read_bytes()[:100])
    assert reading.downloads() == reading.metadata()


def test_a_file_that_is_another_in_the_bucket_now_is_fetched(backed_up: Laptop) -> None:
    reading = Reading(backed_up)
    reading.at_hand()
    name = next(name for name in reading.metadata() if "manifest" in name)
    backed_up.service.objects[f"system/{name}"].etag = "another"
    assert reading.downloads() == [name]


OF_ANOTHER_PASSPHRASE = b"\x8c\x0d\x04\x09\x03\x02saltsalt\x60" + b"\xd2\x30" + b"x" * 48


@pytest.mark.parametrize("rubbish", [b"", b"rubbish" * 100, OF_ANOTHER_PASSPHRASE])
def test_a_set_that_cannot_be_opened_is_named_and_the_others_are_there(
    backed_up: Laptop, rubbish: bytes
) -> None:
    shutil.rmtree(backed_up.home / "cache")
    reading = Reading(backed_up)
    manifest = next(name for name in reading.metadata() if "-inc." in name)
    signatures = next(name for name in reading.metadata() if "-new-" in name)
    for name in (manifest, signatures):
        backed_up.service.objects[f"system/{name}"].data = rubbish
    damaged = [item for item in reading.at_hand().values() if item.unopened]
    assert [file.name for item in damaged for file in item.unopened] == [manifest, signatures]
    assert all(file.reason for item in damaged for file in item.unopened)
    assert len(damaged) < len(reading.at_hand())


def test_an_archived_manifest_is_reported_as_such(backed_up: Laptop) -> None:
    shutil.rmtree(backed_up.home / "cache")
    reading = Reading(backed_up)
    name = reading.metadata()[0]
    backed_up.service.archived.add(name)
    (file,) = [file for item in reading.at_hand().values() for file in item.unopened]
    assert (file.name, file.archived) == (name, True)


def test_a_wrong_passphrase_is_one_line(backed_up: Laptop, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(backed_up.home / "cache")
    monkeypatch.setenv("PASSPHRASE", PASSPHRASE + "!")
    with pytest.raises(Problem, match="the passphrase does not open") as wrong:
        Reading(backed_up).at_hand()
    assert wrong.value.exit_code == ExitCode.PASSPHRASE


def test_nothing_of_a_fetch_stays_behind_and_folders_are_private(backed_up: Laptop) -> None:
    shutil.rmtree(backed_up.home / "cache")
    Reading(backed_up).at_hand()
    folders = [path for path in (backed_up.home / "cache").rglob("*") if path.is_dir()]
    assert folders
    assert {path.stat().st_mode & 0o777 for path in folders} == {0o700}
    assert not [path for path in (backed_up.home / "cache" / "work").rglob("*") if path.is_file()]


def test_a_full_disk_names_the_folder(backed_up: Laptop, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(backed_up.home / "cache")

    def full(_self: Path, _target: object) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(Problem, match=r"cache.*No space left") as stopped:
        Reading(backed_up).at_hand()
    assert stopped.value.exit_code == ExitCode.SPACE


def test_bytes_that_are_not_those_of_the_digest_that_came_with_them_are_not_used(
    backed_up: Laptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(backed_up.home / "cache")
    monkeypatch.setattr(Stored, "checksum", base64.b64encode(bytes(32)).decode())
    reading = Reading(backed_up)
    (chain,) = reading.stored().chains
    found = reading.cache.at_hand(chain.sets)
    reasons = {file.reason for item in found.values() for file in item.unopened}
    assert reasons == {"it is not what S3 has the digest of"}
    assert not any(item.copies for item in found.values())


def test_what_s3_says_with_the_files_is_what_the_service_would_say(backed_up: Laptop) -> None:
    """And where a digest did not come through, the service is asked: a true set must not look false for that."""
    settings = load_settings()
    with Api(settings.url, token_of(settings)) as api:
        said = {
            permit.name: permit
            for permit in api.downloads("system", tuple(Reading(backed_up).metadata()), facts_only=True).files
        }
    for sends_checksums in (True, False):
        shutil.rmtree(backed_up.home / "cache")
        backed_up.service.sends_checksums = sends_checksums
        reading = Reading(backed_up)
        assert all(not item.unopened for item in reading.at_hand().values())
        facts = {
            name: (permit.sha256, permit.volumes, permit.proof)
            for name, permit in reading.cache.facts.items()
        }
        backed_up.service.sends_checksums = True
        expected = {name: (permit.sha256, permit.volumes, permit.proof) for name, permit in said.items()}
        assert facts == (expected if sends_checksums else {})
