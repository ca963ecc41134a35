"""The recovery sheet as text: all that is needed but the passphrase, and lines that restore."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess

import pytest
from laptop import PASSPHRASE, Laptop, next_second
from panicroom.exit_codes import Problem
from panicroom.recovery import plain_way
from panicroom.recovery.install import install_lines
from panicroom.recovery.sheet.code import asked_code, refuse_replaced
from panicroom.recovery.sheet.page import Page
from panicroom.recovery.sheet.price import newest_volumes, price_text
from panicroom.recovery.sheet.text import COLUMNS, LINES, as_text
from panicroom.settings import Settings
from panicroom.wire import ListedFile, RecoveryCodeStatus, ThawOffer, ThawPlan, ThawState, ThawTier
from sheets import (
    BUCKET,
    CODE,
    DIRECTLY,
    FROM_A_FOLDER,
    NAMES,
    PRICE,
    URL,
    a_machine,
    a_page,
    answer,
    largest_pages,
    lines_of,
    type_it,
    with_a_key,
)
from trees import differences, make_tree, snapshot


@pytest.mark.parametrize("page", largest_pages().values(), ids=largest_pages())
def test_it_fits_two_pages_of_paper_with_each_way_back_on_one(page: Page) -> None:
    pages = as_text(page).split("\f")
    assert len(pages) <= 2
    assert max(len(part.splitlines()) for part in pages) <= LINES
    assert "\nA. WITH THE SERVICE" in pages[0]
    assert "\nB. WITHOUT THE SERVICE" in pages[-1]
    wide = [line for line in as_text(page).splitlines() if len(line) > COLUMNS]
    assert [line for line in wide if len(line.split()) > 2] == [], "only a long name makes a line too long"
    if "m" * 41 not in page.machine:
        assert wide == []


def test_it_says_who_and_where_in_the_service_and_in_aws() -> None:
    text = as_text(a_page(a_machine(2), answer(a_machine(2)), price=PRICE))
    for fact in (
        URL,
        "annas-laptop",
        "123456789012",
        "https://123456789012.signin.aws.amazon.com/console",
        "eu-central-1",
        "prod",
        BUCKET,
        f"s3://{BUCKET}/_service/client/",
        "photos-0: /home/anna/0, under annas-laptop/photos-0/",
        "photos-1: /home/anna/1, under annas-laptop/photos-1/",
        "about $1,234.56",
        f"panicroom recover \\\n    '{URL}#annas-laptop'",
        f"{URL}/client",
    ):
        assert fact in text
    assert "BUCKET" not in text
    assert "REGION'" not in text


def test_each_job_has_its_names_for_the_shell() -> None:
    text = " ".join(as_text(a_page(a_machine(2), answer(a_machine(2)))).split())
    assert f"B={BUCKET} J=photos-0 P=annas-laptop/photos-0/" in text
    assert "For photos-1: J=photos-1 P=annas-laptop/photos-1/" in text


def test_of_many_jobs_it_has_the_names_of_those_that_have_no_line() -> None:
    text = as_text(a_page(a_machine(8), answer(a_machine(8))))
    assert "More jobs      photos-3, photos-4, photos-5, photos-6, photos-7" in text


def test_a_bucket_of_its_own_has_no_prefix() -> None:
    text = as_text(a_page(a_machine(), answer(a_machine(), prefix="", bucket="old-bucket")))
    assert "B=old-bucket\n" in text
    assert "J=photos-0 P=\n" in text
    assert "--exclude '*/*'" in text
    assert "/home/anna/0, under no prefix" in text
    assert f"s3://{BUCKET}/_service/client/" in text, "the client is in the service's own bucket all the same"


def test_jobs_in_several_buckets_have_each_its_own() -> None:
    settings = a_machine(2)
    ours, adopted = answer(settings), answer(settings, prefix="", bucket="old-bucket")
    status = dataclasses.replace(ours, jobs=(ours.jobs[0], adopted.jobs[1]))
    text = " ".join(as_text(a_page(settings, status)).split())
    assert "under no prefix of the bucket old-bucket" in text
    assert "For photos-1: B=old-bucket; J=photos-1 P=" in text


def test_where_the_service_cannot_be_asked_it_has_blanks() -> None:
    text = as_text(a_page(a_machine(), None))
    for name in ("AWS account", "Sign in at", "Region", "Stage", "Bucket", "Recovery code", "Program"):
        assert re.search(rf"^{name} +____", text, re.MULTILINE), name
    assert "B=BUCKET\n" in text
    assert "AWS_REGION=REGION" in text
    assert f"'{URL}#annas-laptop'" in text


def test_without_a_code_it_has_room_for_one_and_says_which() -> None:
    text = as_text(a_page(a_machine(), answer(a_machine())))
    assert "Recovery code  _____-_____-_____-_____-_____-MNPQS" in text
    assert "Made on 2026-10-12" in text


def test_a_code_that_was_given_is_on_it() -> None:
    assert f"Recovery code  {CODE}\n" in as_text(a_page(a_machine(), answer(a_machine()), CODE))


def test_with_a_key_it_has_that_and_the_proof_key_and_asks_for_no_passphrase_of_ours() -> None:
    settings = with_a_key(a_machine())
    text = as_text(a_page(settings, answer(settings)))
    assert f"GnuPG key      {settings.encrypt_key}" in text
    assert "ab" * 32 in text
    assert "export PROOF_KEY=" in text
    assert text.count("gpg --import secret-key-file") == 2
    assert f"panicroom recover --gpg-key {settings.encrypt_key} \\" in text
    assert "--use-agent" in text
    assert "passphrase above" not in text


HOSTILE = "x\x1b[2J\u202e'; rm -rf ~ #`reboot`$(reboot)<script>alert(1)</script>"


def test_texts_of_a_hostile_service_are_quoted_or_left_out() -> None:
    settings = a_machine()
    status = answer(settings, prefix=HOSTILE, bucket=HOSTILE)
    status = dataclasses.replace(
        status,
        region=HOSTILE,
        account=HOSTILE,
        stage=HOSTILE,
        recovery_code=dataclasses.replace(status.recovery_code, last_group=HOSTILE, made_at=HOSTILE),
    )
    text = as_text(a_page(settings, status))
    assert "\x1b" not in text
    assert "\u202e" not in text
    for name in ("AWS account", "Region", "Stage", "Recovery code"):
        assert re.search(rf"^{name} +____", text, re.MULTILINE), name
    script = lines_of(text, NAMES) + '\nprintf "%s|%s" "$B" "$P"'
    said = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, check=True).stdout
    shown = HOSTILE.replace("\x1b", "?").replace("\u202e", "?")
    assert said == f"{shown}|{shown}/", "bash reads it as a name, and runs nothing of it"


@pytest.mark.parametrize("settings", [a_machine(), with_a_key(a_machine())], ids=["passphrase", "key"])
def test_its_lines_are_those_that_other_tests_type(settings: Settings) -> None:
    stored = plain_way.StoredJob(
        "photos-0",
        BUCKET,
        "annas-laptop/photos-0/",
        "eu-central-1",
        with_key=settings.encrypt_key is not None,
    )
    tried = (
        install_lines(URL),
        plain_way.names(stored),
        plain_way.ask_for_copies(),
        plain_way.what_is_cold(),
        plain_way.copy_down(stored),
        plain_way.restore(stored),
    )
    typed = [line.strip() for line in as_text(a_page(settings, answer(settings))).splitlines()]
    places = [typed.index(lines[0].strip()) for lines in tried]
    assert places == sorted(places)
    for place, lines in zip(places, tried, strict=True):
        assert typed[place : place + len(lines)] == [line.strip() for line in lines]


def test_a_code_that_was_replaced_is_refused() -> None:
    settings, status = a_machine(), answer(a_machine())
    newer = dataclasses.replace(status, recovery_code=RecoveryCodeStatus("2026-11-20T08:00:00Z", "QQQQQ"))
    with pytest.raises(Problem, match="replaced on 2026-11-20 by one that ends in QQQQQ"):
        refuse_replaced(CODE, newer)
    refuse_replaced(CODE, status)
    refuse_replaced(CODE, None)
    refuse_replaced(CODE, dataclasses.replace(status, recovery_code=None, account=None))  # an older service
    assert CODE in as_text(a_page(settings, None, CODE))


def test_where_no_code_counts_the_sheet_says_so_and_takes_none() -> None:
    ended = dataclasses.replace(answer(a_machine()), recovery_code=None)
    with pytest.raises(Problem, match="no recovery code of this machine counts now"):
        refuse_replaced(CODE, ended)
    assert "There is none now" in as_text(a_page(a_machine(), ended))
    assert "Copy it from where enrol" in as_text(a_page(a_machine(), None))


def test_somebody_at_the_terminal_is_asked_until_the_code_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RECOVERY_CODE", raising=False)
    answers, said = iter(["", CODE.replace("4567", "4576"), f" {CODE.lower()} "]), list[str]()
    assert asked_code(lambda: next(answers), said.append) == CODE
    assert len(said) == 2
    assert "group 2 is mistyped" in said[1]


# ---------------------------------------------------------------- the price


def listed(name: str) -> ListedFile:
    return ListedFile(name, 10, "0a", "2026-11-22T20:50:00Z", "DEEP_ARCHIVE")


def test_the_price_is_of_all_volumes_of_the_newest_chain() -> None:
    old, full, more = (
        "full.20260101T000000Z",
        "full.20261101T000000Z",
        "inc.20261101T000000Z.to.20261102T000000Z",
    )
    files = [
        *(f"data_duplicity-{name}.vol1.difftar.gpg" for name in (old, full)),
        f"data_duplicity-{full}.vol2.difftar.gpg",
        f"data_duplicity-{more}.vol1.difftar.gpg",
        "data_duplicity-inc.20261102T000000Z.to.20261103T000000Z.vol1.difftar.gpg",
    ]
    for name in (old, full):
        files += [f"meta_duplicity-{name}.manifest.gpg"]
    files.append(f"meta_duplicity-{more}.manifest.gpg")
    newest = set(newest_volumes(listed(name) for name in files))
    assert newest == set(files[1:4]), "neither the older chain nor what has no manifest"


def plan(usd: float | None, tier: ThawTier | None = ThawTier.BULK, archived: int = 2) -> ThawPlan:
    offers = (
        ThawOffer("2026-11-24T00:00:00Z", ThawTier.STANDARD, 99.0),
        ThawOffer("2026-11-24T00:00:00Z", tier, usd),
    )
    return ThawPlan(
        "a", ThawState.PLANNED, 2**30, 2**30, archived, 0, 0, (), offers[tier is None :], False, 1.0
    )


def test_the_price_is_by_bulk_and_of_all_jobs_together() -> None:
    text = price_text([plan(0.25), plan(0.5)])
    assert text is not None
    assert text.startswith("about $0.75 for everything (2.0 GB thawed by Bulk and downloaded)")
    assert "thawed" not in str(price_text([plan(0.5, None, archived=0)]))


def test_a_price_that_is_not_known_is_left_out() -> None:
    assert price_text([]) is None
    assert price_text([plan(0.25), plan(None)]) is None
    assert "Costs" not in as_text(a_page(a_machine(), answer(a_machine())))


# ---------------------------------------------------------------- the command


@pytest.fixture(scope="module")
def made_once(laptop_of_file: Laptop) -> Laptop:
    make_tree(laptop_of_file.source, files=8)
    laptop_of_file.enrol()
    laptop_of_file.succeed("backup")
    return laptop_of_file


@pytest.mark.parametrize(("pattern", "folder"), [(FROM_A_FOLDER, "restored"), (DIRECTLY, "directly")])
def test_its_words_restore_with_plain_duplicity(
    laptop: Laptop, made_once: Laptop, pattern: str, folder: str
) -> None:
    laptop.take_over(made_once)
    sheet = laptop.succeed("recovery-sheet")
    assert PASSPHRASE not in sheet
    assert "Costs       about $" in sheet
    (laptop.home / folder).mkdir(exist_ok=True)
    ended = type_it(laptop, sheet, pattern, PASSPHRASE=PASSPHRASE)
    assert ended.returncode == 0, ended.stderr
    assert differences(snapshot(laptop.source), snapshot(laptop.home / folder / "system")) == []


def test_a_price_that_cannot_be_had_is_left_out(laptop: Laptop, made_once: Laptop) -> None:
    """The day's plans are used up, or the service is older."""
    laptop.take_over(made_once)
    laptop.service.thaws.plans_left = 0
    sheet = laptop.succeed("recovery-sheet")
    assert "Costs" not in sheet
    assert "panicroom recover" in sheet


