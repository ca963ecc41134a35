"""The weekly mail in nine scenes, made by the service's own code: for looking at, and for the tests of its form.

    python -m tests.mail_scenes FOLDER [--pictures]

writes each as HTML and text, and with ``--pictures`` photographs them at 360 and 800 pixels, some of them also in the
dark.
"""

from __future__ import annotations

import argparse
import dataclasses
import html
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from chalicelib.adapters.price_files import price_table
from chalicelib.adapters.stores.catalogue_store import JobSets
from chalicelib.adapters.stores.retention.retention_store import JobName
from chalicelib.domain.audit.codes.code import Severity
from chalicelib.domain.audit.findings import Finding
from chalicelib.domain.audit.notices import SECOND_RUN, Notice, job_added
from chalicelib.domain.backups.leases import Lease
from chalicelib.domain.backups.machines import Job, LastCheck, LastDrill, LastRun, Machine, ReconcileProgress
from chalicelib.domain.backups.names import Location, SetId
from chalicelib.domain.backups.sets import BackupSet
from chalicelib.domain.backups.tallies import Tally
from chalicelib.domain.costs.figures import Figures, JobFigures
from chalicelib.domain.mail.report_parts import Report
from chalicelib.domain.photos.family import PHOTO_PERIOD_SECONDS, PHOTO_STORAGE, Family
from chalicelib.domain.recovery.recovery import Recovery
from chalicelib.domain.restore.drill_findings import find_failed_drill
from chalicelib.domain.restore.thaws import Thaw, ThawMonth
from chalicelib.domain.retention.facts import OwnerChoices
from chalicelib.domain.retention.let_go import LetGo
from chalicelib.domain.weekly import Weekday, WeeklyTime
from chalicelib.journeys.send_weekly_report import ReportContext, compose, gather
from chalicelib.rendering import Mail, render
from chalicelib.wire import DrillOutcome, ThawState, ThawTier
from ops.local.received_mail import run_browser, take_picture

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=timezone.utc)
MB, GB = 2**20, 2**30
VOLUME_BYTES = 25 * MB


@dataclasses.dataclass
class Scene:
    """Stands for all stores at once: what they would answer."""

    owned: dict[str, Machine] = dataclasses.field(default_factory=dict)
    stored: dict[Job, list[BackupSet]] = dataclasses.field(default_factory=dict)
    wrong: list[Finding] = dataclasses.field(default_factory=list)
    happened: list[Notice] = dataclasses.field(default_factory=list)
    earlier: list[Figures] = dataclasses.field(default_factory=list)
    earlier_jobs: dict[str, JobFigures] = dataclasses.field(default_factory=dict)
    budget: Decimal | None = None
    thawed: list[Thaw] = dataclasses.field(default_factory=list)
    thaw_months: dict[str, ThawMonth] = dataclasses.field(default_factory=dict)
    chosen: dict[JobName, OwnerChoices] = dataclasses.field(default_factory=dict)
    named: dict[JobName, dict[SetId, int]] = dataclasses.field(default_factory=dict)
    went: list[LetGo] = dataclasses.field(default_factory=list)
    with_pictures: list[Family] = dataclasses.field(default_factory=list)

    def add(self, machine: str, job: str, sets: list[BackupSet], *, exit_code: int = 0, **fields: Any) -> Job:
        created = min([one.set_id.end for one in sets], default=NOW - timedelta(days=1))
        self.owned.setdefault(machine, Machine(machine, created_at=created, token_sha256="0" * 64))
        ended = max([one.changed_at for one in sets if one.changed_at], default=None)
        run = None
        if ended is not None:
            kind = "incremental" if len(sets) > 1 else "full"
            run = LastRun("r", kind, ended - timedelta(minutes=20), ended, exit_code=exit_code)
        fields.setdefault("last_run", run)
        made = Job(machine, job, Location("bucket", f"{machine}/{job}/"), **fields)
        self.stored[made] = sets
        return made

    def machines(self) -> list[Machine]:
        return list(self.owned.values())

    def jobs(self) -> list[Job]:
        return list(self.stored)

    def families(self) -> list[Family]:
        return self.with_pictures

    def sets_of_each(self, jobs: Iterable[Job]) -> Iterator[JobSets]:
        return (JobSets(job, self.stored[job], self.stored[job]) for job in jobs)

    def findings(self) -> list[Finding]:
        return self.wrong

    def since(self, _: datetime) -> list[Notice]:
        return self.happened

    def stored_figures(self, _: int) -> list[Figures]:
        return self.earlier

    def stored_job_figures(self) -> dict[str, JobFigures]:
        return self.earlier_jobs

    def recoveries(self, machines: Collection[str]) -> dict[str, Recovery]:
        assert not machines, "no reader's thaw is among these"
        return {}

    def thaws(self) -> list[Thaw]:
        return self.thawed

    def months(self, machines: Iterable[str], _: datetime) -> dict[str, ThawMonth]:
        return {machine: self.thaw_months.get(machine, ThawMonth()) for machine in machines}

    def all_choices(self) -> dict[JobName, OwnerChoices]:
        return self.chosen

    def let_gos(self) -> list[LetGo]:
        return self.went

    def announced(self) -> dict[JobName, dict[SetId, int]]:
        return self.named

    def fetched(self) -> dict[JobName, dict[SetId, datetime]]:
        return {}

    def enrolments(self) -> dict[str, tuple[datetime, ...]]:
        return {}

    def leases(self) -> dict[JobName, Lease]:
        return {}

    def context(self) -> ReportContext:
        stores: Any = self
        return ReportContext(
            machines=stores,
            notice_store=stores,
            runs=stores,
            catalogue=stores,
            findings=stores,
            thaws=stores,
            retention=stores,
            recoveries=stores,
            reports=stores,
            mailer=stores,
            weekly_time=WeeklyTime(Weekday.MONDAY, 7, ZoneInfo("Europe/Berlin")),
            recipients=["owner@example.org"],
            now=NOW,
            prices=price_table("us-east-1"),
            budget=self.budget,
        )

    def report(self) -> Report:
        context = self.context()
        return compose(context, gather(context))


