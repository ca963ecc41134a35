"""The machine around a backup: hooks, monitors, power, bare environments, other locales and other users."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from fake_service import CODE
from laptop import Laptop, preloaded
from panicroom.backup.hooks import around, run_command
from panicroom.duplicity_run.failures import explain
from panicroom.duplicity_run.plan import ChildPlan
from panicroom.duplicity_run.process import child_environment
from panicroom.exit_codes import EXPLANATIONS, ExitCode, Problem
from panicroom.settings import Hooks
from panicroom.setup.passphrase_trial import manifest_to_try
from panicroom.setup.power import battery_percent, is_metered
from panicroom.setup.settings_file import with_settings
from panicroom.terminal.status import exit_code_of, prometheus_text, status_json, write_metrics
from panicroom.wire import JobStatus, ListedFile, MachineStatus
from test_commands import one_clear_line
from trees import differences, snapshot


def enrol(laptop: Laptop) -> Laptop:
    (laptop.source / "file").write_text("content")
    laptop.enrol()
    return laptop


@pytest.fixture
def enrolled(laptop: Laptop) -> Laptop:
    return enrol(laptop)


@pytest.fixture(scope="module")
def made_once(laptop_of_file: Laptop) -> Laptop:
    enrol(laptop_of_file).succeed("backup")
    return laptop_of_file


def add_settings(laptop: Laptop, **tables: dict[str, str]) -> None:
    settings = laptop.home / "config" / "panicroom.toml"
    settings.write_text(with_settings(settings.read_text(), tables))


# ---------------------------------------------------------------- hooks


def test_a_command_before_a_backup_writes_into_it_and_one_that_fails_stops_it(enrolled: Laptop) -> None:
    dump = enrolled.source / "dump.sql"
    add_settings(enrolled, hooks={"before": f"echo $PANICROOM_JOB > {dump}", "failed": "exit 9"})
    enrolled.succeed("backup", "--job", "system")
    assert (enrolled.restore() / "dump.sql").read_text() == "system\n"
    add_settings(enrolled, hooks={"before": "echo no space >&2; exit 3"})
    one_clear_line(enrolled.run("backup"), ExitCode.HOOK, "exit code 3", "no space")
    assert len(enrolled.service.runs) == 1


def test_hooks_are_run_in_their_order_and_learn_how_it_ended(tmp_path: Path) -> None:
    log = tmp_path / "log"
    hooks = Hooks(
        before=f"echo before $PANICROOM_JOB >> {log}",
        after=f"echo after $PANICROOM_EXIT_CODE >> {log}",
        failed=f"echo failed $PANICROOM_EXIT_CODE >> {log}",
    )
    with around(hooks, "system", lambda _text: None):
        pass
    with (
        pytest.raises(Problem),
        around(hooks, "system", lambda _text: None),
    ):
        raise Problem("the disk is full", ExitCode.SPACE)
    assert log.read_text().splitlines() == ["before system", "after 0", "before system", "failed 26"]


def test_a_command_gets_no_secrets_and_is_ended_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PASSPHRASE", "NEW_PASSPHRASE", "PROOF_KEY"):
        monkeypatch.setenv(name, "a secret of ours")
    assert run_command("! env | grep 'a secret of ours'", {}) is None
    assert "it took more than" in str(run_command("sleep 60", {}, seconds=0.2))


def test_a_monitor_that_is_not_there_changes_nothing() -> None:
    said: list[str] = []
    with around(Hooks(ping_url="http://127.0.0.1:9/ping"), "system", said.append):
        pass
    assert len(said) == 2
    assert "monitor" in said[0]


# ---------------------------------------------------------------- power


def supply(folder: Path, name: str, **fields: str) -> None:
    (folder / name).mkdir()
    for field, value in fields.items():
        (folder / name / field).write_text(value + "\n")


def test_the_charge_counts_on_battery_only(tmp_path: Path) -> None:
    assert battery_percent(tmp_path / "nothing") is None
    supply(tmp_path, "BAT0", type="Battery", status="Discharging", capacity="17")
    supply(tmp_path, "mouse", type="Battery", status="Discharging", capacity="3", scope="Device")
    assert battery_percent(tmp_path) == 17
    supply(tmp_path, "AC", type="Mains", online="0")
    assert battery_percent(tmp_path) == 17
    (tmp_path / "AC" / "online").write_text("1\n")
    assert battery_percent(tmp_path) is None


@pytest.mark.parametrize(
    ("text", "metered"),
    [("", False), ("GENERAL.METERED:yes\n", True), ("GENERAL.METERED:no (guessed)\n", False)],
)
def test_networkmanager_says_whether_the_connection_is_metered(text: str, metered: bool) -> None:
    assert is_metered(text) == metered


# ---------------------------------------------------------------- status for programs


def status(**states: str) -> MachineStatus:
    jobs = tuple(
        JobStatus(
            job=name,
            state=state,
            period_seconds=86400,
            grace_seconds=86400,
            archive_class="GLACIER_IR",
            archive_after_days=7,
            newest_complete_at="2026-11-29T11:00:00Z" if state != "never" else None,
            chain_length=2,
            stored_bytes=1024,
        )
        for name, state in states.items()
    )
    return MachineStatus("laptop", "2026-11-29T12:00:00Z", jobs, "0.2.0", "0.1.0")


@pytest.mark.parametrize(
    ("state", "code"),
    [("fresh", 0), ("due", 0), ("settled", 0), ("paused", 0), ("never", 1), ("failing", 1), ("overdue", 2)],
)
def test_the_worst_job_gives_the_exit_code(state: str, code: int) -> None:
    assert exit_code_of(status(system="fresh", photos=state)) == code


def test_a_program_reads_states_ages_and_the_exit_code() -> None:
    data = json.loads(status_json(status(system="fresh", photos="never")))
    assert [(job["job"], job["state"], job["age_seconds"]) for job in data["jobs"]] == [
        ("system", "fresh", 3600),
        ("photos", "never", None),
    ]
    assert data["exit_code"] == 1


def test_prometheus_reads_the_age_of_each_job(tmp_path: Path) -> None:
    text = prometheus_text(status(system="overdue", photos="never"))
    labels = '{machine="laptop",job="system"}'
    assert f"panicroom_newest_backup_age_seconds{labels} 3600\n" in text
    assert f"panicroom_state{labels} 2\n" in text
    assert 'age_seconds{machine="laptop",job="photos"}' not in text
    write_metrics(tmp_path / "panicroom.prom", text)
    assert stat.S_IMODE((tmp_path / "panicroom.prom").stat().st_mode) == 0o644
    assert [path.name for path in tmp_path.iterdir()] == ["panicroom.prom"]
    with pytest.raises(Problem, match=r"\.prom"):
        write_metrics(tmp_path / "panicroom.txt", text)


# ---------------------------------------------------------------- environments


def test_duplicity_speaks_english_and_utf8_in_every_locale() -> None:
    ours = {"LC_ALL": "de_DE.ISO-8859-1", "LANGUAGE": "de", "PYTHONPATH": "/evil", "HOME": "/home/anna"}
    environment = child_environment(ours, ChildPlan("https://x", "system"), "token", "Schlüssel")
    assert environment["LANGUAGE"] == "C"
    assert environment["PYTHONUTF8"] == "1"
    assert environment["PASSPHRASE"] == "Schlüssel"
    assert "PYTHONPATH" not in environment


def test_a_backup_in_another_encoding_is_told_how_to_be_opened() -> None:
    errors = ("gpg: decryption failed: Bad session key",)
    log = Path("/log")
    assert "iconv" in str(explain(31, errors, log, {"PASSPHRASE": "Schlüssel"}))
    problem = explain(31, errors, log, {"PASSPHRASE": "plain"})
    assert "iconv" not in str(problem)
    assert problem.exit_code == ExitCode.PASSPHRASE


def test_a_bare_environment_is_enough(enrolled: Laptop) -> None:
    places = {name: value for name, value in enrolled.environment().items() if name.startswith("PANICROOM_")}
    bare = {**places, "GNUPGHOME": str(enrolled.gnupg)}
    for shell in ("exec {0} backup", "exec {0} backup >&-", "exec {0} backup <&-"):
        ended = subprocess.run(
            ["/bin/sh", "-c", shell.format(enrolled.command)],
            env=bare,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ended.returncode, ended.stderr) == (0, ""), shell


def test_a_backup_goes_on_when_nobody_reads_what_it_prints(enrolled: Laptop) -> None:
    process = subprocess.Popen(
        [str(enrolled.command), "backup"],
        env=enrolled.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert (process.stderr.read(), process.wait()) == ("", 0)
    assert len(enrolled.service.sealed()) == 1


def test_what_the_client_writes_is_closed_to_other_users(backed_up: Laptop) -> None:
    for folder in ("config", "state", "cache"):
        for path in [backed_up.home / folder, *(backed_up.home / folder).rglob("*")]:
            assert path.stat().st_mode & 0o077 == 0, path
    archive = backed_up.home / "cache" / "archive"
    archive.chmod(0o755)
    assert "warn  privacy" in backed_up.succeed("doctor")
    backed_up.succeed("backup")
    assert stat.S_IMODE(archive.stat().st_mode) == 0o700


@pytest.fixture(scope="session")
def latin_1(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables of a locale whose encoding is Latin-1."""
    folder = tmp_path_factory.mktemp("locales")
    command = ["localedef", "-i", "en_US", "-f", "ISO-8859-1", str(folder / "en_US.ISO-8859-1")]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this machine cannot make a locale: it lacks localedef or its sources")
    variables = {"LOCPATH": str(folder), "LC_ALL": "en_US.ISO-8859-1"}
    python = [sys.executable, "-c", "import sys; print(sys.getfilesystemencoding())"]
    said = subprocess.run(python, env=variables, check=True, capture_output=True, text=True).stdout
    assert said == "iso8859-1\n", "else the tests below would prove nothing"
    return variables


