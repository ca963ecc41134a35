"""Drills with real duplicity and gpg: what passes, what is found, what is left behind, and who hears of it."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from pathlib import Path

import pytest
from drill.scenes import drilled, everything_in, make_chains, memory, volumes, work_folders
from laptop import Laptop, next_second
from panicroom.exit_codes import ExitCode

READERS = ("machine", "files", "downloads", "drills", "thaws")
"""What a reader's token may call."""


@pytest.fixture(scope="module")
def made_once(laptop_of_file: Laptop) -> Laptop:
    make_chains(laptop_of_file)
    return laptop_of_file


def test_a_sound_archive_passes_with_the_calls_of_a_reader_and_leaves_nothing(backed_up: Laptop) -> None:
    calls: set[str] = set()

    def record(_method: str, path: str) -> None:
        if path.startswith("/api/"):
            calls.add(path.split("/")[-1] if "/thaws" not in path else "thaws")

    backed_up.service.trouble = record
    before = everything_in(backed_up.home)
    code, said = drilled(backed_up)
    assert (code, said["outcome"]) == (0, "passed"), said
    assert calls <= set(READERS)
    after = everything_in(backed_up.home)
    new = {path for path in after if after[path] != before.get(path)}
    known = ("drill.json", "drill.lock", "origins.json", "metadata.json")
    allowed = {*(f"state/laptop/system/{name}" for name in known), "state/panicroom.log", "story.log"}
    assert {path for path in new if not path.startswith("cache/archive/")} <= allowed
    assert work_folders(backed_up) == []
    assert len(said["files"]) == 3
    for file in said["files"]:
        assert (backed_up.source / file["path"]).is_file()
    (report,) = backed_up.service.drills.reports
    assert (report["outcome"], report["files"], report["volumes"]) == ("passed", 3, len(said["volumes"]))
    assert report["bytes"] == sum(file["bytes"] for file in said["files"])
    assert not any(file["path"].split("/")[-1] in json.dumps(report) for file in said["files"])
    assert memory(backed_up)["drilled"].keys() == set(said["volumes"])


def test_it_says_what_it_restored_and_status_shows_it(backed_up: Laptop) -> None:
    assert "system: no drill has passed yet" in backed_up.succeed("status")
    said = backed_up.succeed("drill")
    assert "system: the drill has passed: 3 files (" in said
    assert said.count(" as of ") == 3
    assert "system: last drill passed" in backed_up.succeed("status")
    (job,) = json.loads(backed_up.run("status", "--json").stdout)["jobs"]
    assert job["drill"]["outcome"] == "passed"
    assert job["drill"]["due"] is False


def test_a_volume_that_is_not_stored_is_named_without_any_download(backed_up: Laptop) -> None:
    oldest = volumes(backed_up, "full.")[0]
    del backed_up.service.objects[f"system/{oldest}"]
    code, said = drilled(backed_up)
    assert (code, said["outcome"]) == (ExitCode.RESTORE_INCOMPLETE, "failed")
    assert "volume 1 of the set full." in said["message"]
    assert not [name for name in backed_up.service.sent if ".vol" in name]
    (report,) = backed_up.service.drills.reports
    assert report["message"] == said["message"]
    assert "THE NEWEST FAILED" in backed_up.succeed("status")


def test_a_set_that_lost_its_manifest_or_signatures_is_named(backed_up: Laptop) -> None:
    first, *_others = backed_up.service.sealed()
    backed_up.service.lose(first.removeprefix("full."), "sigtar", "full")
    code, said = drilled(backed_up)
    assert code == ExitCode.RESTORE_INCOMPLETE
    assert f"the signatures of the set {first} are not stored" in said["message"]


def test_an_increment_whose_base_is_gone_is_named(backed_up: Laptop) -> None:
    first, second, *_others = backed_up.service.sealed()
    backed_up.service.lose(first, "manifest")
    code, said = drilled(backed_up)
    assert code == ExitCode.RESTORE_INCOMPLETE
    assert f"the set {second} cannot be restored" in said["message"]
    assert f"the set {first} has lost its manifest" in said["message"]


