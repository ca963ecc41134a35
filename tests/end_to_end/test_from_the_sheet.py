"""Somebody has nothing but the printed sheet, the passphrase and an empty computer: what is typed here is read from the
sheet's text. The tests build on each other, in the order in which they stand.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ops.demo.compare_trees import differences, record_tree
from ops.environments import LAPTOP, ROOT
from ops.local.thaw_hook import ThawHook
from tests.end_to_end.api_thaws import hooked
from tests.end_to_end.conftest import PROGRAMS, Machine, Service
from tests.end_to_end.packaged_duplicity import packaged_duplicity
from tests.end_to_end.paper import Paper
from tests.end_to_end.test_plain_way import NO_APT, NO_AWS
from tests.ops.test_thaw_by_hand import aws_works
from tests.terminal import Terminal

NAME = "lost-laptop"
PASSPHRASE = 'it\'s "my" $HOME  passphrase'
SECONDS = 240
NOT_AUTHORIZED = 12
TRY_LATER = 75
QUICK_PIPX = """#!/bin/sh -e
test "$1" = install || exit 0
{python} -m venv --without-pip {venv}
{python} -m pip --python {venv}/bin/python install --no-deps ${{2#--pip-args=}} "$3"
echo {libraries} > $(echo {venv}/lib/python*/site-packages)/libraries.pth
mkdir -p ~/.local/bin
ln -s {venv}/bin/panicroom ~/.local/bin/
"""
SYSTEM = "/usr/local/bin:/usr/bin:/bin"


@dataclass
class LostLaptop(Machine):
    """The laptop that will be lost, with a second job, and the paper that was printed when it was enrolled."""

    @property
    def notes(self) -> Path:
        return self.folder / "notes"

    @property
    def paper(self) -> Paper:
        return Paper((self.folder / "sheet.txt").read_text())

    def remember_both(self, moment: str) -> None:
        self.remember(moment)
        self.snapshots["notes"] = record_tree(self.notes)


@pytest.fixture(scope="module")
def lost(service: Service) -> LostLaptop:
    """Two jobs, one with an increment, in Deep Archive. The sheet is made by the enrolment, before any backup."""
    machine = LostLaptop(NAME, service.laptops / NAME, service.gpg, PASSPHRASE)
    fill(machine.source)
    machine.notes.mkdir()
    (machine.notes / "diary.txt").write_text("Monday")
    added = service.admin.call("machine_add", name=NAME, jobs=["system", "notes"], storage="deep")
    jobs = ["--source", f"system={machine.source}", "--source", f"notes={machine.notes}"]
    sheet = ["--sheet", str(machine.folder / "sheet.txt")]
    machine.do("enrol", service.stack.api_url, added["code"], *jobs, "--yes", *sheet)
    machine.set("volume_mb", 1)
    machine.do("backup")
    machine.remember_both("full")
    time.sleep(1.1)  # duplicity compares times in whole seconds
    (machine.source / "letter.txt").write_text("Dear Ben, dear Carla,")
    (machine.source / "photos" / "1.raw").rename(machine.source / "best.raw")
    machine.remember_both("newest")
    machine.do("backup", "--job", "system")
    return machine


def fill(root: Path) -> None:
    content = random.Random(20)
    (root / "photos").mkdir(parents=True)
    for number in range(3):
        (root / "photos" / f"{number}.raw").write_bytes(content.randbytes(2**20))
    os.utime(root / "photos" / "0.raw", (1e9, 1e9))
    (root / "letter.txt").write_text("Dear Ben,")
    (root / "Grüße, 世界").write_text("not ASCII")
    (root / "private").write_text("secret")
    (root / "private").chmod(0o400)
    (root / "link").symlink_to("photos/0.raw")
    (root / "empty").mkdir()


@pytest.fixture
def archive(service: Service, lost: LostLaptop) -> Iterator[ThawHook]:
    """All volumes are in Deep Archive, and what is asked for takes long."""
    with hooked(service.stack.endpoint, 3600) as hook:
        hook.freeze(NAME)
        hook.expire(NAME)
        yield hook


@contextmanager
def empty_home() -> Iterator[Path]:
    """With a short name, for the socket of gpg's agent."""
    with tempfile.TemporaryDirectory(prefix="new-", dir="/tmp") as folder:
        yield Path(folder)
        environment = {"PATH": SYSTEM, "HOME": folder}
        subprocess.run(["gpgconf", "--kill", "all"], env=environment, capture_output=True, check=False)


@contextmanager
def terminal(home: Path, *programs: Path, **variables: str) -> Iterator[Terminal]:
    """Nothing that was built here is found, unless it is given."""
    path = ":".join([*map(str, programs), f"{home}/.local/bin", SYSTEM])
    person = Terminal(home, {"HOME": str(home), "PATH": path, **variables}, SECONDS)
    try:
        yield person
    finally:
        person.closes()


def on_the_computer(home: Path, program: str, folder: Path | None = None) -> Path:
    """A folder with this program and no other; what ``sudo`` would install is here already."""
    given = home / ".given"
    given.mkdir(exist_ok=True)
    places = str(folder) if folder else f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    found = shutil.which(program, path=places)
    assert found is not None, program
    (given / program).unlink(missing_ok=True)
    (given / program).symlink_to(found)
    (given / "sudo").write_text("#!/bin/sh\n")
    (given / "sudo").chmod(0o755)
    return given


def types_all(person: Terminal, commands: list[str]) -> str:
    return "".join([person.types(command) for command in commands])


# ---------------------------------------------------------------- B: without the service


@pytest.fixture(scope="module")
def computer() -> Iterator[Path]:
    """A new one's home, as part B leaves it."""
    with empty_home() as home:
        yield home


def names_of_the_jobs(paper: Paper) -> dict[str, list[str]]:
    """What step 1 says to type, for each job."""
    *same, last = paper.commands("B", 1, "export AWS_REGION=", "J=")
    said = " ".join(paper.step("B", 1).split())
    found = re.search(r"For (system|notes): (J=.*)$", said)
    assert found is not None, said
    names = {"notes" if found[1] == "system" else "system": [*same, last], found[1]: [*same, found[2]]}
    assert all(f"J={job} P={NAME}/{job}/" in lines[-1] for job, lines in names.items())
    return names


@pytest.mark.skipif(not aws_works(), reason=NO_AWS)
def test_part_b_copies_everything_out_of_the_archive_without_the_service(
    service: Service, lost: LostLaptop, archive: ThawHook, computer: Path
) -> None:
    paper, volumes = lost.paper, set(service.keys(f"{NAME}/system/data_"))
    programs = on_the_computer(computer, "aws")
    cloud = {"AWS_ENDPOINT_URL": service.stack.endpoint}
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    cold = paper.commands("B", 3, "cold ")
    with terminal(computer, programs, **cloud, **keys) as shell:
        for names in names_of_the_jobs(paper).values():
            types_all(shell, [*names, *paper.commands("B", 2, "cold()", "--restore-request")])
    with terminal(computer, programs, **cloud, **keys) as shell:  # in a new CloudShell
        four_lines = paper.commands("B", 2, "cold()", "&&")
        types_all(shell, [*names_of_the_jobs(paper)["system"], *four_lines])
        still_cold = types_all(shell, cold)
        assert {word for word in still_cold.split() if word.startswith(NAME)} == volumes
        archive.finish(NAME)
        assert NAME not in types_all(shell, cold)
    with terminal(computer, programs, **cloud) as person:
        person.types(paper.commands("B", 4, "sudo apt")[0])
        answers = {"AWS Access Key ID": "test", "AWS Secret Access Key": "test"}
        more = {"Default region name": "", "Default output format": ""}
        person.types(paper.commands("B", 4, "aws configure")[0], {**answers, **more})
        for names in names_of_the_jobs(paper).values():
            types_all(person, [*names, *paper.commands("B", 4, "aws s3 sync")])
    assert {f"{NAME}/system/{path.name}" for path in (computer / "stored/system").glob("data_*")} == volumes
    part_b = paper.text.partition("B. WITHOUT")[2]
    assert paper.fact("Service") not in part_b
    assert "panicroom " not in part_b


@pytest.mark.skipif(not aws_works(), reason=NO_AWS)
@pytest.mark.parametrize("whose", ["today's", "the distribution's"])
def test_part_b_restores_with_plain_duplicity(lost: LostLaptop, computer: Path, whose: str) -> None:
    paper, duplicity = lost.paper, packaged_duplicity() if whose != "today's" else PROGRAMS
    if duplicity is None:
        pytest.skip(NO_APT)
    if (computer / "restored").exists():
        (computer / "restored").rename(computer / "restored before")
    with terminal(computer, on_the_computer(computer, "duplicity", duplicity)) as person:
        for names in names_of_the_jobs(paper).values():
            types_all(person, names)
            option, version, folder, restore = paper.commands("B", 5, "O=", "--file-prefix-signature")
            person.types(option)
            person.types(version, ends_with=1 if whose == "today's" else 0)
            person.types(folder)
            person.types(restore, {"GnuPG passphrase for decryption": PASSPHRASE})
    assert differences(lost.snapshots["newest"], record_tree(computer / "restored/system")) == []
    assert differences(lost.snapshots["notes"], record_tree(computer / "restored/notes")) == []


# ---------------------------------------------------------------- A: with the service


@dataclass
class NewLaptop:
    """A computer that was empty, and what was typed on it."""

    home: Path
    variables: dict[str, str]

    @contextmanager
    def terminal(self) -> Iterator[Terminal]:
        with terminal(self.home, self.home / ".given", **self.variables) as person:
            yield person


@pytest.fixture(scope="module", params=["quickly", pytest.param("by pipx", marks=pytest.mark.soak)])
def new_laptop(request: pytest.FixtureRequest, lost: LostLaptop) -> Iterator[NewLaptop]:
    """With the client installed by the sheet's lines: the wheel comes from the service by the real curl and pip, and
    what it needs too with pipx. Without, that is the libraries of the environment of laptops: no minutes pass."""
    with empty_home() as home:
        on_the_computer(home, "pipx")
        variables = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        settings_of_pip = Path.home() / ".config" / "pip" / "pip.conf"
        if settings_of_pip.exists():
            variables["PIP_CONFIG_FILE"] = str(settings_of_pip)
        if request.param == "quickly":
            in_the_place_of_pipx(home)
        laptop = NewLaptop(home, variables)
        with laptop.terminal() as person:
            types_all(person, lost.paper.commands("A", 1, "sudo apt install", "pipx ensurepath"))
        yield laptop


def in_the_place_of_pipx(home: Path) -> None:
    program, venv = home / ".given" / "pipx", home / ".local" / "venv"
    [libraries] = (Path(ROOT) / LAPTOP).glob("lib/python*/site-packages")
    program.unlink()
    program.write_text(QUICK_PIPX.format(python=sys.executable, venv=venv, libraries=libraries))
    program.chmod(0o755)


def test_part_a_brings_everything_back_out_of_the_archive(
    service: Service, lost: LostLaptop, archive: ThawHook, new_laptop: NewLaptop
) -> None:
    paper = lost.paper
    archive.delay(0.5)
    with new_laptop.terminal() as person:
        assert shutil.which("panicroom", path=f"{new_laptop.home}/.local/bin")
        [recover] = paper.commands("A", 2, "panicroom recover", "'http")
        secrets = {"The recovery code": paper.fact("Recovery code"), "Passphrase": PASSPHRASE}
        prices = {"Which tier": "bulk", "Thaw": "y"}
        said = person.types(recover, {**secrets, **prices}, ends_with=TRY_LATER)
        assert "then run again:" in said
    service.wait(
        lambda: {thaw["state"] for thaw in service.admin.call("thaws")["thaws"] if thaw["machine"] == NAME},
        lambda states: "ready" in states and states <= {"ready", "ended"},
    )
    again = paper.step("A", 2).rpartition("type:")[2].split()
    with new_laptop.terminal() as person:
        assert f"{NAME} is back" in person.types(" ".join(again))
    restored = new_laptop.home / f"restored-{NAME}"
    assert differences(lost.snapshots["newest"], record_tree(restored / "system")) == []
    assert differences(lost.snapshots["notes"], record_tree(restored / "notes")) == []


def test_then_the_backups_go_on_from_the_new_laptop(
    service: Service, lost: LostLaptop, new_laptop: NewLaptop
) -> None:
    [owner, enrol] = lost.paper.commands("A", 3, "python -m ops machine add", "http")
    assert owner.split()[:6] == ["python", "-m", "ops", "machine", "add", NAME]
    code = service.admin.call("machine_add", name=NAME)["code"]
    home, restored, before = new_laptop.home, new_laptop.home / f"restored-{NAME}", sets_of(service)
    (restored / "system").rename(home / "Documents")
    with new_laptop.terminal() as person:
        folders = {"Folder that the job notes": "", "Folder that the job system": f"{home}/Documents"}
        person.types(enrol.replace("CODE", code), folders)
        time.sleep(1.1)  # duplicity compares times in whole seconds
        (home / "Documents" / "new").write_text("made on the new laptop")
        lost.snapshots["moved"] = record_tree(home / "Documents")
        person.types("panicroom backup --job system")
        ended = lost.run("backup", "--job", "system")
        assert ended.code == NOT_AUTHORIZED, ended.said
        sets = service.wait(lambda: sets_of(service), lambda found: len(found) > len(before))
        assert [one["kind"] for one in sets] == ["full", *("inc" for _ in before)]
        times = [one["set"].split(".")[-1] for one in sets]
        with hooked(service.stack.endpoint, 0.5):
            for moment, time_then in zip(("full", "newest", "moved"), (times[0], *times[-2:]), strict=True):
                words = f"--job system --time {time_then} --to {moment} --yes --wait"
                person.types(f"panicroom restore {words}")
                assert differences(lost.snapshots[moment], record_tree(home / moment)) == [], moment
    lost.snapshots["newest"] = lost.snapshots["moved"]


def sets_of(service: Service) -> list[dict[str, Any]]:
    [job] = [job for job in service.admin.call("machine_show", name=NAME)["jobs"] if job["job"] == "system"]
    return [one for one in job["sets"] if one["complete"]]