def test_under_a_latin_1_locale_names_and_passphrase_are_the_same_bytes_as_everywhere(
    laptop: Laptop, latin_1: dict[str, str]
) -> None:
    source = laptop.source / "Büro"
    source.mkdir()
    (source / "Straße").write_text("Größe")
    (source / os.fsdecode("Straße".encode("latin-1"))).write_text("as a program of that locale names it")
    secret = {**latin_1, "PASSPHRASE": "Schlüssel mit ä"}
    laptop.succeed("enrol", laptop.service.url, CODE, "--source", str(source), "--yes", **secret)
    laptop.succeed("backup", **latin_1)
    laptop.succeed("verify", **latin_1)
    laptop.succeed("restore", "--to", str(laptop.home / "Rückkehr"), **latin_1)
    assert differences(snapshot(source), snapshot(laptop.home / "Rückkehr")) == []
    laptop.succeed("restore", "--to", str(laptop.home / "elsewhere"), PASSPHRASE=secret["PASSPHRASE"])
    assert differences(snapshot(source), snapshot(laptop.home / "elsewhere")) == []


def test_exit_codes_have_a_help_of_their_own(laptop: Laptop) -> None:
    said = laptop.succeed("--help", "exit-codes")
    assert all(f"{int(code):<4} {text}" in said for code, text in EXPLANATIONS.items() if code != 40)
    usual = laptop.succeed("--help")
    assert "--help exit-codes" in usual
    assert EXPLANATIONS[ExitCode.CLOCK] not in usual


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("volum_mb = 5", "volume_mb"),
        ("[uplaod]\nvolume_mb = 5", "upload"),
        ("[jobs.photos]\nsorce = '/x'", "source"),
    ],
)
def test_a_misspelt_setting_is_refused_with_the_nearest_name(laptop: Laptop, wrong: str, said: str) -> None:
    laptop.enrol()
    settings = laptop.home / "config" / "panicroom.toml"
    text = settings.read_text()
    settings.write_text(
        text.replace("[upload]", f"[upload]\n{wrong}") if "[" not in wrong else f"{text}\n{wrong}"
    )
    one_clear_line(laptop.run("status"), ExitCode.SETTINGS, f"is it {said}?")