def test_what_failed_is_drilled_again_until_it_is_right(backed_up: Laptop) -> None:
    """A damaged volume is not forgotten because the next drill is luckier."""
    objects = backed_up.service.objects
    sound = {name: objects[f"system/{name}"].data for name in volumes(backed_up)}
    for name, data in sound.items():
        objects[f"system/{name}"].data = data[:-40] + bytes(byte ^ 1 for byte in data[-40:])
    code, said = drilled(backed_up)
    assert (code, said["outcome"]) == (ExitCode.RESTORE_INCOMPLETE, "failed")
    damaged = next(name for name in sound if name in said["message"])
    for name, data in sound.items():
        if name != damaged:
            objects[f"system/{name}"].data = data
    picks = memory(backed_up)["picks"]
    for _again in range(2):
        code, said = drilled(backed_up)
        assert code == ExitCode.RESTORE_INCOMPLETE
        assert damaged in said["message"]
        assert memory(backed_up)["picks"] == picks
    objects[f"system/{damaged}"].data = sound[damaged]
    assert drilled(backed_up)[0] == 0
    assert memory(backed_up)["picks"] == []
    assert backed_up.service.drills.outcomes == ["failed", "failed", "failed", "passed"]


def test_a_passphrase_that_is_another_now_is_said(backed_up: Laptop) -> None:
    code, said = drilled(backed_up, PASSPHRASE="another")
    assert (code, said["outcome"]) == (ExitCode.PASSPHRASE, "failed")
    assert "passphrase" in said["message"]
    assert backed_up.service.drills.outcomes == ["failed"]
    assert not [name for name in backed_up.service.sent if ".vol" in name]


def test_a_passphrase_that_is_another_now_is_said_where_nothing_is_remembered(backed_up: Laptop) -> None:
    for name in ("origins.json", "metadata.json"):
        (backed_up.home / "state" / "laptop" / "system" / name).unlink()
    code, said = drilled(backed_up, PASSPHRASE="another")
    assert (code, said["outcome"]) == (ExitCode.PASSPHRASE, "failed")
    assert "passphrase" in said["message"]


def test_a_passphrase_that_was_changed_in_the_proper_way_passes(backed_up: Laptop) -> None:
    backed_up.succeed("passphrase", "change", NEW_PASSPHRASE="a new one")
    backed_up.succeed("backup")
    for _drill in range(2):
        code, said = drilled(backed_up)
        assert code == 0, said


def test_a_set_that_somebody_else_made_is_named(backed_up: Laptop) -> None:
    newest = backed_up.service.sealed()[-1]
    for key, stored in backed_up.service.objects.items():
        if newest in key and "manifest" in key:
            stored.metadata["proof"] = "0f" * 32
            stored.stored_at = "2026-12-24T00:00:00Z"
    code, said = drilled(backed_up)
    assert (code, said["outcome"]) == (ExitCode.RESTORE_INCOMPLETE, "failed")
    assert f"the set {newest} was not made by this machine" in said["message"]
    assert f"ops set quarantine laptop system {newest}" in said["message"]


def test_offline_it_ends_with_75_and_reports_nothing(backed_up: Laptop) -> None:
    backed_up.service.trouble = lambda _method, path: -1 if path.startswith("/api") else None
    ended = backed_up.run("drill")
    assert ended.returncode == ExitCode.TRY_LATER
    assert "cannot be reached" in ended.stderr
    assert backed_up.service.drills.reports == []


def test_a_report_that_is_lost_is_made_by_the_next_call(backed_up: Laptop) -> None:
    backed_up.service.trouble = lambda _method, path: 503 if path.endswith("/drills") else None
    process = backed_up.start("drill")
    taken = threading.Event()

    def wait_for_report(_method: str, path: str) -> int | None:
        if path.endswith("/drills"):
            taken.set()
            return 503
        return None

    backed_up.service.trouble = wait_for_report
    assert taken.wait(100)
    process.kill()
    process.communicate()
    picks = memory(backed_up)["picks"]
    backed_up.service.trouble = lambda _method, _path: None
    code, said = drilled(backed_up)
    assert code == 0
    assert sorted(file["path"] for file in said["files"]) == sorted(
        bytes.fromhex(path.replace("/", "2f")).decode() for _set, _number, path in picks
    )
    assert backed_up.service.drills.outcomes == ["passed"]


