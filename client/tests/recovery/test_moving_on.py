"""A computer that has recovered a machine is enrolled: its backups go on with the same chain."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from fake_service import CODE as ENROLMENT_CODE
from laptop import PASSPHRASE, Laptop, next_second
from panicroom.exit_codes import ExitCode
from recovery.scenes import CODE, make_backups, new_computer, sheet
from trees import differences, snapshot


@pytest.fixture(scope="module")
def made_once(laptop_of_file: Laptop) -> Laptop:
    make_backups(laptop_of_file)
    return laptop_of_file


@pytest.fixture
def recovered(backed_up: Laptop) -> Laptop:
    """A new computer on which all is restored; the owner has given a new enrolment code."""
    computer = new_computer(backed_up)
    computer.succeed("recover", sheet(computer), RECOVERY_CODE=CODE, PASSPHRASE=PASSPHRASE)
    computer.service.secret_sha256 = computer.service.recovery_code = None
    return computer


def test_the_next_backup_is_an_increment_and_restores(recovered: Laptop, backed_up: Laptop) -> None:
    home = recovered.home / "home"
    (recovered.home / "restored-laptop" / "system").rename(home)
    words = ["--source", f"system={home}", "--source", f"photos={recovered.home / 'restored-laptop/photos'}"]
    recovered.succeed("enrol", recovered.service.url, ENROLMENT_CODE, *words, "--yes")
    settings = (recovered.home / "config" / "panicroom.toml").read_text()
    assert re.search(r"(?m)^reader = false$", settings)
    assert f'source = "{home}"' in settings
    assert set(recovered.secrets) == {"laptop.secret", "laptop.passphrase"}
    (home / "new").write_text("new")
    next_second()
    recovered.succeed("backup")
    assert [name.split(".")[0] for name in recovered.service.sealed()] == ["full", "inc"]
    volumes = [name for name in recovered.service.names() if "inc." in name and ".vol" in name]
    stored = sum(len(recovered.service.objects[f"system/{name}"].data) for name in volumes)
    assert stored < 100_000, "what was moved is not uploaded again"
    recovered.succeed("restore", "--job", "system", "--to", str(recovered.home / "again"))
    assert differences(snapshot(home), snapshot(recovered.home / "again")) == []
    ended = backed_up.run("backup")
    assert ended.returncode == ExitCode.NOT_AUTHORIZED


def test_without_questions_the_restored_folders_are_backed_up(recovered: Laptop) -> None:
    recovered.succeed("enrol", recovered.service.url, ENROLMENT_CODE, "--yes")
    recovered.succeed("backup")
    assert len(recovered.service.sealed()) == 2
    assert "this computer only reads" not in recovered.succeed("status")


def test_an_enrolment_that_fails_leaves_a_computer_that_reads(recovered: Laptop) -> None:
    ended = recovered.run("enrol", recovered.service.url, "wrong", "--yes")
    assert ended.returncode == ExitCode.ENROLMENT
    recovered.succeed("status")
    ended = recovered.run("enrol", recovered.service.url, ENROLMENT_CODE, "--source", "system=/no", "--yes")
    assert ended.returncode == ExitCode.SOURCE
    assert "only reads" in recovered.succeed("status")
    recovered.succeed("enrol", recovered.service.url, ENROLMENT_CODE, "--yes")


# ---------------------------------------------------------------- the recovery code of an enrolment


def enrol(laptop: Laptop, *words: str, passphrase: str = PASSPHRASE) -> tuple[int, str, str]:
    source = ["--source", str(laptop.source)]
    ended = laptop.run("enrol", laptop.service.url, ENROLMENT_CODE, *source, *words, PASSPHRASE=passphrase)
    return ended.returncode, ended.stdout, ended.stderr


def is_nowhere(laptop: Laptop, text: str) -> None:
    paths = [path for name in ("config", "state", "cache") for path in (laptop.home / name).rglob("*")]
    assert [path for path in paths if path.is_file() and text in path.read_text(errors="replace")] == []


def test_an_enrolment_shows_the_recovery_code_once_and_stores_it_nowhere(laptop: Laptop) -> None:
    laptop.service.recovery_code = CODE
    code, out, _err = enrol(laptop, "--yes")
    assert code == 0
    assert out.count(CODE) == 1
    assert "stored nowhere" in out
    is_nowhere(laptop, CODE)


def test_programs_get_the_recovery_code_as_json(laptop: Laptop) -> None:
    laptop.service.recovery_code = CODE
    code, out, _err = enrol(laptop, "--json")
    assert code == 0
    settings = str(laptop.home / "config" / "panicroom.toml")
    assert json.loads(out) == {"machine": "laptop", "settings": settings, "recovery_code": CODE}
    is_nowhere(laptop, CODE)


def test_the_sheet_of_an_enrolment_has_the_code(laptop: Laptop) -> None:
    laptop.service.recovery_code = CODE
    paper = laptop.home / "sheet.txt"
    code, _out, err = enrol(laptop, "--yes", "--sheet", str(paper))
    assert code == 0, err
    assert CODE in paper.read_text()
    assert "print it, then delete the file" in err
    is_nowhere(laptop, CODE)


@pytest.mark.parametrize("words", [["--yes"], ["--json"]])
def test_an_enrolment_that_fails_after_the_exchange_shows_it_too(
    backed_up: Laptop, words: list[str], tmp_path: Path
) -> None:
    """The service gives it until the token is used, and trying the passphrase uses it."""
    computer = new_computer(backed_up)
    computer.service.secret_sha256 = None
    code, out, err = enrol(computer, "--source", f"photos={tmp_path}", *words, passphrase="wrong")
    assert code == ExitCode.PASSPHRASE, err
    assert out.count(CODE) == 1
    assert os.path.exists(computer.home / "config" / "panicroom.toml") is False  # noqa: PTH110