# ---------------------------------------------------------------- the passphrase


def test_the_smallest_manifest_of_the_newest_chain_is_tried() -> None:
    def manifest(name: str, size: int) -> ListedFile:
        return ListedFile(
            f"meta_duplicity-{name}.manifest.gpg", size, "etag", "2026-11-29T12:00:00Z", "STANDARD"
        )

    old, new = "full.20260101T000000Z", "full.20260201T000000Z"
    increment = "inc.20260201T000000Z.to.20260202T000000Z"
    files = [manifest(old, 10), manifest(new, 300), manifest(increment, 200)]
    assert manifest_to_try(files) == f"meta_duplicity-{increment}.manifest.gpg"
    assert manifest_to_try([]) is None


def test_a_changed_passphrase_begins_a_new_chain_and_the_old_one_opens_the_old(backed_up: Laptop) -> None:
    (old,) = backed_up.service.sealed()
    one_clear_line(backed_up.run("passphrase", "check", PASSPHRASE="x"), ExitCode.PASSPHRASE, "does not open")
    assert "system: opens" in backed_up.succeed("passphrase", "check")
    said = backed_up.succeed("passphrase", "change", "--yes", NEW_PASSPHRASE="another one")
    assert "new chain" in said
    (backed_up.source / "file").write_text("changed")
    assert "full backup" in backed_up.succeed("backup")
    assert "system: opens" in backed_up.succeed("passphrase", "check")
    for folder in ("archive", "work"):  # a lost cache
        subprocess.run(["rm", "-rf", str(backed_up.home / "cache" / folder)], check=True)
    (backed_up.source / "file").write_text("again")
    assert "incremental backup" in backed_up.succeed("backup")
    assert len(backed_up.service.sealed()) == 3
    assert json.loads(backed_up.secrets["laptop.passphrases-before"]) == ["correct horse battery staple"]
    assert old.startswith("full.")