def held_at_a_volume(laptop: Laptop) -> tuple[subprocess.Popen[str], threading.Event]:
    """A drill that waits in the download of a volume, until the event is set."""
    reached, go_on = threading.Event(), threading.Event()

    def hold(name: str) -> None:
        if ".vol" in name:
            reached.set()
            go_on.wait(60)

    laptop.service.on_get = hold
    process = laptop.start("drill")
    assert reached.wait(100)
    return process, go_on


def test_killed_in_the_download_it_leaves_a_folder_that_the_next_one_removes(backed_up: Laptop) -> None:
    process, go_on = held_at_a_volume(backed_up)
    (folder,) = work_folders(backed_up)
    assert folder.stat().st_mode & 0o077 == 0
    process.kill()
    process.communicate()
    backed_up.service.on_get = lambda _name: None
    go_on.set()
    assert folder.exists()
    assert drilled(backed_up)[0] == 0
    assert work_folders(backed_up) == []
    assert backed_up.service.drills.outcomes == ["passed"]


def test_ctrl_c_ends_it_without_a_report_and_a_second_one_at_once_is_refused(backed_up: Laptop) -> None:
    process, go_on = held_at_a_volume(backed_up)
    second = backed_up.run("drill")
    assert second.returncode == ExitCode.TRY_LATER
    assert "another drill of this job is running" in second.stderr
    process.send_signal(signal.SIGINT)
    go_on.set()
    process.communicate(timeout=60)
    assert process.returncode == ExitCode.INTERRUPTED
    assert work_folders(backed_up) == []
    assert backed_up.service.drills.reports == []


def test_a_disk_without_room_is_skipped_and_no_failure_of_the_backup(backed_up: Laptop) -> None:
    disk = backed_up.home / "cache" / "work"
    disk.mkdir(exist_ok=True)
    mounting = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if subprocess.run(mounting, capture_output=True, check=False).returncode != 0:
        pytest.skip("a disk of one's own takes the rights of root, and Linux")
    try:
        code, said = drilled(backed_up)
        left = list(disk.rglob("drill-*"))
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], capture_output=True, check=False)
    assert (code, said["outcome"]) == (ExitCode.SPACE, "skipped"), said
    assert left == []
    assert backed_up.service.drills.outcomes == ["skipped"]
    assert not [name for name in backed_up.service.sent if ".vol" in name]


def test_a_service_that_is_older_than_drills_is_named(backed_up: Laptop) -> None:
    backed_up.service.drills.known = False
    ended = backed_up.run("drill")
    assert ended.returncode == ExitCode.REFUSED
    assert "older than this client" in ended.stderr


def test_without_a_backup_it_is_skipped(laptop: Laptop) -> None:
    (laptop.source / "file").write_text("not backed up yet")
    laptop.enrol()
    code, said = drilled(laptop)
    assert (code, said["outcome"]) == (ExitCode.NOT_FOUND, "skipped")
    assert "there is no backup yet" in said["message"]


def test_of_a_set_of_folders_alone_the_volume_is_read(laptop: Laptop) -> None:
    (laptop.source / "file").write_text("the only one")
    laptop.enrol()
    laptop.succeed("backup")
    (laptop.source / "one" / "two").mkdir(parents=True)
    next_second()
    laptop.succeed("backup")
    code, said = drilled(laptop)
    assert (code, said["outcome"], len(said["files"])) == (0, "passed", 1), said
    assert said["volumes"] == volumes(laptop)
    (volume,) = volumes(laptop, "inc.")
    stored = laptop.service.objects[f"system/{volume}"]
    stored.data = stored.data[:-1] + bytes([stored.data[-1] ^ 1])
    code, said = drilled(laptop)
    assert code == ExitCode.RESTORE_INCOMPLETE
    assert f"{volume} is damaged" in said["message"]


def test_empty_files_and_odd_names_are_drilled_as_others(laptop: Laptop, tmp_path: Path) -> None:
    for name in (b"empty", b"a\nb", b"\xff\xfe"):
        (tmp_path / "source" / name.decode("utf-8", "surrogateescape")).write_bytes(
            b"" if name == b"empty" else b"1"
        )
    laptop.enrol()
    laptop.succeed("backup")
    code, said = drilled(laptop)
    assert (code, len(said["files"])) == (0, 3), said
