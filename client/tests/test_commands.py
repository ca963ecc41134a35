"""The command line: enrolment, and one clear line with its own exit code for whatever goes wrong."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from fake_service import CODE
from laptop import COMMAND, PASSPHRASE, Laptop, next_second
from panicroom.exit_codes import EXPLANATIONS, ExitCode
from test_interrupted import wait_for_confirmations
from trees import differences, make_tree, snapshot


def one_clear_line(ended: subprocess.CompletedProcess[str], code: ExitCode, *words: str) -> None:
    assert "Traceback" not in ended.stdout + ended.stderr
    lines = [line for line in ended.stderr.splitlines() if line]
    assert len(lines) == 1, ended.stderr
    assert lines[0].startswith("panicroom: ")
    assert ended.returncode == code, lines
    for word in words:
        assert word in lines[0], lines


@pytest.fixture
def enrolled(laptop: Laptop) -> Laptop:
    (laptop.source / "file").write_text("content")
    laptop.enrol()
    return laptop


@pytest.fixture(scope="module")
def made_once(laptop_of_file: Laptop) -> Laptop:
    """With a full backup of a small tree."""
    (laptop_of_file.source / "file").write_text("content")
    make_tree(laptop_of_file.source)
    laptop_of_file.enrol()
    laptop_of_file.succeed("backup")
    return laptop_of_file


# ---------------------------------------------------------------- enrolment


def test_enrolment_registers_the_hash_of_a_secret_that_stays_here(laptop: Laptop) -> None:
    laptop.enrol_by_command()
    kept = laptop.secrets
    assert re.fullmatch(r"[0-9a-f]{64}", kept["laptop.secret"])
    assert kept["laptop.passphrase"] == PASSPHRASE
    assert set(kept) == {"laptop.secret", "laptop.passphrase"}
    assert stat.S_IMODE((laptop.home / "config" / "secrets.json").stat().st_mode) == 0o600
    assert re.search(r"(?m)^system .*never", laptop.succeed("status"))


def test_a_lost_answer_of_the_enrolment_is_asked_for_again(laptop: Laptop) -> None:
    """The service counted the code as used; the same secret proves that it was us."""
    lost = []

    def lose(_method: str, path: str) -> int | None:
        if path.endswith("/enrolments") and laptop.service.secret_sha256 is None and not lost:
            pending = json.loads(laptop.secrets["enrolment"])
            secret_sha256 = hashlib.sha256(pending["secret"].encode()).hexdigest()
            laptop.service.enrol({"code": CODE, "secret_sha256": secret_sha256})
            lost.append(path)
            return -1
        return None

    laptop.service.trouble = lose
    laptop.enrol_by_command()
    laptop.succeed("status")
    assert lost


def test_enrolling_again_keeps_what_somebody_wrote_into_the_settings(enrolled: Laptop) -> None:
    settings = enrolled.home / "config" / "panicroom.toml"
    settings.write_text(settings.read_text() + "\n# mine\n")
    enrolled.service.secret_sha256 = None  # the owner gave a new code
    enrolled.service.jobs = ("system", "photos")
    photos = enrolled.home / "photos"
    photos.mkdir()
    one_clear_line(
        enrolled.run("enrol", enrolled.service.url, CODE, "--yes"), ExitCode.USAGE, "--source photos=DIR"
    )
    enrolled.succeed("enrol", enrolled.service.url, CODE, "--yes", "--source", f"photos={photos}")
    text = settings.read_text()
    assert "# mine" in text
    assert f'source = "{photos}"' in text
    assert f'source = "{enrolled.source}"' in text
    enrolled.succeed("status")


def test_a_passphrase_that_does_not_open_what_is_stored_is_refused(backed_up: Laptop) -> None:
    backed_up.service.secret_sha256 = None  # the owner gave a new code
    ended = backed_up.run("enrol", backed_up.service.url, CODE, "--yes", PASSPHRASE="another")
    one_clear_line(ended, ExitCode.PASSPHRASE, "does not open the stored backups of system")
    backed_up.succeed("enrol", backed_up.service.url, CODE, "--yes")
    backed_up.succeed("backup")


def test_an_adopted_job_is_enrolled_with_its_old_passphrase_and_no_other(backed_up: Laptop) -> None:
    """The machine was set up anew: nothing is here, and the bucket has its backups."""
    for folder in ("config", "state", "cache"):
        shutil.rmtree(backed_up.home / folder)
    backed_up.service.secret_sha256 = None
    arguments = ["enrol", backed_up.service.url, CODE, "--source", str(backed_up.source), "--yes"]
    one_clear_line(
        backed_up.run(*arguments, PASSPHRASE="wrong"), ExitCode.PASSPHRASE, "does not open", "again"
    )
    backed_up.succeed(*arguments, PASSPHRASE=PASSPHRASE)
    backed_up.succeed("backup")


@pytest.mark.parametrize(
    ("passphrase", "why"),
    [
        ("first line\nsecond line", "line break"),
        ("\nnobody guesses this", "line break"),
        ("carriage\rreturn", "line break"),
        ("\udcff no text", "no UTF-8"),
    ],
)
def test_a_passphrase_that_gpg_would_cut_or_is_no_text_is_refused(
    enrolled: Laptop, passphrase: str, why: str
) -> None:
    """gpg reads one line: less than was given would open the backup."""
    arguments = ["enrol", enrolled.service.url, CODE, "--source", str(enrolled.source), "--yes"]
    for command in (arguments, ["backup"]):
        one_clear_line(enrolled.run(*command, PASSPHRASE=passphrase), ExitCode.PASSPHRASE, why)
    assert enrolled.service.names() == []


def test_a_wrong_code(laptop: Laptop) -> None:
    ended = laptop.run(
        "enrol", laptop.service.url, "wrong", "--source", str(laptop.source), "--yes", PASSPHRASE=PASSPHRASE
    )
    one_clear_line(ended, ExitCode.ENROLMENT, "code")


def test_a_url_without_tls(laptop: Laptop) -> None:
    ended = laptop.run(
        "enrol", "http://example.org/api", CODE, "--source", str(laptop.source), "--yes", PASSPHRASE="x"
    )
    one_clear_line(ended, ExitCode.USAGE, "https")


# ---------------------------------------------------------------- what goes wrong


def test_a_machine_that_is_not_enrolled(laptop: Laptop) -> None:
    for command in (["backup"], ["status"], ["restore", "--to", str(laptop.home / "out")]):
        one_clear_line(laptop.run(*command), ExitCode.SETTINGS, "panicroom enrol URL CODE")


def test_broken_settings(enrolled: Laptop) -> None:
    settings = enrolled.home / "config" / "panicroom.toml"
    right = settings.read_text()
    for line, wrong, said in (
        ("upload_threads = 12", "upload_threads = 400", "upload_threads"),
        ('# max_upload_rate = "2MB"', 'max_upload_rate = "2 potatoes"', '"500KB" or "2MB"'),
        ('compress = "auto"', 'compress = "maybe"', '"auto", "always" or "never"'),
    ):
        assert line in right
        settings.write_text(right.replace(line, wrong))
        one_clear_line(enrolled.run("backup"), ExitCode.SETTINGS, said)
    settings.write_text("[service")
    one_clear_line(enrolled.run("backup"), ExitCode.SETTINGS, str(settings))


def test_a_source_that_is_missing_or_empty(enrolled: Laptop) -> None:
    (enrolled.source / "file").unlink()
    one_clear_line(enrolled.run("backup"), ExitCode.SOURCE, "empty")
    enrolled.source.rmdir()
    one_clear_line(enrolled.run("backup"), ExitCode.SOURCE, str(enrolled.source))
    assert enrolled.service.runs == []


def test_a_token_that_was_revoked(enrolled: Laptop) -> None:
    enrolled.service.secret_sha256 = "revoked"
    for command in (["backup"], ["status"], ["restore", "--to", str(enrolled.home / "out")]):
        one_clear_line(enrolled.run(*command), ExitCode.NOT_AUTHORIZED, "token")


def test_a_service_that_cannot_be_reached(enrolled: Laptop) -> None:
    settings = enrolled.home / "config" / "panicroom.toml"
    settings.write_text(settings.read_text().replace(enrolled.service.url, "http://127.0.0.1:9/api"))
    one_clear_line(enrolled.run("backup"), ExitCode.TRY_LATER, "cannot be reached")


def test_a_clock_that_is_wrong(enrolled: Laptop) -> None:
    enrolled.service.clock_offset_seconds = -3600
    one_clear_line(enrolled.run("backup"), ExitCode.CLOCK, "60 minutes ahead")


def test_a_client_too_old_is_told_so_and_still_restores(backed_up: Laptop) -> None:
    """No version keeps anybody from what is stored already."""
    stored = backed_up.service.names()
    backed_up.service.oldest_client_version = backed_up.service.newest_client_version = "99.0.0"
    one_clear_line(backed_up.run("backup"), ExitCode.REFUSED, "too old", "the line that installs 99.0.0")
    assert backed_up.service.names() == stored
    assert differences(snapshot(backed_up.source), snapshot(backed_up.restore())) == []
    backed_up.succeed("status")


def test_gpg_is_missing(enrolled: Laptop) -> None:
    one_clear_line(enrolled.run("backup", PATH="/nowhere"), ExitCode.GPG, "install")


def test_another_run_holds_the_job(enrolled: Laptop) -> None:
    enrolled.service.lease["system"] = "run-of-a-twin"
    one_clear_line(enrolled.run("backup"), ExitCode.TRY_LATER, "in progress")


def test_a_lost_answer_to_the_start_is_no_second_run(enrolled: Laptop) -> None:
    """The lease was given, and nobody heard so: asked for again, it is the same one."""
    lost: list[str] = []

    def first_two(method: str, path: str) -> bool:
        lost.extend([path] if (method, path) == ("POST", "/api/jobs/system/runs") else [])
        return lost != [] and lost[-1] == path and len(lost) <= 2

    enrolled.service.loses_answer = first_two
    enrolled.succeed("backup")
    assert len(lost) == 3
    assert enrolled.service.second_runs == 0
    assert len(enrolled.service.runs) == 1


def test_a_start_whose_answer_never_came_locks_nobody_out(enrolled: Laptop) -> None:
    """Not even after a run that was killed: the run that asks next takes the place of either."""
    make_tree(enrolled.source, files=6)
    reached = threading.Event()
    enrolled.service.on_put = lambda _name, _phase: reached.set()
    killed = enrolled.start("backup")
    assert reached.wait(100)
    killed.kill()
    killed.communicate()
    for hook in ("trouble", "loses_answer"):
        asked = threading.Event()

        def fails(method: str, path: str, asked: threading.Event = asked) -> int:
            if (method, path) == ("POST", "/api/jobs/system/runs"):
                asked.set()
            return -1 if asked.is_set() else 0

        usual = getattr(enrolled.service, hook)
        setattr(enrolled.service, hook, lambda method, path, fails=fails: fails(method, path) or None)
        process = enrolled.start("backup")
        assert asked.wait(100)
        process.kill()
        process.communicate()
        setattr(enrolled.service, hook, usual)
    enrolled.succeed("backup")
    assert enrolled.service.second_runs == 0
    assert enrolled.service.lease == {}


def test_a_job_that_is_not_there(enrolled: Laptop) -> None:
    one_clear_line(enrolled.run("backup", "photos"), ExitCode.SETTINGS, "photos", "system")


def test_an_increment_without_a_full_backup(enrolled: Laptop) -> None:
    one_clear_line(enrolled.run("backup", "incremental"), ExitCode.USAGE, "panicroom backup full")


def test_a_wrong_passphrase(backed_up: Laptop) -> None:
    out = backed_up.home / "out"
    shutil.rmtree(backed_up.home / "cache")
    one_clear_line(
        backed_up.run("restore", "--to", str(out), PASSPHRASE="wrong"), ExitCode.PASSPHRASE, "passphrase"
    )
    one_clear_line(backed_up.run("backup", PASSPHRASE="wrong"), ExitCode.PASSPHRASE, "passphrase")


def test_a_target_that_is_not_empty(enrolled: Laptop) -> None:
    ended = enrolled.run("restore", "--to", str(enrolled.source))
    one_clear_line(ended, ExitCode.TARGET, "new")
    assert (enrolled.source / "file").read_text() == "content"


def test_nothing_to_restore(enrolled: Laptop) -> None:
    one_clear_line(enrolled.run("restore", "--to", str(enrolled.home / "a")), ExitCode.NOT_FOUND)


@pytest.mark.parametrize(
    ("paths", "named"), [(["no/thing"], "no/thing:"), (["no/thing", "other"], "no/thing (and 1 more):")]
)
def test_a_path_that_is_not_in_the_backup_is_named(backed_up: Laptop, paths: list[str], named: str) -> None:
    ended = backed_up.run("restore", *paths, "--to", str(backed_up.home / "b"))
    one_clear_line(ended, ExitCode.NOT_FOUND, f" {named} no such path in the backup at that time")


def test_the_path_that_may_have_been_meant_is_named(backed_up: Laptop) -> None:
    ended = backed_up.run("restore", "FILE", "--to", str(backed_up.home / "b"))
    one_clear_line(ended, ExitCode.NOT_FOUND, "no such path in the backup at that time; did you mean file?")


def test_a_refused_discard_ends_the_run_at_the_first_refusal(enrolled: Laptop) -> None:
    """duplicity would repeat it for ever."""
    make_tree(enrolled.source)
    left_over = "data_duplicity-full.20250101T000000Z.vol1.difftar.gpg"
    enrolled.service.store(left_over, b"x")
    enrolled.service.refuse_discards = "wrong_prefix"
    one_clear_line(enrolled.run("backup"), ExitCode.DISCARD_REFUSED, left_over)


def test_a_second_backup_on_the_same_machine(enrolled: Laptop) -> None:
    gate = threading.Event()
    enrolled.service.on_put = lambda _name, phase: None if phase != "begin" else (gate.wait(100), None)[1]
    first = enrolled.start("backup")
    while not enrolled.service.upload_requests:
        time.sleep(0.05)
    one_clear_line(enrolled.run("backup"), ExitCode.TRY_LATER, "running on this machine")
    gate.set()
    first.communicate()
    assert first.returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_a_full_disk_behind_the_output_is_no_defect_of_the_client() -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [COMMAND, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert ended.returncode == ExitCode.SPACE
    assert ended.stderr == "panicroom: a file: No space left on device\n"


@pytest.mark.parametrize("module", ["pathlib", "typing", "panicroom.terminal", "click", "panicroom.commands"])
def test_ctrl_c_while_python_loads_the_client_shows_no_traceback(module: str) -> None:
    begin = f"""
