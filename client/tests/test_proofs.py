"""Each set is signed, and a set that somebody else stored is neither built on nor believed."""

from __future__ import annotations

import json
from datetime import datetime, timezone

import pytest
from laptop import PASSPHRASE, Laptop, next_second
from panicroom.duplicity_files.stored_sets import chains
from panicroom.exit_codes import ExitCode
from panicroom.origin import Origin, SetEvidence, key_from_passphrase, origin_of
from panicroom.transfer.origins import is_in_the_way
from panicroom.wire import ListedFile
from thief import Thief, name_of, text_of
from trees import differences, snapshot

FALSE = "ab" * 32


@pytest.fixture(scope="module")
def made_once(laptop_of_file: Laptop) -> Laptop:
    """With a full backup of one file."""
    (laptop_of_file.source / "file").write_text("one")
    laptop_of_file.enrol()
    laptop_of_file.succeed("backup")
    next_second()
    return laptop_of_file


def thief_of(laptop: Laptop) -> Thief:
    return Thief(laptop.service.url, f"laptop.{laptop.secrets['laptop.secret']}")


def replay(laptop: Laptop, set_name: str) -> None:
    """Old ciphertext, sealed again under ``set_name``."""
    with thief_of(laptop) as thief:
        permit = thief.seal(set_name, *thief.stored_set(laptop.service.sealed()[0]), FALSE)
        assert permit.url is not None, permit


def time_of(set_name: str) -> str:
    return set_name.rsplit(".", 1)[-1]


def now() -> str:
    return text_of(datetime.now(timezone.utc))


def origins(laptop: Laptop) -> dict[str, str]:
    stored = json.loads((laptop.home / "state" / "laptop" / "system" / "origins.json").read_text())
    return {name: found[1] for name, found in stored["sets"].items()}


def test_each_manifest_carries_a_proof_that_holds(backed_up: Laptop) -> None:
    (name,) = backed_up.service.sealed()
    objects = {key.removeprefix("system/"): stored for key, stored in backed_up.service.objects.items()}
    (manifest,) = [stored for file, stored in objects.items() if ".manifest." in file]
    (signatures,) = [stored for file, stored in objects.items() if ".sigtar." in file]
    made = SetEvidence(name, 1, manifest.sha256, (signatures.sha256,))
    key = key_from_passphrase(PASSPHRASE, "laptop", "system")
    assert origin_of(key, "laptop", "system", made, manifest.metadata["proof"]) is Origin.PROVEN


def test_a_set_that_was_checked_once_is_not_asked_about_again(backed_up: Laptop) -> None:
    requests = []
    for _ in range(2):
        before = backed_up.service.download_requests
        backed_up.succeed("backup")
        requests.append(backed_up.service.download_requests - before)
        next_second()
    assert requests[0] == requests[1], "as many for two sets as for one"
    assert list(origins(backed_up).values()) == ["proven", "proven"]


def test_a_false_increment_is_left_out_reported_and_followed_by_a_full(backed_up: Laptop) -> None:
    (full,) = backed_up.service.sealed()
    false = f"inc.{time_of(full)}.to.{now()}"
    replay(backed_up, false)
    next_second()
    (backed_up.source / "file").write_text("two")
    said = backed_up.succeed("backup")
    assert f"the set {false} was not made by this computer" in said
    assert backed_up.service.false_proofs == (false,)
    newest = backed_up.service.sealed()[-1]
    assert newest.startswith("full."), "the service takes no second increment on the same set"
    assert origins(backed_up)[false] == "false"

    next_second()
    said = backed_up.succeed("backup")
    assert "was not made by this computer" not in said, "the first time is enough"
    assert (
        backed_up.service.sealed()[-1]
        == f"inc.{time_of(newest)}.to.{time_of(backed_up.service.sealed()[-1])}"
    )
    assert backed_up.service.false_proofs == (false,)


def test_a_false_full_is_left_out_and_the_chain_goes_on(backed_up: Laptop) -> None:
    (full,) = backed_up.service.sealed()
    false = f"full.{now()}"
    replay(backed_up, false)
    next_second()
    (backed_up.source / "file").write_text("two")
    backed_up.succeed("backup")
    newest = backed_up.service.sealed()[-1]
    assert newest.startswith(f"inc.{time_of(full)}.to.")
    assert backed_up.service.false_proofs == (false,)


