"""``panicroom recover``: from a sheet, a code and a passphrase to everything, with real duplicity and gpg."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import threading
from pathlib import Path

import pytest
from laptop import PASSPHRASE, Laptop
from panicroom.exit_codes import ExitCode
from panicroom.recovery.recovery_code import new_recovery_code
from recovery.scenes import CODE, JOBS, everything_written, make_backups, new_computer, sheet
from test_commands import one_clear_line
from trees import differences, snapshot


@pytest.fixture(scope="module")
def made_once(laptop_of_file: Laptop) -> Laptop:
    make_backups(laptop_of_file)
    return laptop_of_file


@pytest.fixture
def computer(backed_up: Laptop) -> Laptop:
    """A new one; the old one is in the folder above."""
    return new_computer(backed_up)


def recover(computer: Laptop, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """As on a first day, all of it given."""
    given = {"RECOVERY_CODE": CODE, "PASSPHRASE": PASSPHRASE, **more}
    return computer.run("recover", sheet(computer), *words, **given)


def is_back(computer: Laptop, to: Path | None = None) -> None:
    folder = to or computer.home / "restored-laptop"
    old = computer.home.parent
    assert differences(snapshot(old / "source"), snapshot(folder / "system")) == []
    assert differences(snapshot(old / "photos"), snapshot(folder / "photos")) == []


# ---------------------------------------------------------------- all is well


def test_a_sheet_a_code_and_a_passphrase_bring_every_job_back(computer: Laptop) -> None:
    ended = recover(computer)
    assert ended.returncode == 0, ended.stderr
    is_back(computer)
    assert "laptop is back: " in ended.stdout
    assert "panicroom enrol http" in ended.stdout
    assert "python -m ops machine add laptop" in ended.stdout
    settings = (computer.home / "config" / "panicroom.toml").read_text()
    assert re.search(r"(?m)^reader = true$", settings)
    assert set(computer.secrets) == {"laptop.reader", "laptop.passphrase"}


def test_the_qr_codes_text_has_all_but_the_passphrase(computer: Laptop) -> None:
    ended = computer.run("recover", f"{sheet(computer)}/{CODE}", "--job", "photos", PASSPHRASE=PASSPHRASE)
    assert ended.returncode == 0, ended.stderr
    assert (computer.home / "restored-laptop" / "photos" / "harbour.raw").exists()
    assert not (computer.home / "restored-laptop" / "system").exists()


def test_the_code_is_in_no_file_and_no_output(computer: Laptop) -> None:
    """Nor is it in what has to be typed next, though it was an argument."""
    computer.service.thaws.archived.update(name for name in computer.service.names() if ".vol" in name)
    ended = computer.run("recover", f"{sheet(computer)}/{CODE}", "--yes", PASSPHRASE=PASSPHRASE)
    assert ended.returncode == ExitCode.TRY_LATER, ended.stderr
    assert "then run again: panicroom recover --yes" in ended.stderr
    for text in (CODE, CODE.replace("-", "")):
        assert text not in ended.stdout + ended.stderr
        assert [path for path, data in everything_written(computer) if text.encode() in data] == []


def test_dry_run_shows_what_would_be_fetched_and_restores_nothing(computer: Laptop) -> None:
    computer.service.thaws.archived.update(
        name for job in JOBS for name in computer.service.names(job) if ".vol" in name
    )
    ended = recover(computer, "--dry-run")
    assert ended.returncode == 0, ended.stderr
    assert re.search(r"(?m)^  system: \d+ files as of ", ended.stdout)
    assert "1 volumes" not in ended.stdout
    assert re.search(r"(?m)^  bulk +\$0\.02\d* ", ended.stdout), ended.stdout
    assert ended.stdout.count("  tier ") == 1, "one price for all jobs"
    assert not (computer.home / "restored-laptop").exists()
    assert computer.service.thaws.asked == []


def test_other_commands_work_without_a_folder_to_back_up(computer: Laptop) -> None:
    assert recover(computer, "--dry-run").returncode == 0
    assert "harbour.raw" in computer.succeed("files", "--job", "photos")
    assert computer.succeed("versions", "--job", "photos")
    assert computer.succeed("cost", "--job", "photos")
    computer.succeed("restore", "harbour.raw", "--job", "photos", "--to", str(computer.home / "one"))
    assert "opens" in computer.succeed("passphrase", "check")
    assert "only reads, until 2027-01-01" in computer.succeed("status")
    told = computer.succeed("doctor")
    assert "this computer only reads, by a recovery code" in told
    assert "panicroom backup" not in told
    ended = computer.run("restore", "/home/anna/x", "--job", "photos", "--to", str(computer.home / "two"))
    one_clear_line(ended, ExitCode.USAGE, "relative to that folder")
    one_clear_line(computer.run("verify", "--job", "photos"), ExitCode.SETTINGS, "panicroom recover")


def test_what_is_restored_is_what_verify_compares_with(computer: Laptop) -> None:
    assert recover(computer).returncode == 0
    assert "are equal" in computer.succeed("verify", "--job", "photos")
    (computer.home / "restored-laptop" / "photos" / "harbour.raw").write_bytes(b"changed")
    ended = computer.run("verify", "--job", "photos", "--quick")
    assert ended.returncode == ExitCode.DIFFERENT


@pytest.mark.parametrize(
    "words", [["backup"], ["schedule", "install"], ["passphrase", "change"], ["backup", "--dry-run"]]
)
def test_what_writes_says_what_to_type(computer: Laptop, words: list[str]) -> None:
    assert recover(computer, "--dry-run").returncode == 0
    one_clear_line(
        computer.run(*words), ExitCode.SETTINGS, f"panicroom enrol {computer.service.url} CODE", "machine add"
    )


# ---------------------------------------------------------------- the code


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (CODE[:-1], "30 characters"),
        ("", "RECOVERY_CODE"),
        (CODE[:6] + "2" + CODE[7:], "group 2 is mistyped"),
        ("-".join([CODE[6:11], CODE[:5], CODE[12:]]), "group 1 is mistyped"),
        ("U" + CODE[1:], "group 1 has a character"),
    ],
)
def test_a_mistyped_code_is_found_without_a_call(computer: Laptop, typed: str, said: str) -> None:
    calls: list[str] = []
    computer.service.trouble = lambda method, path: calls.append(path)
    ended = recover(computer, RECOVERY_CODE=typed)
    one_clear_line(ended, ExitCode.ENROLMENT if typed else ExitCode.USAGE, said)
    assert calls == []
    assert everything_written(computer) == []


def test_a_mistyped_code_in_the_line_of_the_qr_code_is_found_too(computer: Laptop) -> None:
    line = f"{sheet(computer)}/{CODE[:6]}2{CODE[7:]}"
    ended = computer.run("recover", line, PASSPHRASE=PASSPHRASE)
    one_clear_line(ended, ExitCode.ENROLMENT, "group 2 is mistyped")
    assert computer.service.tries == []


def test_lower_case_and_look_alikes_are_read_as_they_were_meant(computer: Laptop) -> None:
    typed = CODE.replace("0", "O").replace("1", "l").replace("-", " ").lower()
    ended = recover(computer, "--job", "photos", RECOVERY_CODE=typed)
    assert ended.returncode == 0, ended.stderr
    assert computer.service.tries == [CODE]


def test_a_code_is_good_for_a_second_computer(computer: Laptop, backed_up: Laptop) -> None:
    other = new_computer(backed_up, "other")
    for one in (computer, other):
        assert recover(one, "--job", "photos").returncode == 0
    assert len(computer.service.readers) == 2
    computer.succeed("status")


def test_a_code_that_was_replaced_or_ended_says_what_else_there_is(computer: Laptop) -> None:
    computer.service.recovery_code = new_recovery_code()
    ended = recover(computer)
    one_clear_line(
        ended,
        ExitCode.ENROLMENT,
        "not valid, or was replaced",
        "The second half of the sheet needs no code",
    )
    assert not (computer.home / "config" / "panicroom.toml").exists()


def test_an_address_that_guessed_too_often_is_not_kept_waiting(computer: Laptop) -> None:
    computer.service.tries_left = 0
    asked: list[str] = []
    computer.service.trouble = lambda _method, path: asked.append(path)
    one_clear_line(recover(computer), ExitCode.TRY_LATER, "try again in an hour")
    assert len(asked) == 1


def test_a_machine_that_the_service_does_not_know(computer: Laptop) -> None:
    ended = computer.run("recover", sheet(computer, "bens"), RECOVERY_CODE=CODE, PASSPHRASE=PASSPHRASE)
    one_clear_line(ended, ExitCode.ENROLMENT, "not valid")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("https://example.org/api#An na!", "no name"),
        ("http://example.org/api#laptop", "https://"),
        ("", "URL#MACHINE"),
    ],
)
def test_a_line_of_the_sheet_that_cannot_be(computer: Laptop, line: str, said: str) -> None:
    ended = computer.run("recover", *([line] if line else []), RECOVERY_CODE=CODE, PASSPHRASE=PASSPHRASE)
    one_clear_line(ended, ExitCode.USAGE, said)


# ---------------------------------------------------------------- the service


def test_a_service_that_is_gone_points_to_the_other_way(computer: Laptop) -> None:
    computer.service.close()
    one_clear_line(recover(computer), ExitCode.TRY_LATER, "cannot be reached", "part B of the recovery sheet")


@pytest.mark.parametrize("status", [404, 403, 500])
def test_what_answers_is_not_the_service_any_more(computer: Laptop, status: int) -> None:
    computer.service.trouble = lambda _method, _path: status
    ended = recover(computer)
    assert ended.returncode != 0
    assert "part B of the recovery sheet restores without the service" in ended.stderr
    assert "?;" not in ended.stderr


def test_the_answer_is_lost_and_the_same_command_gets_it_again(computer: Laptop) -> None:
    """As by a process that is killed after the call."""
    computer.service.loses_answer = lambda _method, path: path.endswith("/recoveries")
    assert recover(computer).returncode == ExitCode.TRY_LATER
    computer.service.loses_answer = lambda _method, _path: False
    assert recover(computer).returncode == 0
    is_back(computer)
    secret = hashlib.sha256(computer.secrets["laptop.reader"].encode()).hexdigest()
    assert list(computer.service.readers) == [secret], "one token, whatever was lost"
    assert set(computer.secrets) == {"laptop.reader", "laptop.passphrase"}


def test_killed_before_its_call_it_begins_anew(computer: Laptop) -> None:
    reached = threading.Event()

    def hold(_method: str, path: str) -> int | None:
        if path.endswith("/recoveries") and not reached.is_set():
            reached.set()
            return -1
        return None

    computer.service.trouble = hold
    process = computer.start("recover", sheet(computer), RECOVERY_CODE=CODE, PASSPHRASE=PASSPHRASE)
    assert reached.wait(100)
    process.kill()
    process.communicate()
    computer.service.trouble = lambda _method, _path: None
    assert recover(computer).returncode == 0
    is_back(computer)
    assert len(computer.service.readers) == 1


def test_a_token_whose_days_are_over_says_to_type_the_code_again(computer: Laptop) -> None:
    assert recover(computer, "--job", "photos").returncode == 0
    computer.service.readers.clear()
    for words in (["status"], ["files", "--job", "photos"], ["restore", "--job", "photos", "--to", "x"]):
        one_clear_line(
            computer.run(*words), ExitCode.NOT_AUTHORIZED, "type the code again: panicroom recover"
        )
    ended = computer.run("recover")
    assert ended.returncode == ExitCode.USAGE
    assert "the recovery code is needed again" in ended.stderr
    assert "RECOVERY_CODE" in ended.stderr
    ended = computer.run("recover", RECOVERY_CODE=CODE)
    assert ended.returncode == 0, ended.stderr
    is_back(computer)


def test_the_doctor_too_says_to_type_the_code_again(computer: Laptop) -> None:
    assert recover(computer, "--job", "photos").returncode == 0
    computer.service.readers.clear()
    ended = computer.run("doctor")
    assert ended.returncode == ExitCode.UNHEALTHY
    assert "type the code again: panicroom recover" in ended.stdout
    assert "enrol again" not in ended.stdout


def test_a_folder_that_cannot_be_made_is_refused_and_not_remembered(computer: Laptop) -> None:
    file = computer.home / "file"
    file.write_bytes(b"")
    one_clear_line(recover(computer, "--to", str(file)), ExitCode.TARGET, "is no folder")
    ended = computer.run("recover", PASSPHRASE=PASSPHRASE)
    assert ended.returncode == 0, ended.stderr
    is_back(computer)


# ---------------------------------------------------------------- the passphrase


def test_a_wrong_passphrase_costs_nothing_and_the_code_is_not_needed_again(computer: Laptop) -> None:
    thaws = computer.service.thaws
    thaws.archived.update(name for name in computer.service.names() if ".vol" in name)
    one_clear_line(
        recover(computer, "--yes", PASSPHRASE="wrong"),
        ExitCode.PASSPHRASE,
        "does not open the stored backups of system, photos",
        "nothing was spent",
    )
    assert thaws.requests == []
    one_clear_line(computer.run("recover"), ExitCode.PASSPHRASE, "PASSPHRASE")
    thaws.archived.clear()
    assert computer.run("recover", PASSPHRASE=PASSPHRASE).returncode == 0
    is_back(computer)
    assert computer.service.tries == [CODE]


def test_a_job_with_an_earlier_passphrase_is_left_out_and_named(computer: Laptop, backed_up: Laptop) -> None:
    """The photos have not changed since the passphrase was."""
    backed_up.service.jobs = JOBS
    backed_up.succeed("passphrase", "change", "--yes", NEW_PASSPHRASE="a newer one")
    backed_up.succeed("backup", "system")
    ended = recover(computer, PASSPHRASE="a newer one")
    assert ended.returncode == ExitCode.PASSPHRASE
    assert "PASSPHRASE=... panicroom recover --job photos" in ended.stderr
    ended = computer.run("recover", "--job", "photos", PASSPHRASE=PASSPHRASE)
    assert ended.returncode == 0, ended.stderr
    is_back(computer)
    assert computer.secrets["laptop.passphrase"] == "a newer one"


# ---------------------------------------------------------------- through the archive, and killed


def test_everything_comes_back_through_the_archive_without_the_code(computer: Laptop) -> None:
    thaws = computer.service.thaws
    thaws.archived.update(name for job in JOBS for name in computer.service.names(job) if ".vol" in name)
    asked = recover(computer)
    assert asked.returncode == ExitCode.USAGE
    assert "to agree, run: panicroom recover --yes --tier bulk --max-cost 0.0" in asked.stderr
    assert asked.stderr.count("to agree") == 1, "one price and one question for all jobs"
    assert thaws.asked == []
    ended = computer.run("recover", "--yes")
    assert ended.returncode == ExitCode.TRY_LATER
    assert ended.stderr.count("then run again: panicroom recover --yes") == 2
    assert len(thaws.under_way) == len(thaws.archived), "no job waits for another's thaw"
    assert computer.run("recover").returncode == ExitCode.TRY_LATER
    thaws.finish()
    ended = computer.run("recover")
    assert ended.returncode == 0, ended.stderr
    is_back(computer)
    assert len(thaws.asked) == len(thaws.archived)


def test_wait_begins_all_thaws_before_it_waits(computer: Laptop) -> None:
    thaws = computer.service.thaws
    thaws.archived.update(name for job in JOBS for name in computer.service.names(job) if ".vol" in name)

    def on_look() -> None:
        if len(thaws.asked) == len(thaws.archived):
            thaws.finish()

    thaws.on_look = on_look
    ended = recover(computer, "--yes", "--wait")
    assert ended.returncode == 0, ended.stderr
    is_back(computer)


def test_max_cost_is_for_all_jobs_together(computer: Laptop) -> None:
    thaws = computer.service.thaws
    thaws.archived.update(name for job in JOBS for name in computer.service.names(job) if ".vol" in name)
    ended = recover(computer, "--yes", "--max-cost", "0.01")
    assert ended.returncode == ExitCode.USAGE
    assert "which is more than --max-cost 0.01; nothing more was spent" in ended.stderr
    assert thaws.asked == []


def test_killed_while_it_restores_it_goes_on_from_any_folder(computer: Laptop) -> None:
    taken = threading.Event()
    computer.service.on_get = lambda name: taken.set() if ".vol" in name else None
    process = computer.start("recover", sheet(computer), RECOVERY_CODE=CODE, PASSPHRASE=PASSPHRASE)
    assert taken.wait(100)
    process.kill()
    process.communicate()
    computer.folder = computer.home / "source"
    ended = computer.run("recover")
    assert ended.returncode == 0, ended.stderr
    is_back(computer)


def test_killed_when_a_folder_has_got_its_name_the_job_is_not_restored_again(computer: Laptop) -> None:
    assert recover(computer, "--job", "system").returncode == 0
    settings = computer.home / "config" / "panicroom.toml"
    settings.write_text(re.sub(r'(?m)^source = ".*"$', '# source = ""', settings.read_text()))
    computer.service.sent.clear()
    ended = computer.run("recover")
    assert ended.returncode == 0, ended.stderr
    assert "system: restored already, to " in ended.stdout
    is_back(computer)
    assert 'restored-laptop/system"' in settings.read_text()


def test_a_folder_that_was_removed_is_restored_again(computer: Laptop) -> None:
    assert recover(computer, "--job", "system").returncode == 0
    shutil.rmtree(computer.home / "restored-laptop" / "system")
    assert computer.run("recover").returncode == 0
    is_back(computer)


def test_a_job_that_was_added_since_comes_back_as_well(computer: Laptop) -> None:
    computer.service.jobs = ("system",)
    assert recover(computer).returncode == 0
    computer.service.jobs = JOBS
    assert computer.run("recover").returncode == 0
    is_back(computer)


def test_what_is_damaged_is_named_each_time(computer: Laptop) -> None:
    computer.service.lose("full", ".vol1.")
    ended = recover(computer)
    assert ended.returncode == ExitCode.RESTORE_INCOMPLETE
    assert "system: " in ended.stderr
    again = computer.run("recover")
    assert again.returncode == ExitCode.RESTORE_INCOMPLETE
    assert again.stderr == ended.stderr
    old = computer.home.parent
    folder = computer.home / "restored-laptop" / "photos"
    assert differences(snapshot(old / "photos"), snapshot(folder)) == []


# ---------------------------------------------------------------- this computer


def test_a_folder_that_is_there_is_said_before_anything_is_asked(computer: Laptop) -> None:
    (computer.home / "restored-laptop" / "photos").mkdir(parents=True)
    (computer.home / "restored-laptop" / "photos" / "mine").write_text("mine")
    one_clear_line(recover(computer), ExitCode.TARGET, "restored-laptop/photos is there already", "--to DIR")
    to = computer.home / "elsewhere"
    ended = computer.run("recover", "--to", str(to), PASSPHRASE=PASSPHRASE)
    assert ended.returncode == 0, ended.stderr
    is_back(computer, to)


def test_a_full_disk_ends_it_and_room_lets_it_go_on(computer: Laptop, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(disk)]
    if subprocess.run(mounting, capture_output=True, check=False).returncode != 0:
        pytest.skip("a disk of one's own takes the rights of root, and Linux")
    try:
        ended = recover(computer, "--to", str(disk / "out"))
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], capture_output=True, check=False)
    assert ended.returncode == ExitCode.SPACE, ended.stderr
    to = computer.home / "out"
    assert computer.run("recover", "--to", str(to)).returncode == 0
    is_back(computer, to)


def test_a_computer_that_is_enrolled_is_left_as_it_is(computer: Laptop, backed_up: Laptop) -> None:
    before = everything_written(backed_up)
    ended = backed_up.run("recover", sheet(backed_up), RECOVERY_CODE=CODE, PASSPHRASE=PASSPHRASE)
    one_clear_line(
        ended, ExitCode.SETTINGS, "enrolled as laptop already", "panicroom restore", "PANICROOM_CONFIG_DIR"
    )
    assert everything_written(backed_up) == before
    assert computer.service.tries == []


def test_two_machines_do_not_share_a_computers_settings(computer: Laptop) -> None:
    assert recover(computer, "--dry-run").returncode == 0
    ended = computer.run("recover", sheet(computer, "bens"), RECOVERY_CODE=CODE)
    one_clear_line(ended, ExitCode.SETTINGS, "reads the backups of laptop already; for bens,")


def test_a_keyring_keeps_the_token_of_an_enrolled_machine_apart(computer: Laptop, backed_up: Laptop) -> None:
    """Both have the names of the same machine in one keyring."""
    keyring = backed_up.home / "keyring.json"
    session = {
        "PANICROOM_KEYRING": "",
        "PYTHON_KEYRING_BACKEND": "session_keyring.SessionKeyring",
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "KEYRING_FILE": str(keyring),
    }
    keyring.write_text(json.dumps({"laptop.secret": "f" * 64}))
    assert recover(computer, "--dry-run", **session).returncode == 0
    kept = json.loads(keyring.read_text())
    assert kept["laptop.secret"] == "f" * 64
    assert "laptop.reader" in kept