import os, runpy, signal, sys
class Interrupt:
    def find_spec(self, name, *more):
        if name == {module!r}:
            print("loading", flush=True)
            os.kill(os.getpid(), signal.SIGINT)
sys.modules.pop({module!r}, None)
sys.meta_path.insert(0, Interrupt())
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("panicroom", run_name="__main__", alter_sys=True)
"""
    ended = subprocess.run([sys.executable, "-c", begin], capture_output=True, text=True, check=False)
    assert ended.stdout == "loading\n"
    assert ended.returncode in (ExitCode.INTERRUPTED, -signal.SIGINT)
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_cleanly_and_gives_the_lease_back(enrolled: Laptop, number: int) -> None:
    make_tree(enrolled.source, files=40)
    next_second()  # a set's time is in whole seconds; files of the same second count as changed since
    reached = threading.Event()
    gate = threading.Event()

    def hold(name: str, phase: str) -> None:
        if ".vol4." in name and phase == "begin":
            wait_for_confirmations(enrolled, name)
            reached.set()
            gate.wait(60)

    enrolled.service.on_put = hold
    process = enrolled.start("backup")
    assert reached.wait(100)
    os.kill(process.pid, number)
    out, err = process.communicate(timeout=60)
    gate.set()
    assert process.returncode == ExitCode.INTERRUPTED
    assert "carries on" in err
    assert "Traceback" not in out + err
    assert enrolled.service.lease == {}
    assert enrolled.service.runs[-1]["exit_code"] == ExitCode.INTERRUPTED
    assert "carrying on" in enrolled.succeed("backup")


def test_a_backup_steps_back_for_whoever_works_at_the_machine(enrolled: Laptop) -> None:
    reached, gate = threading.Event(), threading.Event()

    def hold(_name: str, phase: str) -> None:
        if phase == "begin":
            reached.set()
            gate.wait(30)

    enrolled.service.on_put = hold
    process = enrolled.start("backup")
    assert reached.wait(100)
    (duplicity,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert os.getpriority(os.PRIO_PROCESS, int(duplicity)) == min(os.getpriority(os.PRIO_PROCESS, 0) + 5, 19)
    gate.set()
    process.communicate()


# ---------------------------------------------------------------- what works


def test_the_line_is_left_to_others_by_max_upload_rate(enrolled: Laptop) -> None:
    (enrolled.source / "file").write_bytes(os.urandom(250_000))
    settings = enrolled.home / "config" / "panicroom.toml"
    settings.write_text(settings.read_text().replace('# max_upload_rate = "2MB"', 'max_upload_rate = "64KB"'))
    began = time.monotonic()
    enrolled.succeed("backup")
    sent = sum(len(item.data) for item in enrolled.service.objects.values())
    assert time.monotonic() - began > sent / (64 * 1024) - 1


def test_one_path_comes_back_in_its_place(backed_up: Laptop) -> None:
    out = backed_up.home / "out"
    backed_up.succeed("restore", "d1/script", str(backed_up.source / "d2"), "--to", str(out))
    wanted = snapshot(backed_up.source)
    expected = {path: wanted[path] for path in wanted if path == "d1/script" or path.split("/")[0] == "d2"}
    restored = snapshot(out)
    del restored["."], restored["d1"]
    assert differences(expected, restored) == []


def test_an_unfinished_backup_is_no_obstacle_to_a_restore(backed_up: Laptop) -> None:
    """Neither here nor on a new machine, where only the bucket is left."""
    expected = snapshot(backed_up.source)
    for path in backed_up.source.rglob("file-*"):
        path.write_bytes(os.urandom(300_000))
    backed_up.service.trouble = lambda method, path: 403 if "vol3" in path and method == "PUT" else None
    backed_up.run("backup")
    assert any("inc." in name for name in backed_up.service.names())
    assert differences(expected, snapshot(backed_up.restore())) == []
    shutil.rmtree(backed_up.home / "cache")
    assert differences(expected, snapshot(backed_up.restore())) == []


def test_the_lists_of_what_to_leave_out_are_duplicitys_own(enrolled: Laptop) -> None:
    make_tree(enrolled.source)
    settings = enrolled.home / "config" / "panicroom.toml"
    settings.write_text(settings.read_text().replace("# filelist", "filelist"))
    (enrolled.home / "config" / "exclude.txt").write_text(
        f"+ {enrolled.source}/d0/file-00\n- {enrolled.source}/d0\n- **/script\n"
    )
    enrolled.succeed("backup")
    restored = snapshot(enrolled.restore())
    assert {path for path in restored if path.startswith("d0/")} == {"d0/file-00"}
    assert "d1/script" not in restored
    assert "d1/file-01" in restored


def test_the_clients_own_folders_are_left_out(laptop: Laptop) -> None:
    """A home folder holds cache and state; they change while they are read."""
    (laptop.home / "document").write_text("text")
    (laptop.home / "config").mkdir()
    (laptop.home / "config" / "exclude.txt").write_text(f"- {laptop.home}/source\n+ {laptop.home}\n- **\n")
    laptop.succeed("enrol", laptop.service.url, CODE, "--source", str(laptop.home), "--yes", PASSPHRASE="x")
    settings = laptop.home / "config" / "panicroom.toml"
    for text in (settings.read_text(), settings.read_text().replace("# filelist", "filelist")):
        settings.write_text(text)
        laptop.succeed("backup")
    laptop.succeed("restore", "--to", str(laptop.home.parent / f"{laptop.home.name}-out"), PASSPHRASE="x")
    restored = snapshot(laptop.home.parent / f"{laptop.home.name}-out")
    assert "document" in restored
    assert not any(path.startswith(("cache", "state")) for path in restored)


def test_every_job_has_its_turn_though_one_fails(laptop: Laptop) -> None:
    laptop.service.jobs = ("system", "photos")
    photos = laptop.home / "photos"
    photos.mkdir()
    (laptop.source / "file").write_text("content")
    (photos / "raw").write_text("content")
    arguments = ["--source", str(laptop.source), "--source", f"photos={photos}", "--yes"]
    laptop.succeed("enrol", laptop.service.url, CODE, *arguments, PASSPHRASE=PASSPHRASE)
    (laptop.source / "file").unlink()
    one_clear_line(laptop.run("backup"), ExitCode.SOURCE, "system: ")
    assert laptop.service.sealed("photos")
    assert not laptop.service.sealed("system")


SLOW_TO_IMPORT = {
    "rich",
    "pygments",
    "duplicity",
    "keyring",
    "tomlkit",
    "jinja2",
    "asyncio",
    "requests",
    "boto3",
}


@pytest.mark.parametrize(
    ("command", "slow", "most"),
    [("--help", {*SLOW_TO_IMPORT, "httpx", "panicroom.wire"}, 190), ("status", SLOW_TO_IMPORT, 320)],
)
def test_help_and_status_are_quick(enrolled: Laptop, command: str, slow: set[str], most: int) -> None:
    """Each costs below half a second of CPU, nearly all of it imports; their number does not depend on other load."""
    said = enrolled.run(command, PYTHONPROFILEIMPORTTIME="1").stderr
    imported = {
        line.rpartition("|")[2].strip() for line in said.splitlines() if line.startswith("import time:")
    }
    assert "panicroom.cli" in imported
    assert not slow & imported
    assert len(imported) < most


def test_the_readme_lists_every_exit_code() -> None:
    text = (Path(__file__).parents[1] / "README.md").read_text()
    table = dict(re.findall(r"^\| (\d+) \| (.*?) \|$", text, re.MULTILINE))
    expected = {str(int(code)): words for code, words in EXPLANATIONS.items() if code != ExitCode.START_AGAIN}
    assert table == expected


def test_the_command_is_an_executable_script() -> None:
    """duplicity may start ``sys.argv[0]`` again."""
    assert os.access(COMMAND, os.X_OK)