def refused(folder: Path, **errors: str) -> dict[str, str]:
    """Variables with which each of these calls of the system ends with its error."""
    calls = [f"int {name}(void){{errno={error};return -1;}}\n" for name, error in errors.items()]
    return preloaded(folder, "#include <errno.h>\n" + "".join(calls))


def test_on_a_file_system_without_modes_a_restore_names_them_and_all_else_works(
    laptop: Laptop, tmp_path: Path
) -> None:
    without = refused(tmp_path, chmod="EPERM", fchmod="EPERM", fchmodat="EPERM", fsync="EINVAL")
    (laptop.source / "file").write_text("content")
    (laptop.source / "file").chmod(0o644)
    laptop.enrol()
    laptop.succeed("backup", **without)
    laptop.succeed("verify", **without)
    for to in (laptop.home / "new", laptop.home / "empty"):
        if to.name == "empty":
            to.mkdir()
        ended = laptop.run("restore", "--to", str(to), **without)
        assert ended.returncode == ExitCode.RESTORE_INCOMPLETE
        assert "file (Operation not permitted)" in ended.stderr
        assert (to / "file").read_text() == "content"


def test_a_file_system_without_locks_is_no_other_run_and_no_defect(laptop: Laptop, tmp_path: Path) -> None:
    without = refused(tmp_path, flock="ENOLCK")
    (laptop.source / "file").write_text("content")
    laptop.enrol()
    for command in (("backup",), ("restore", "--to", str(laptop.home / "out")), ("drill",)):
        ended = laptop.run(*command, **without)
        assert ended.returncode == ExitCode.SETTINGS
        assert "its file system has no locks" in ended.stderr