def test_the_time_on_it_gets_past_a_backup_that_was_never_finished(laptop: Laptop, made_once: Laptop) -> None:
    """Plain duplicity takes the volumes of an open increment for a part of the newest state."""
    laptop.take_over(made_once)
    expected = snapshot(laptop.source)
    next_second()
    for path in laptop.source.rglob("file-*"):
        path.write_bytes(os.urandom(300_000))
    laptop.service.trouble = lambda method, path: 403 if "vol3" in path and method == "PUT" else None
    laptop.run("backup")
    laptop.service.trouble = lambda _method, _path: None
    assert any("inc." in name for name in laptop.service.names())
    sheet = laptop.succeed("recovery-sheet")
    then = re.search(r"add --time (\S+)", " ".join(sheet.split()))
    assert then is not None
    ended = type_it(laptop, sheet, FROM_A_FOLDER, PASSPHRASE=PASSPHRASE, TIME=then[1])
    assert ended.returncode == 0, ended.stderr
    assert differences(expected, snapshot(laptop.home / "restored" / "system")) == []


def test_it_is_written_to_a_file_for_its_owner_alone_and_works_offline(laptop: Laptop) -> None:
    laptop.enrol()
    laptop.service.close()
    target = laptop.home / "sheet.txt"
    said = laptop.run("recovery-sheet", "--output", str(target))
    assert said.returncode == 0
    assert re.search(r"^Bucket +____", target.read_text(), re.MULTILINE)
    assert target.stat().st_mode & 0o777 == 0o600
    assert "cannot be reached" in said.stderr
    assert (
        said.stdout
        == f"{target} is ready to print; then write the passphrase and the recovery code on it by hand\n"
    )


