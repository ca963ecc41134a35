"""From archived volumes to readable ones: which calls are made, what is spent, and how every end is told."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from fake_service import CODE, FakeService
from panicroom.api import Api
from panicroom.exit_codes import ExitCode, Problem
from panicroom.places import Places
from panicroom.settings import Settings
from panicroom.terminal.plain_lines import PlainReporter
from panicroom.thaw.consent import ThawOptions
from panicroom.thaw.thawer import Thawer
from panicroom.thaw.waiting import Clock
from panicroom.transfer.measured_line import MeasuredLine
from panicroom.wire import ListedFile, ThawPlan, ThawRequest, ThawTier

SECRET_SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
FULL = "data_duplicity-full.20261122T213347Z.vol{}.difftar.gpg"
COMMAND = ("panicroom", "restore", "--to", "/out")


@dataclass
class Scene:
    """A job with ten volumes, of which a test archives some."""

    service: FakeService
    api: Api
    settings: Settings
    output: io.StringIO = field(default_factory=io.StringIO)
    sleeps: list[float] = field(default_factory=list)
    on_sleep: Callable[[], None] = lambda: None
    now: datetime = datetime(2026, 11, 30, tzinfo=timezone.utc)

    @property
    def thaws(self) -> Any:
        return self.service.thaws

    @property
    def spent(self) -> list[str]:
        return list(self.thaws.asked)

    def archive(self, *numbers: int) -> None:
        self.thaws.archived.update(FULL.format(number) for number in numbers)

    def volumes(self, *numbers: int) -> list[ListedFile]:
        wanted = {FULL.format(number) for number in numbers or range(1, 11)}
        return [file for file in self.api.files("system") if file.name in wanted]

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += timedelta(seconds=seconds)
        self.on_sleep()

    def thawer(
        self,
        before_spending: Callable[[], None] = lambda: None,
        line: MeasuredLine | None = None,
        **options: Any,
    ) -> Thawer:
        return Thawer(
            self.settings,
            "system",
            self.api,
            ThawOptions(COMMAND, **{"yes": True, **options}),
            PlainReporter(self.output),
            before_spending,
            Clock(lambda: self.now, self.sleep),
            line,
        )

    def refused(self, exit_code: ExitCode, text: str, **options: Any) -> str:
        """The message of a thaw of all volumes, which ends with ``exit_code`` and has ``text``."""
        with pytest.raises(Problem, match=text) as raised:
            self.thawer(**options).make_readable(self.volumes())
        assert raised.value.exit_code == exit_code
        return str(raised.value)


@pytest.fixture
def scene(service: FakeService, tmp_path: Path) -> Iterator[Scene]:
    service.enrol({"code": CODE, "secret_sha256": SECRET_SHA256})
    for number in range(1, 11):
        service.store(FULL.format(number), b"x" * 1000)
    places = Places(tmp_path / "config", tmp_path / "state", tmp_path / "cache")
    settings = Settings(service.url, "laptop", "file", 25, 4, (), places)
    with Api(service.url, "laptop.test", patience_seconds=0) as api:
        yield Scene(service, api, settings)


def test_where_nothing_is_archived_no_call_is_made(scene: Scene) -> None:
    scene.thawer().make_readable(scene.volumes())
    assert scene.thaws.requests == []


def test_only_what_is_archived_of_what_is_wanted_is_thawed(scene: Scene) -> None:
    scene.archive(1, 2, 9)
    with pytest.raises(Problem):
        scene.thawer().make_readable(scene.volumes(2, 3, 4))
    assert scene.spent == [FULL.format(2)]


def test_it_ends_with_the_time_to_come_back_and_the_same_command_carries_on_without_another_plan(
    scene: Scene,
) -> None:
    scene.archive(1, 2, 3)
    text = scene.refused(ExitCode.TRY_LATER, r"3 volumes are being thawed, 0 can be read, all of them by")
    assert text.endswith("at the latest; then run again: panicroom restore --to /out")
    scene.refused(ExitCode.TRY_LATER, "3 volumes are being thawed", yes=False)
    scene.thaws.finish()
    scene.thawer(yes=False).make_readable(scene.volumes())
    # With some fetched, and a new backup: still the same thaw.
    scene.service.store("data_duplicity-inc.20261122T213347Z.to.20261130T000000Z.vol1.difftar.gpg", b"new")
    scene.thawer(yes=False).make_readable(scene.volumes(2, 3, 4))
    assert scene.thaws.requests == ["plan", "start", "look", "look", "look"]
    assert len(scene.spent) == 3


def test_without_an_agreement_nothing_is_started(scene: Scene) -> None:
    scene.archive(1)
    scene.refused(ExitCode.USAGE, "to agree, run: panicroom restore --to /out --yes --tier bulk", yes=False)
    assert scene.thaws.requests == ["plan"]
    assert "1 of 10 volumes is archived" in scene.output.getvalue()


def test_a_passphrase_that_is_wrong_is_said_before_anything_is_planned(scene: Scene) -> None:
    scene.archive(1)

    def wrong() -> None:
        raise Problem("the passphrase does not open this backup", ExitCode.PASSPHRASE)

    with pytest.raises(Problem, match="does not open"):
        scene.thawer(before_spending=wrong).make_readable(scene.volumes())
    assert scene.thaws.requests == []


def test_wait_goes_on_when_all_can_be_read(scene: Scene) -> None:
    scene.archive(1, 2)

    def on_sleep() -> None:
        if sum(scene.sleeps) > 40_000:
            scene.thaws.finish()

    scene.on_sleep = on_sleep
    thawer = scene.thawer(wait=True)
    thawer.make_readable(scene.volumes())
    assert thawer.has_waited
    lines = scene.output.getvalue().splitlines()
    (waiting,) = [line for line in lines if "goes on by itself" in line]
    assert "2 volumes are being thawed, 0 can be read, all of them by" in waiting
    assert lines[-1].startswith("2 volumes thawed, readable until ")


def test_wait_outlasts_a_service_that_does_not_answer(scene: Scene) -> None:
    scene.archive(1)

    def on_sleep() -> None:
        offline = 5 < len(scene.sleeps) < 40
        scene.service.trouble = lambda _method, _path: 503 if offline else None
        if len(scene.sleeps) == 20:
            scene.thaws.finish()

    scene.on_sleep = on_sleep
    scene.thawer(wait=True).make_readable(scene.volumes())
    assert len(scene.sleeps) >= 40


def test_what_s3_is_thawing_already_is_waited_for_at_no_price(scene: Scene) -> None:
    scene.archive(1, 2)
    scene.thaws.under_way.update(scene.thaws.archived)
    scene.refused(ExitCode.TRY_LATER, "2 volumes are being thawed", yes=False)
    assert scene.spent == []


def test_what_can_be_read_already_is_not_thawed_again(scene: Scene) -> None:
    scene.archive(1, 2)
    scene.thaws.copies.update(scene.thaws.archived)
    scene.thawer(yes=False).make_readable(scene.volumes())
    assert scene.thaws.requests == ["plan"]


def test_a_price_that_has_risen_is_shown_and_agreed_to_anew(scene: Scene) -> None:
    scene.archive(1)
    scene.thaws.dearer_by = 0.5
    scene.refused(ExitCode.TRY_LATER, "1 volume is being thawed")
    assert scene.thaws.requests == ["plan", "start", "plan", "start"]
    assert "planning anew: it costs $0.51 by now" in scene.output.getvalue()


def test_a_price_that_rises_within_what_was_allowed_is_agreed_to(scene: Scene) -> None:
    scene.archive(1)
    scene.thaws.dearer_by = 0.5
    scene.refused(ExitCode.TRY_LATER, "being thawed", max_usd=1.0)
    assert scene.thaws.requests == ["plan", "start"]


def test_a_plan_that_the_service_has_forgotten_is_made_again(scene: Scene) -> None:
    scene.archive(1)
    scene.refused(ExitCode.TRY_LATER, "being thawed")
    scene.thaws.thaws.clear()
    scene.thaws.under_way.clear()
    scene.refused(ExitCode.TRY_LATER, "being thawed")
    assert scene.thaws.requests == ["plan", "start", "look", "plan", "start"]


def test_beyond_the_budget_the_owner_is_named_and_the_same_command_carries_on(scene: Scene) -> None:
    scene.archive(1, 2, 3)
    scene.thaws.budget_usd = 0.02
    text = scene.refused(ExitCode.TRY_LATER, "ops thaw approve")
    assert text.endswith("; then run again: panicroom restore --to /out")
    assert "needs the owner's approval" in scene.output.getvalue()
    scene.refused(ExitCode.TRY_LATER, "the thaw waits", yes=False)
    scene.thaws.approve()
    scene.thaws.finish()
    scene.thawer(yes=False).make_readable(scene.volumes())
    assert scene.thaws.requests.count("start") == 1


def test_the_service_is_told_how_fast_this_line_is(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.archive(1)
    line, plan_thaw = MeasuredLine(iter([0.0, 4.0]).__next__), scene.api.plan_thaw
    asked: list[int | None] = []

    def plan(job: str, request: ThawRequest) -> ThawPlan:
        asked.append(request.line_bytes_a_second)
        return plan_thaw(job, request)

    monkeypatch.setattr(scene.api, "plan_thaw", plan)
    scene.refused(ExitCode.TRY_LATER, "being thawed", line=line)
    with line.downloading() as count:
        count(400_000_000)
    scene.thaws.thaws.clear()
    scene.thaws.under_way.clear()
    scene.refused(ExitCode.TRY_LATER, "being thawed", line=line)
    assert asked == [None, 100_000_000]


def test_a_thaw_that_waits_for_the_owner_begins_where_the_budget_allows_it_by_now(scene: Scene) -> None:
    scene.archive(1, 2, 3)
    scene.thaws.budget_usd = 0.02
    scene.refused(ExitCode.TRY_LATER, "ops thaw approve")
    scene.thaws.budget_usd = 1.0
    scene.refused(ExitCode.TRY_LATER, "3 volumes are being thawed")
    assert len(scene.spent) == 3


def test_a_cheaper_tier_does_not_wait_for_the_owner_with_a_dearer_one(scene: Scene) -> None:
    scene.archive(1, 2, 3)
    scene.thaws.budget_usd = 0.05
    scene.refused(ExitCode.TRY_LATER, "ops thaw approve", tier=ThawTier.STANDARD)
    scene.refused(ExitCode.TRY_LATER, "the thaw waits", tier=ThawTier.STANDARD)
    assert scene.spent == []
    scene.refused(ExitCode.TRY_LATER, "3 volumes are being thawed", tier=ThawTier.BULK)
    assert len(scene.spent) == 3


def test_wait_waits_for_the_approval_as_well(scene: Scene) -> None:
    scene.archive(1, 2, 3)
    scene.thaws.budget_usd = 0.02

    def on_sleep() -> None:
        if len(scene.sleeps) == 10:
            scene.thaws.approve()
        if len(scene.sleeps) == 20:
            scene.thaws.finish()

    scene.on_sleep = on_sleep
    scene.thawer(wait=True).make_readable(scene.volumes())
    assert len(scene.spent) == 3


def test_an_unknown_price_is_for_the_owner_to_approve(scene: Scene) -> None:
    scene.archive(1)
    scene.thaws.price_known = False
    scene.refused(ExitCode.TRY_LATER, "ops thaw approve")
    assert "unknown" in scene.output.getvalue()
    assert scene.spent == []


def test_another_thaw_of_the_job_is_named_and_waited_for(scene: Scene) -> None:
    scene.archive(1, 2)
    with pytest.raises(Problem, match="being thawed"):
        scene.thawer().make_readable(scene.volumes(1, 3))
    scene.refused(ExitCode.TRY_LATER, "is in progress; then run again")

    def on_sleep() -> None:
        scene.thaws.finish()

    scene.on_sleep = on_sleep
    scene.thawer(wait=True).make_readable(scene.volumes())
    assert scene.spent == [FULL.format(1), FULL.format(2)]


def test_a_tier_that_the_class_lacks_is_an_error_of_the_command_line(scene: Scene) -> None:
    scene.archive(1)
    scene.refused(ExitCode.USAGE, "there is bulk or standard", tier=ThawTier.EXPEDITED)
    scene.thaws.storage_class = "GLACIER"
    scene.refused(ExitCode.TRY_LATER, "being thawed", tier=ThawTier.EXPEDITED)


def test_when_the_days_plans_are_used_up_what_can_be_read_is_fetched_all_the_same(scene: Scene) -> None:
    scene.archive(1, 2)
    scene.thaws.plans_left = 0
    scene.refused(ExitCode.TRY_LATER, "planned 20 thaws today; try again tomorrow; then run again")
    scene.thaws.copies.update(scene.thaws.archived)
    scene.thawer().make_readable(scene.volumes())
    assert scene.spent == []


def test_a_copy_that_lapsed_before_it_was_fetched_is_a_thaw_of_its_own(scene: Scene) -> None:
    scene.archive(1, 2)
    scene.refused(ExitCode.TRY_LATER, "being thawed")
    scene.thaws.finish()
    thawer = scene.thawer(wait=True)
    thawer.make_readable(scene.volumes())
    scene.thaws.lapse(FULL.format(2))
    known = next(iter(scene.thaws.thaws.values()))
    known["state"] = "ready"  # the service has not noticed
    scene.on_sleep = scene.thaws.finish
    thawer.make_readable(scene.volumes(), {FULL.format(2)})
    assert scene.spent == [FULL.format(1), FULL.format(2), FULL.format(2)]


def test_what_was_archived_since_the_listing_is_thawed_too(scene: Scene) -> None:
    volumes = scene.volumes()
    scene.archive(5)
    scene.on_sleep = scene.thaws.finish
    scene.thawer(wait=True).make_readable(volumes, {FULL.format(5)})
    assert scene.spent == [FULL.format(5)]


def test_the_limit_holds_for_all_thaws_of_a_command_together(scene: Scene) -> None:
    scene.archive(1, 2, 3)
    scene.on_sleep = scene.thaws.finish
    thawer = scene.thawer(wait=True, max_usd=0.04)
    thawer.make_readable(scene.volumes())
    scene.thaws.lapse()
    next(iter(scene.thaws.thaws.values()))["state"] = "lapsed"
    with pytest.raises(Problem, match=r"after \$0.03 that this command has spent"):
        thawer.make_readable(scene.volumes(), {FULL.format(1)})
    assert len(scene.spent) == 3


def test_downloads_that_are_refused_for_ever_end_it(scene: Scene) -> None:
    scene.archive(1)
    scene.thaws.copies.update(scene.thaws.archived)
    thawer = scene.thawer()
    for _ in range(8):
        thawer.make_readable(scene.volumes(), {FULL.format(1)})
    with pytest.raises(Problem, match="S3 does not give out") as raised:
        thawer.make_readable(scene.volumes(), {FULL.format(1)})
    assert raised.value.exit_code == ExitCode.TRY_LATER


def test_a_thaw_that_the_owner_ended_is_not_begun_again_by_itself(scene: Scene) -> None:
    scene.archive(1)

    def on_sleep() -> None:
        for known in scene.thaws.thaws.values():
            known.update(state="ended", message="the owner has ended it")

    scene.on_sleep = on_sleep
    scene.refused(ExitCode.TRY_LATER, "the thaw has ended: the owner has ended it", wait=True)
    assert len(scene.spent) == 1


def test_a_service_without_thaws_is_named_as_what_it_is(scene: Scene) -> None:
    scene.archive(1)
    usual = scene.service.call

    def older(method: str, path: list[str], query: Any, body: Any) -> tuple[int, Any]:
        return (
            (403, {"message": "Missing Authentication Token"})
            if "thaws" in path
            else usual(method, path, query, body)
        )

    scene.service.call = older  # type: ignore[method-assign]
    scene.refused(ExitCode.REFUSED, "older than this client")