def test_rubbish_stops_no_backup(backed_up: Laptop) -> None:
    (full,) = backed_up.service.sealed()
    with thief_of(backed_up) as thief:
        thief.seal(f"inc.{time_of(full)}.to.{now()}", [b"rubbish"], b"rubbish", b"rubbish", FALSE)
    next_second()
    (backed_up.source / "file").write_text("two")
    before = snapshot(backed_up.source)
    backed_up.succeed("backup")
    to = backed_up.restore(time_of(backed_up.service.sealed()[-1]))
    assert differences(before, snapshot(to)) == []


def test_without_a_proof_no_set_is_taken_after_the_first_one(backed_up: Laptop) -> None:
    (full,) = backed_up.service.sealed()
    with thief_of(backed_up) as thief:
        permit = thief.seal(f"inc.{time_of(full)}.to.{now()}", *thief.stored_set(full), None)
    assert permit.error == "proof_missing"


def test_a_set_whose_proof_was_taken_away_is_built_on_and_named(backed_up: Laptop) -> None:
    """Only AWS keys can do that; the owner's own script stores such sets too."""
    backed_up.succeed("backup")
    next_second()
    for key, stored in backed_up.service.objects.items():
        if ".manifest." in key and "inc." in key:
            del stored.metadata["proof"]
    said = backed_up.succeed("backup")
    assert "1 set carries no proof of origin" in said
    assert sorted(origins(backed_up).values()) == ["proven", "unproven"]
    assert "no proof of origin" not in backed_up.succeed("backup")


def test_a_wrong_passphrase_is_said_before_anything_is_stored(backed_up: Laptop) -> None:
    backed_up.succeed("backup")
    before = backed_up.service.names()
    ended = backed_up.run("backup", PASSPHRASE="another")
    assert ended.returncode == ExitCode.PASSPHRASE
    assert "begin a new chain" in ended.stderr
    assert backed_up.service.names() == before
    assert backed_up.service.false_proofs == (), "nobody is called a thief"


def test_a_wrong_passphrase_on_a_computer_that_remembers_nothing_is_said_too(backed_up: Laptop) -> None:
    (backed_up.home / "state" / "laptop" / "system" / "origins.json").unlink()
    ended = backed_up.run("backup", PASSPHRASE="another")
    assert ended.returncode == ExitCode.PASSPHRASE
    assert backed_up.service.false_proofs == ()


def test_a_changed_passphrase_begins_a_new_chain(backed_up: Laptop) -> None:
    backed_up.succeed("backup", "full", PASSPHRASE="another")
    next_second()
    backed_up.succeed("backup", PASSPHRASE="another")
    first, full, increment = backed_up.service.sealed()
    assert increment == f"inc.{time_of(full)}.to.{time_of(increment)}"
    assert origins(backed_up) == {full: "proven"}
    assert first not in backed_up.service.false_proofs, "it was made with the passphrase of before"


def test_the_chain_is_the_one_that_duplicity_would_continue() -> None:
    old, new = "full.20260101T000000Z", "full.20260301T000000Z"
    late = "inc.20260101T000000Z.to.20260401T000000Z"
    fork = "inc.20260101T000000Z.to.20260201T000000Z"
    orphan = "inc.20250101T000000Z.to.20260501T000000Z"
    backwards = "inc.20260401T000000Z.to.20260101T000000Z"

    def family(*sets: str) -> list[str]:
        files = [
            ListedFile(name_of("manifest", name), 1, "e", "2026-01-01T00:00:00Z", "STANDARD") for name in sets
        ]
        return [item.name for item in chains(files).newest_family]

    assert family(old, new) == [new]
    assert family(old, new, late, fork, orphan, backwards) == [old, fork, late]
    assert family(orphan) == []
    assert family() == []


def test_only_what_continues_the_newest_set_is_in_the_way() -> None:
    full, next_one = "full.20260101T000000Z", "inc.20260101T000000Z.to.20260201T000000Z"
    assert is_in_the_way({next_one}, {full})
    assert not is_in_the_way({next_one}, {full, "inc.20260101T000000Z.to.20260301T000000Z"})
    assert not is_in_the_way({"full.20260201T000000Z"}, {full})
    assert not is_in_the_way({next_one}, set())