def set_of(start: datetime | None, end: datetime, size_bytes: int) -> BackupSet:
    """A complete set as it would be after so long: its volumes in the archive class after seven days."""
    count = max(1, size_bytes // VOLUME_BYTES)
    metadata = Tally(2, max(20_000, size_bytes // 100))
    moved = NOW - end > timedelta(days=7)
    current = (
        {"GLACIER_IR": Tally(count, size_bytes), "STANDARD": metadata}
        if moved
        else {"STANDARD": Tally(count, size_bytes) + metadata}
    )
    sealed = end + timedelta(hours=1 + size_bytes / (20 * GB))
    return BackupSet(
        SetId(start, end), frozenset(range(1, count + 1)), count, True, True, sealed, current, {}, sealed
    )


def chain(
    full_days: float, full_bytes: int, increments: int, size_bytes: int, newest: float = 0.2
) -> list[BackupSet]:
    """A full set and increments at an even pace since, the newest so many days ago."""
    full_end = NOW - timedelta(days=full_days)
    sets = [set_of(None, full_end, full_bytes)]
    step = (timedelta(days=full_days) - timedelta(days=newest)) / max(1, increments)
    for number in range(increments):
        start, end = full_end + number * step, full_end + (number + 1) * step
        sets.append(set_of(start, end, size_bytes + number * MB))
    return sets


def weeks_before(weeks: int, now_bytes: int, monthly: str, growth: float) -> list[Figures]:
    return [
        Figures(
            NOW - timedelta(weeks=ago),
            1,
            0,
            int(now_bytes / (1 + growth) ** ago),
            Decimal(monthly) / Decimal((1 + growth) ** ago),
            Decimal(0),
            Decimal(0),
        )
        for ago in range(weeks, 0, -1)
    ]


def one_laptop() -> Scene:
    """One healthy laptop, three months on."""
    scene = Scene()
    scene.add("anna-laptop", "system", chain(88, 96 * GB, 87, 180 * MB), last_drill=drilled(12))
    scene.earlier = weeks_before(11, 110 * GB, "0.46", 0.012)
    return scene


def pictures() -> Scene:
    """Nine years of a photographer: eight settled, the last one grows; and a family of which nothing has come."""
    scene = Scene()
    scene.add("anna-laptop", "system", chain(88, 96 * GB, 87, 180 * MB), last_drill=drilled(12))
    for year in range(2018, 2027):
        sets = chain(365 * (2027 - year), 22 * GB, 2, 200 * MB, newest=1 if year == 2026 else 200)
        looked = LastCheck(NOW - timedelta(days=2), 300, 22 * GB)
        fields: dict[str, Any] = {
            "family": "photos",
            "storage": PHOTO_STORAGE,
            "last_check": looked,
            "last_drill": drilled(5),
        }
        scene.add("anna-laptop", f"photos-{year}", sets, period_seconds=PHOTO_PERIOD_SECONDS, **fields)
    scene.happened = [job_added("anna-laptop", "photos", f"photos-{year}", NOW) for year in range(2018, 2027)]
    scene.owned["carla-studio"] = Machine("carla-studio", created_at=NOW - timedelta(days=40))
    scene.with_pictures = [
        Family(machine, "photos", NOW - timedelta(days=40)) for machine in ("anna-laptop", "carla-studio")
    ]
    return scene


def drilled(days_ago: int) -> LastDrill:
    at = NOW - timedelta(days=days_ago)
    return LastDrill(DrillOutcome.PASSED, at, passed_at=at, passed_files=3)


def first_week() -> Scene:
    """Nothing is complete yet: one full backup on its way, and a machine that has not begun."""
    scene = Scene()
    end = NOW - timedelta(days=6)
    stored = 168 * GB
    begun = BackupSet(
        SetId(None, end),
        frozenset(range(1, stored // VOLUME_BYTES + 1)),
        current={"STANDARD": Tally(stored // VOLUME_BYTES, stored)},
        changed_at=NOW - timedelta(minutes=5),
    )
    run = LastRun("r", "full", end, estimated_bytes=410 * GB)
    scene.add("anna-laptop", "system", [begun], last_run=run)
    scene.add("bens-laptop", "system", [])
    return scene


def trouble() -> Scene:
    """Nine machines, some of them in trouble, and a bill that rose."""
    scene = Scene(budget=Decimal(5))
    scene.add("anna-laptop", "system", chain(88, 96 * GB, 87, 180 * MB), last_drill=drilled(12))
    scene.add("bens-laptop", "system", chain(60, 140 * GB, 40, 300 * MB, newest=12))
    scene.add("carla-studio", "system", chain(40, 64 * GB, 39, 120 * MB), exit_code=30)
    photos = [*chain(70, 310 * GB, 9, 4 * GB, newest=3), set_of(None, NOW - timedelta(days=2), 318 * GB)]
    scene.add("carla-studio", "photos-2018", photos, period_seconds=7 * 86_400)
    lacking = chain(20, 30 * GB, 19, 90 * MB)
    lacking[4] = dataclasses.replace(lacking[4], volumes_promised=len(lacking[4].volumes) + 1)
    scene.add("david-desktop", "system", lacking)
    scene.add("emma-laptop", "system", chain(15, 55 * GB, 14, 200 * MB, newest=1.4))
    on_desk = chain(33, 12 * GB, 32, 40 * MB)
    failed = dataclasses.replace(
        drilled(40),
        failed_at=NOW - timedelta(days=1),
        failure=f"a file of the set {on_desk[4].set_id} cannot be restored: its data cannot be read",
    )
    desk = scene.add("front-desk", "system", on_desk, last_drill=failed)
    scene.wrong += find_failed_drill(desk)
    nas = chain(45, 480 * GB, 44, 700 * MB)
    nas[0] = dataclasses.replace(nas[0], noncurrent={"GLACIER_IR": Tally(8_000, 190 * GB)})
    scene.add("garage-nas", "system", nas)
    scene.owned["hannas-old-laptop"] = Machine(
        "hannas-old-laptop", NOW - timedelta(days=300), paused_at=NOW - timedelta(days=30)
    )
    scene.add("hannas-old-laptop", "system", chain(200, 70 * GB, 100, 60 * MB, newest=31))
    begun = NOW - timedelta(days=4)
    growing = BackupSet(
        SetId(None, begun),
        frozenset(range(1, 4001)),
        current={"STANDARD": Tally(4000, 98 * GB)},
        changed_at=NOW - timedelta(minutes=20),
    )
    scene.add(
        "ivan-laptop", "system", [growing], last_run=LastRun("r", "full", begun, estimated_bytes=240 * GB)
    )
    scene.wrong.append(
        Finding(
            "gap",
            Severity.CRITICAL,
            "david-desktop",
            "system",
            "s",
            f"The set {lacking[4].set_id} of david-desktop/system is finished, but lacks volume"
            f" {lacking[4].volumes_promised}.",
            "Files in it cannot be restored. Look for a noncurrent version of the volume; otherwise make a full"
            " backup.",
            commands=("python -m ops machine show david-desktop",),
        )
    )
    scene.happened.append(
        Notice(
            SECOND_RUN,
            "emma-laptop",
            "system",
            "A second backup was started while one was running. If that was not you, somebody may have this"
            " machine's token.",
            NOW - timedelta(days=2),
        )
    )
    scene.earlier = weeks_before(9, 1430 * GB, "6.10", 0.02)
    scene.earlier_jobs = {
        f"{job.machine}/{job.name}": JobFigures(
            Decimal("0.4") if job.name != "photos-2018" else Decimal("1.5"), 0, 190 * GB
        )
        for job in scene.stored
    }
    return scene


def thaw_of(machine: str, job: str, state: ThawState, usd: str, size_bytes: int, **fields: Any) -> Thaw:
    """Of volumes of 25 MB, by Bulk, begun three days ago."""
    started = NOW - timedelta(days=3)
    volumes = size_bytes // VOLUME_BYTES
    fields = {"done": volumes, "ready_by": started + timedelta(hours=48), **fields}
    return Thaw(
        machine,
        job,
        "5e02a77c0f1b9d34c6ee",
        state,
        ThawTier.BULK,
        started,
        volumes,
        size_bytes,
        days=5,
        usd=Decimal(usd),
        **fields,
    )


def restoring() -> Scene:
    """Photos in Deep Archive that are being brought back, by two machines."""
    scene = Scene(budget=Decimal(5))
    deep = {"GLACIER_IR": "DEEP_ARCHIVE"}
    scene.add("anna-laptop", "system", chain(88, 96 * GB, 87, 180 * MB))
    for machine, job, size in (
        ("anna-laptop", "photos", 40),
        ("carla-studio", "photos-2012", 50),
        ("carla-studio", "photos-2018", 310),
    ):
        archived = [
            dataclasses.replace(
                one, current={deep.get(name, name): tally for name, tally in one.current.items()}
            )
            for one in chain(200, size * GB, 9, GB, newest=3)
        ]
        scene.add(machine, job, archived, period_seconds=7 * 86_400)
    soon, gone = NOW + timedelta(days=2, hours=18), NOW - timedelta(days=1)
    some = {"readable_until": soon, "downloaded_bytes": 5 * GB, "last_download_at": NOW - timedelta(hours=4)}
    lapsed = {"readable_until": gone, "downloaded_bytes": 300 * MB}
    scene.thawed = [
        thaw_of("anna-laptop", "photos", ThawState.READY, "0.0883", 12 * GB, **some),
        thaw_of("anna-laptop", "photos", ThawState.LAPSED, "0.0066", 900 * MB, **lapsed),
        thaw_of("carla-studio", "photos-2018", ThawState.WAITING, "21.1885", 310 * GB, done=0),
        thaw_of(
            "carla-studio",
            "photos-2012",
            ThawState.THAWING,
            "0.3687",
            50 * GB,
            done=800,
            ready_by=NOW + timedelta(hours=9),
        ),
    ]
    scene.thaw_months = {
        "anna-laptop": ThawMonth(Decimal("0.0949")),
        "carla-studio": ThawMonth(Decimal("0.3687"), Decimal("3.1042")),
    }
    scene.earlier = weeks_before(9, 520 * GB, "1.05", 0.01)
    return scene


def over_years(days_ago: float, size_bytes: int, newest: float = 0.2) -> list[BackupSet]:
    """Two chains: one begun so many days ago and ended when the next began, 200 days ago."""
    old = chain(days_ago, size_bytes, 40, 90 * MB, newest=201)
    return [*old, *chain(200, size_bytes + 8 * GB, 28, 120 * MB, newest=newest)]


def letting_go() -> Scene:
    """Old chains in every state: two go next, one waits for a look, one was to go, some went."""
    scene = Scene(budget=Decimal(8))
    compared = ReconcileProgress(NOW - timedelta(days=2), done_at=NOW - timedelta(days=2))

    def add(machine: str, job: str, days_ago: float, size: int, *, looked: bool, named: int = 0) -> Job:
        sets = over_years(days_ago, size * GB)
        added = scene.add(machine, job, sets, reconcile=compared, last_drill=drilled(12))
        fulls = [one.set_id for one in sets if one.set_id.is_full]
        if looked:
            seen = OwnerChoices(NOW - timedelta(days=20), seen=frozenset(fulls), revision=1)
            scene.chosen[machine, job] = seen
        scene.named[machine, job] = {fulls[0]: named}
        return added

    add("anna-laptop", "system", 720, 96, looked=True, named=1)
    add("anna-laptop", "mail", 600, 12, looked=True)
    add("bens-laptop", "system", 540, 140, looked=False)
    ill = add("carla-studio", "system", 800, 310, looked=True, named=2)
    scene.happened.append(
        Notice(
            SECOND_RUN,
            ill.machine,
            ill.name,
            "A second backup was started while one was running. If that was not you, somebody may have this"
            " machine's token.",
            NOW - timedelta(days=2),
        )
    )
    for job, days_ago in (("photos", 9), ("mail", 36)):
        full = SetId(None, NOW - timedelta(days=900))
        began = NOW - timedelta(days=days_ago)
        had = {"GLACIER_IR": Tally(3_700, 88 * GB)}
        gone = LetGo("garage-nas", job, full, (full,) * 52, began, 88 * GB, 3_700, went={full: had})
        scene.went.append(dataclasses.replace(gone, marked_at=began + timedelta(minutes=2)))
        sets = chain(190, 90 * GB, 20, GB, newest=0.4)
        hidden = BackupSet(full, noncurrent=had if days_ago < 30 else {}, changed_at=full.end)
        scene.add("garage-nas", job, [*sets, hidden], last_drill=drilled(5))
    scene.earlier = weeks_before(9, 1290 * GB, "5.46", 0.004)
    return scene


def thousand() -> Scene:
    """1,000 machines with three jobs each."""
    scene = Scene(budget=Decimal(2000))
    for number in range(1000):
        machine = f"office-{number:04d}"
        for job in ("system", "home", "mail"):
            newest = 9.0 if number % 37 == 0 and job == "mail" else 0.3
            exit_code = 23 if number % 53 == 0 and job == "home" else 0
            sets = chain(30 + number % 20, (20 + number % 50) * GB, 6, 150 * MB, newest=newest)
            scene.add(machine, job, sets, exit_code=exit_code)
    for number in range(40):
        machine = f"office-{number * 7:04d}"
        scene.wrong.append(
            Finding(
                "source_shrank",
                Severity.WARNING,
                machine,
                "home",
                "r",
                f"The last run of {machine}/home found 1200 files where the one before found 48211.",
                "Look whether a disk is unplugged or a folder hidden. Earlier sets still hold everything.",
            )
        )
        message = "A backup code was used a second time."
        scene.happened.append(Notice("code_reused", machine, "", message, NOW - timedelta(days=3)))
    scene.earlier = weeks_before(11, 130_000 * GB, "595", 0.004)
    return scene


def odd() -> Scene:
    """The longest names there can be, long commands and keys without a space, and names from right to left."""
    scene = Scene(budget=Decimal(5))
    longest = "w" * 41
    scene.add(longest, "m" * 41, chain(60, 140 * GB, 40, 300 * MB, newest=12))
    scene.add(longest, "photos-2018", chain(40, 64 * GB, 39, 120 * MB), exit_code=30)
    rule = '{"ID": "to-glacier", "Filter": {"Prefix": "data_"}, "Status": "Enabled"}'
    command = "aws s3api put-bucket-lifecycle-configuration --bucket annas-backup --lifecycle-configuration"
    key = f"{longest}/photos-2018/data_duplicity-inc.20261101T040000Z.to.20261128T040000Z.vol1234.difftar.gpg"
    for code, subject, message in (
        ("rule_matches_nothing", "to-glacier", "The lifecycle rule to-glacier of annas-backup does nothing."),
        ("wrong_prefix", key, f"{key} is under the wrong prefix."),
        (
            "stray",
            "\u05ea\u05de\u05d5\u05e0\u05d5\u05ea/\u0635\u0648\u0631\u0629 1.jpg",
            "\u05ea\u05de\u05d5\u05e0\u05d5\u05ea/\u0635\u0648\u0631\u0629 1.jpg is no file of a backup.",
        ),
    ):
        scene.wrong.append(
            Finding(
                code,
                Severity.WARNING,
                longest,
                "photos-2018",
                subject,
                message,
                "Type the command as it is.",
                evidence=f"found: {rule}",
                commands=(f"{command} '{{\"Rules\": [{', '.join([rule] * 4)}]}}'", f"aws s3 ls s3://b/{key}"),
            )
        )
    full = SetId(None, NOW - timedelta(days=900))
    scene.went.append(LetGo(longest, "m" * 41, full, (full,), NOW - timedelta(days=9), 88 * GB, 3_700))
    scene.happened.append(Notice(SECOND_RUN, longest, "photos-2018", f"Run {'7' * 64} was refused.", NOW))
    scene.earlier = weeks_before(9, 1430 * GB, "6.10", 0.02)
    return scene


SCENES: dict[str, Callable[[], Scene]] = {
    "one-laptop": one_laptop,
    "pictures": pictures,
    "first-week": first_week,
    "trouble": trouble,
    "restoring": restoring,
    "letting-go": letting_go,
    "thousand": thousand,
    "odd": odd,
    "nothing": Scene,
}
WIDTHS = (360, 800)
DARK = ("trouble", "odd", "restoring", "letting-go")


def photograph(page: str, picture: Path, width: int) -> None:
    """In a frame, since Chromium's own window is never as narrow as a phone."""
    framed, height = picture.with_suffix(".frame.html"), 4200
    style = f"border:0;width:{width}px;height:{height}px"
    framed.write_text(
        f'<body style="margin:0"><iframe style="{style}" srcdoc="{html.escape(page)}"></iframe>'
    )
    take_picture(framed, picture, width=width, height=height)
    framed.unlink()


def measured_width(page: str, frame: Path, width: int) -> int | None:
    """How wide the page is in a window of that width, in pixels; None where there is no Chromium."""
    measure = "document.title = this.contentDocument.documentElement.scrollWidth"
    style = f"border:0;width:{width}px;height:4200px"
    frame.write_text(f'<iframe style="{style}" onload="{measure}" srcdoc="{html.escape(page)}"></iframe>')
    found = re.search(r"<title>(\d+)</title>", run_browser(frame, 1000, 800, "--dump-dom") or "")
    return int(found[1]) if found else None


def write_scenes(folder: Path, *, pictures: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, scene in SCENES.items():
        mail: Mail = render(scene().report())
        page = folder / f"{name}.html"
        page.write_text(mail.html, encoding="utf-8")
        (folder / f"{name}.txt").write_text(f"Subject: {mail.subject}\n\n{mail.text}", encoding="utf-8")
        for attachment in mail.attachments:
            (folder / f"{name}-{attachment.name}").write_text(attachment.text, encoding="utf-8")
        print(f"{name}: {mail.subject} ({len(mail.html.encode()):,} bytes of HTML)")
        for width in WIDTHS if pictures else ():
            photograph(mail.html, folder / f"{name}-{width}.png", width)
            if name in DARK:
                in_the_dark = mail.html.replace("(prefers-color-scheme: dark)", "all")
                photograph(in_the_dark, folder / f"{name}-dark-{width}.png", width)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--pictures", action="store_true")
    given = arguments.parse_args()
    write_scenes(given.folder, pictures=given.pictures)