def test_a_file_that_ends_in_html_is_a_page_for_the_printer(laptop: Laptop) -> None:
    laptop.enrol()
    target = laptop.home / "sheet.HTML"
    laptop.succeed("recovery-sheet", "--output", str(target))
    assert target.read_text().startswith("<!DOCTYPE html>")


def test_a_file_that_cannot_be_written_is_said(laptop: Laptop) -> None:
    laptop.enrol()
    (laptop.home / "file").touch()
    said = laptop.run("recovery-sheet", "--output", str(laptop.home / "file" / "sheet.txt"))
    assert said.returncode == 24
    assert "cannot be written" in said.stderr


def test_the_code_is_on_it_only_if_asked_for_and_is_checked_first(laptop: Laptop) -> None:
    laptop.enrol()
    target = laptop.home / "sheet.txt"
    assert CODE not in laptop.succeed("recovery-sheet", RECOVERY_CODE=CODE)
    said = laptop.succeed("recovery-sheet", "--code", "--output", str(target), RECOVERY_CODE=CODE.lower())
    assert CODE in target.read_text()
    assert f"delete {target} when it is printed" in said
    wrong = laptop.run("recovery-sheet", "--code", RECOVERY_CODE=CODE.replace("4567", "4568"))
    assert wrong.returncode == 2
    assert "group 2 is mistyped" in wrong.stderr
    assert "4568" not in wrong.stderr
    nobody = laptop.run("recovery-sheet", "--code")
    assert nobody.returncode == 2
    assert "RECOVERY_CODE" in nobody.stderr


def test_the_code_is_stored_nowhere(laptop: Laptop) -> None:
    laptop.enrol()
    laptop.succeed("recovery-sheet", "--code", RECOVERY_CODE=CODE)
    files = [path for folder in ("config", "state", "cache") for path in (laptop.home / folder).rglob("*")]
    assert files
    letters = CODE.encode()
    assert [path for path in files if path.is_file() and letters in path.read_bytes()] == []
