"""A pile of pictures by year and session: what each thing that happens to it uploads, says and costs.

All of it is real: the installed client, the packaged service, volumes in a bucket. What is uploaded is what the bucket
has more than before. The tests build on each other, in the order in which they stand. ``make soak`` runs them with
2 GB, and volumes of the size that pictures have.
"""

from __future__ import annotations

import json
import math
import os
import random
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from panicroom.photos.hashes import held_hashes
from panicroom.photos.walk import recall_walk, remember_walk

from ops.aws import Aws
from ops.demo.compare_trees import differences, record_tree
from tests.end_to_end.api_thaws import hooked
from tests.end_to_end.conftest import Ended, Machine, Service, running_service
from tests.end_to_end.test_letting_go import World

MB = 2**20
DONE, USAGE, SMALLER, RENAMED, ROTTED, TRY_LATER = 0, 2, 28, 34, 35, 75
YEARS = ("2016", "2017", "2018")
SESSIONS = ("02-03 snow", "05-12 wedding", "08-01 harbour", "11-09 fog")
PICTURES_OF_A_SESSION = 4
SIDECARS = 1600
"""Small files beside the pictures of 2018, as programs write them."""
CARELESSLY_DELETED = 700
TAKEN = 1_520_000_000
"""When the pictures were taken, in seconds since 1970."""
A_QUIET_MONTH = timedelta(days=40)
BESIDE_A_SESSION = 2 * MB
"""What a new session may upload more than its size: headers, gpg, signatures, the manifest."""
WITHOUT_A_PICTURE = MB
"""At most what a set has in which no picture is: some names."""
LEAST_OF_A_VOLUME = MB - 160 * 1024
"""Of files, in a volume of 1 MB: duplicity fills up with noise what is left when its next block does not fit."""
BESIDE_A_FILE = 4096
"""What the backup of a year has for each file: a header, a signature, its name in some lists."""


@dataclass(frozen=True)
class Form:
    """How large it is: MB of a volume and of pictures, from and to; those of the new session."""

    name: str
    volume_mb: int
    picture_mb: tuple[int, int]
    session_mb: int


FORMS = [
    pytest.param(Form("pile", 10, (4, 8), 16), id="300-MB"),
    pytest.param(Form("large-pile", 200, (20, 70), 160), id="2-GB", marks=pytest.mark.soak),
]


@dataclass(frozen=True)
class Uploaded:
    """What the bucket has more than before a command, by key."""

    ended: Ended
    files: dict[str, int]

    @property
    def bytes(self) -> int:
        return sum(self.files.values())

    def volumes(self, job: str) -> list[str]:
        return [key for key in self.files if f"/{job}/" in key and ".vol" in key]

    @property
    def jobs(self) -> set[str]:
        return {key.split("/")[1] for key in self.files}


@dataclass
class Pile:
    """The machine with the pictures, and its owner."""

    form: Form
    machine: Machine
    owner: World
    chance: random.Random = field(default_factory=lambda: random.Random(30))
    top: Path = Path()

    @property
    def service(self) -> Service:
        return self.owner.service

    def make_session(self, folder: Path, sizes_mb: Sequence[int]) -> int:
        """Its bytes."""
        folder.mkdir(parents=True)
        for number, size_mb in enumerate(sizes_mb):
            path = folder / f"IMG_{number:03}.raw"
            path.write_bytes(self.chance.randbytes(size_mb * MB))
            os.utime(path, (TAKEN + number, TAKEN + number))
        return sum(sizes_mb) * MB

    def stored(self) -> dict[str, int]:
        return self.service.keys(f"{self.machine.name}/")

    def backs_up(self, *words: str, code: int = DONE) -> Uploaded:
        before = self.stored()
        ended = self.machine.run("backup", *words)
        assert ended.code == code, ended.said
        after = self.stored()
        self._wait_for_the_catalogue(after)
        return Uploaded(ended, {key: size for key, size in after.items() if key not in before})

    def _wait_for_the_catalogue(self, stored: dict[str, int]) -> None:
        sealed = sum(".manifest" in key for key in stored)
        self.service.wait(
            lambda: sum(one["complete"] for job in self.jobs() for one in job["sets"]),
            lambda complete: complete == sealed,
        )

    def jobs(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.owner.asks("machine", "show", self.machine.name)["jobs"]
        return found

    def findings(self) -> dict[str, str]:
        """Codes of this machine's findings about pictures, with their severity."""
        result = self.owner.types("audit", "--json")
        return {
            one["code"]: one["severity"]
            for one in json.loads(result.stdout)["findings"]
            if one["machine"] == self.machine.name and "photo" in one["code"]
        }

    def mail(self) -> str:
        """What is mailed about what was found just now, a few minutes later."""
        at = datetime.now(timezone.utc) + timedelta(minutes=5)
        return self.owner.says("alerts", "preview", "--at", at.strftime("%Y-%m-%dT%H:%MZ"))

    def has_been_quiet(self, job: str) -> None:
        """As if the last run of the job was a month ago; the look after it was today."""
        assert not self.backs_up(job).files
        table = Aws(self.service.stack.region, self.service.stack.endpoint).client("dynamodb")
        ended_at = (datetime.now(timezone.utc) - A_QUIET_MONTH).strftime("%Y-%m-%dT%H:%M:%SZ")
        table.update_item(
            TableName=self.service.stack.table,
            Key={"pk": {"S": "JOBS"}, "sk": {"S": f"{self.machine.name}/{job}"}},
            UpdateExpression="SET last_run.ended_at = :ended_at",
            ExpressionAttributeValues={":ended_at": {"S": ended_at}},
        )

    def types(self, line: str) -> str:
        """A line that a command has shown, as somebody types it."""
        ended = subprocess.run(
            ["sh", "-c", line], env=self.machine.environment(), capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, (line, ended.stdout, ended.stderr)
        return ended.stdout

    def restores(self, job: str, folder: Path, to: Path) -> None:
        """The newest backup of the job has what is on the disk."""
        self.machine.do("restore", "--job", job, "--to", str(to))
        assert differences(record_tree(folder), record_tree(to)) == []
        shutil.rmtree(to)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Its own: what is mailed depends on what else is wrong in a stack, and on when it was last mailed."""
    with running_service(tmp_path_factory) as service:
        yield service


@pytest.fixture(scope="module", params=FORMS)
def pile(request: pytest.FixtureRequest, service: Service) -> Iterator[Pile]:
    """Three years with four sessions each, not backed up yet."""
    pile = enrolled(service, request.param, YEARS)
    for number in range(SIDECARS):
        path = pile.top / "2018" / "captions" / f"{number:04}.xmp"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"<caption>{number}</caption>")
    yield pile
    pile.owner.says(
        "machine", "remove", pile.machine.name, "--yes"
    )  # or the next form's mails are about it, too
    shutil.rmtree(pile.machine.folder)


def enrolled(service: Service, form: Form, years: Sequence[str]) -> Pile:
    machine = Machine(form.name, service.laptops / form.name, service.gpg, longest_seconds=900)
    pile = Pile(form, machine, World(service), top=machine.folder / "Pictures")
    for year in years:
        for session in SESSIONS:
            sizes = [pile.chance.randint(*form.picture_mb) for _ in range(PICTURES_OF_A_SESSION)]
            pile.make_session(pile.top / year / session, sizes)
    code = pile.owner.asks("machine", "add", form.name, "--photos")["code"]
    _set_volumes(service, form)
    machine.do("enrol", service.stack.api_url, code, "--source", f"photos={pile.top}", "--yes")
    return pile


def _set_volumes(service: Service, form: Form) -> None:
    """Of the family, as no command does: volumes of 200 MB would be one a year here."""
    Aws(service.stack.region, service.stack.endpoint).client("dynamodb").update_item(
        TableName=service.stack.table,
        Key={"pk": {"S": "FAMILIES"}, "sk": {"S": f"{form.name}/photos"}},
        UpdateExpression="SET volume_mb = :volume_mb",
        ExpressionAttributeValues={":volume_mb": {"N": str(form.volume_mb)}},
    )


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def most_volumes(pile: Pile, size_bytes: int) -> int:
    return math.ceil(size_bytes / (pile.form.volume_mb * MB)) + 1


def test_the_first_backup_uploads_each_year_once_and_the_next_one_nothing(pile: Pile) -> None:
    uploaded = pile.backs_up()
    files = sum(path.is_file() for path in pile.top.rglob("*"))
    assert uploaded.bytes <= size_of(pile.top) * 1.01 + BESIDE_A_FILE * files
    for year in YEARS:
        volumes = uploaded.volumes(f"photos-{year}")
        assert 1 < len(volumes) <= most_volumes(pile, size_of(pile.top / year))
    again = pile.backs_up()
    assert not again.files
    assert "in 3 jobs have not changed; nothing to back up" in again.ended.said
    assert "photos 2016-2018: settled" in pile.owner.says("report", "preview")
    assert pile.findings() == {}


def test_a_new_session_in_an_old_year_uploads_its_size_and_at_most_two_megabytes_more(pile: Pile) -> None:
    pile.has_been_quiet("photos-2018")
    half = pile.form.session_mb // 2
    size = pile.make_session(pile.top / "2018" / "12-24 tree", [half, half])
    uploaded = pile.backs_up()
    assert uploaded.jobs == {"photos-2018"}
    assert size < uploaded.bytes <= size + BESIDE_A_SESSION
    assert len(uploaded.volumes("photos-2018")) <= most_volumes(pile, size)
    assert "in 2 jobs have not changed" in uploaded.ended.said
    assert pile.findings() == {}, "what is new is no change of what is old"


@pytest.mark.parametrize("times", ["new", "kept"])
def test_a_caption_in_an_old_picture_is_backed_up_and_reported_also_where_size_and_date_stay(
    pile: Pile, times: str, tmp_path: Path
) -> None:
    pile.has_been_quiet("photos-2016")
    path = pile.top / "2016" / SESSIONS[1] / "IMG_001.raw"
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(200)
        file.write(f"Anna and Ben, {times}".encode())
    if times == "kept":
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    uploaded = pile.backs_up()
    assert uploaded.jobs == {"photos-2016"}
    assert uploaded.bytes < MB
    assert pile.findings() == {"old_photo_changed": "critical"}
    said = (
        f"1 of {len(SESSIONS) * PICTURES_OF_A_SESSION} files of {pile.machine.name}/photos-2016 were changed"
    )
    assert said in pile.owner.says("report", "preview")
    assert said in pile.mail()
    pile.restores("photos-2016", pile.top / "2016", tmp_path / "restored")
    pile.owner.says("retention", "approve", pile.machine.name, "photos-2016", "--yes")
    assert pile.findings() == {}


def test_a_renamed_session_is_asked_about_with_its_price_and_goes_on_when_it_is_meant(pile: Pile) -> None:
    pile.has_been_quiet("photos-2017")
    session = pile.top / "2017" / SESSIONS[1]
    size = size_of(session)
    session.rename(session.with_name("05-12 Anna and Ben"))
    refused = pile.backs_up(code=RENAMED)
    assert not refused.files
    assert f"{SESSIONS[1]} is 05-12 Anna and Ben now" in refused.ended.error
    assert re.search(rf"\({size / MB:.1f} MB, (less than a cent|\$\d\.\d\d) more a year", refused.ended.error)
    assert "in 2 jobs have not changed" in refused.ended.said
    [command] = re.findall(r"if it is meant: panicroom backup (.*)", refused.ended.error)
    uploaded = pile.backs_up(*command.split())
    assert size < uploaded.bytes <= size + BESIDE_A_SESSION
    assert pile.findings() == {}, "no picture has vanished"


def test_the_folder_of_a_year_gets_another_name_and_nothing_is_uploaded(pile: Pile) -> None:
    (pile.top / "2016").rename(pile.top / "2016 Italy")
    uploaded = pile.backs_up()
    assert not uploaded.files
    assert "photos-2016: its folder is " in uploaded.ended.said
    assert len(pile.jobs()) == len(YEARS)


def test_a_copy_on_a_new_disk_uploads_no_picture(pile: Pile) -> None:
    new = pile.machine.folder / "new-disk" / "Pictures"
    new.parent.mkdir()
    subprocess.run(["cp", "-a", pile.top, new], check=True)
    shutil.rmtree(pile.top)
    pile.top = new
    said = pile.machine.do("photos", "folder", str(new)).said
    assert f"photos: 3 of 3 folders are in {new} now" in said
    uploaded = pile.backs_up()
    assert uploaded.bytes <= len(YEARS) * WITHOUT_A_PICTURE
    assert len(pile.jobs()) == len(YEARS)
    assert not pile.backs_up().files


def test_a_flipped_bit_is_found_is_in_no_backup_and_the_lines_that_are_said_bring_it_back(pile: Pile) -> None:
    session = pile.top / "2017" / SESSIONS[2]
    path, before = session / "IMG_002.raw", record_tree(session)
    pile.machine.do("photos", "check", "--all")
    flip_a_bit(pile, "photos-2017", path)
    assert not pile.backs_up().files, "no increment stores it"
    check = pile.machine.run("photos", "check", "photos-2017")
    assert check.code == ROTTED, check.said
    assert f"{SESSIONS[2]}/IMG_002.raw (good on " in check.output
    assert pile.findings() == {"photo_rotted": "critical"}
    assert "photos check --list" in pile.mail()
    for line in lines_to_type(check):
        pile.types(line)
    assert differences(before, record_tree(session)) == []
    assert "good again: " in pile.machine.do("photos", "check", "photos-2017").said
    assert pile.backs_up().bytes <= WITHOUT_A_PICTURE
    pile.machine.do("photos", "check", "photos-2017")
    assert pile.findings() == {}


def flip_a_bit(pile: Pile, job: str, path: Path) -> None:
    """As a disk does, of a picture that was read two hours after it was written. No program can leave the change time
    as it was, so what the client knows of the file gets the new one."""
    state, times = pile.machine.folder / "state" / pile.machine.name / job, path.stat()
    with path.open("r+b") as file:
        file.seek(1000)
        byte = file.read(1)[0]
        file.seek(1000)
        file.write(bytes([byte ^ 1]))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    changed_ns, walk = path.stat().st_ctime_ns, recall_walk(state)
    assert walk is not None
    folder = pile.top / job.removeprefix("photos-")
    name = os.fspath(path.relative_to(folder))
    with held_hashes(state, job) as store:
        read_at = changed_ns // 10**9 + 7200
        store.add(replace(store.files[name], ctime_ns=changed_ns, read_at=read_at))
    files = {**walk.walk.files, name: replace(walk.walk.files[name], ctime_ns=changed_ns)}
    remember_walk(state, replace(walk, walk=replace(walk.walk, files=files)))


def lines_to_type(check: Ended) -> list[str]:
    lines = [line.strip() for line in check.output.splitlines() if line.startswith("  ")]
    return [line for line in lines if line.startswith(("panicroom ", "cp "))]


def test_many_files_that_a_careless_import_deleted_are_reported_and_come_back(
    pile: Pile, tmp_path: Path
) -> None:
    pile.has_been_quiet("photos-2018")
    captions = pile.top / "2018" / "captions"
    before = record_tree(captions)
    for path in sorted(captions.iterdir())[:CARELESSLY_DELETED]:
        path.unlink()
    uploaded = pile.backs_up()
    assert uploaded.bytes <= WITHOUT_A_PICTURE
    assert pile.findings() == {"photos_vanished": "critical"}
    mail = pile.mail()
    assert f"{CARELESSLY_DELETED} of " in mail
    assert "are gone from the disk. The backups before still have them." in mail
    day_before = json.loads(pile.machine.do("versions", "--job", "photos-2018", "--json").output)[-2]["time"]
    pile.machine.do(
        "restore", "captions", "--job", "photos-2018", "--time", day_before, "--to", str(tmp_path / "back")
    )
    assert differences(before, record_tree(tmp_path / "back" / "captions")) == []


def test_one_session_of_an_archived_year_thaws_at_most_one_volume_more_than_its_size_needs(
    pile: Pile, tmp_path: Path
) -> None:
    session = pile.top / "2017" / SESSIONS[2]
    size, to = size_of(session), tmp_path / "session"
    words = ("restore", SESSIONS[2], "--job", "photos-2017", "--to", str(to))
    with hooked(pile.service.stack.endpoint, 600) as hook:
        hook.freeze(pile.machine.name)
        refused = pile.machine.run(*words)
        assert refused.code == USAGE, refused.said
        assert re.search(r"bulk +\$0\.\d+ ", refused.output), refused.said
        assert re.search(r"the thaw costs \$0\.\d+; nothing was spent", refused.error)
        assert hook.calls().calls == 0
        plan = json.loads(pile.machine.do(*words, "--dry-run", "--json").output)
        count = plan["thaw"]["archived"]
        assert math.ceil(size / (pile.form.volume_mb * MB)) <= count <= most_volumes(pile, size)
        [agreeing] = re.findall(r"to agree, run: panicroom (.*)", refused.error)
        assert pile.machine.run(*shlex.split(agreeing)).code == TRY_LATER
        asked = pile.service.wait(lambda: hook.calls().by_key, lambda by_key: len(by_key) == count)
        assert set(asked.values()) == {1}
        hook.finish(pile.machine.name)
        pile.service.wait(lambda: pile.machine.run(*words).code, lambda code: code == DONE)
    assert differences(record_tree(session), record_tree(to / SESSIONS[2])) == []


def test_a_backup_that_is_killed_in_the_second_year_goes_on_and_nothing_is_lost_or_doubled(
    service: Service, tmp_path: Path
) -> None:
    pile = enrolled(service, Form("killed-pile", 1, (1, 2), 0), ("2016", "2017"))
    second = f"{pile.machine.name}/photos-2017/data_"
    pile.machine.run_and_kill(lambda: len(service.keys(second)) >= 8, "backup")
    late = pile.top / "2016" / SESSIONS[0] / "late.raw"
    late.write_bytes(pile.chance.randbytes(MB))
    pile.backs_up()
    assert [job["job"] for job in pile.jobs()] == ["photos-2016", "photos-2017"]
    for year in ("2016", "2017"):
        volumes = [key for key in pile.stored() if f"/photos-{year}/data_" in key]
        increments = [key for key in volumes if "-inc." in key]
        assert len(volumes) - len(increments) <= math.ceil(size_of(pile.top / year) / LEAST_OF_A_VOLUME)
        assert len(increments) <= 2
        pile.restores(f"photos-{year}", pile.top / year, tmp_path / year)
    assert not pile.backs_up().files
