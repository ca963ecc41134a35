"""Makes archived volumes readable: asks what it costs, whether that is agreed to, and starts it; then it waits, or says
when to come back. The same command carries on: planning the same volumes again gives the same thaw, at no further cost.
"""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from panicroom.api import UNREACHABLE, Api, ApiError, batches, moment_of
from panicroom.exit_codes import ExitCode, Problem
from panicroom.settings import Settings
from panicroom.stored.times import time_text
from panicroom.terminal.reporter import Reporter
from panicroom.thaw.consent import Agreed, ThawOptions, agree
from panicroom.thaw.months import months_hint, round_size_text
from panicroom.thaw.plan_text import money_text, plan_lines, volumes_text
from panicroom.thaw.remembered import RememberedThaws
from panicroom.thaw.volumes import is_archived, shared_line, thaw_request
from panicroom.thaw.waiting import FIRST_SECONDS, LONGEST_SECONDS, UNDER_WAY, Clock, wait_for
from panicroom.transfer.measured_line import MeasuredLine
from panicroom.wire import (
    ErrorCode,
    ListedFile,
    ThawPlan,
    ThawStart,
    ThawState,
    ThawStatus,
    ThawTier,
)

_ROUNDS = 8
"""Plans of one command at most: a price that changes, copies that lapse."""

_UNKNOWN = (ErrorCode.UNKNOWN_THAW, ErrorCode.NOT_FOUND)
_FOR_APPROVAL = (ErrorCode.THAW_BUDGET, ErrorCode.PRICE_UNKNOWN)


class ThawUnderWay(Problem):
    """S3 is at work, or another thaw of the job goes first: come back later."""


class ThawNotAllowed(Problem):
    """Without its owner the service starts no such thaw: its price is not known, or the allowance is used up."""


class Thawer:
    """For one command. ``before_spending`` raises a ``Problem`` where thawing would be in vain; copies are kept for as
    long as fetching them over ``line`` takes."""

    def __init__(
        self,
        settings: Settings,
        job: str,
        api: Api,
        options: ThawOptions,
        reporter: Reporter,
        before_spending: Callable[[], None] = lambda: None,
        clock: Clock | None = None,
        line: MeasuredLine | None = None,
    ) -> None:
        self._line = line or MeasuredLine()
        self._job, self._api, self._options, self._reporter = job, api, options, reporter
        self._before_spending = before_spending
        self._clock = clock or Clock()
        # A restore must not wait for the slow thaw of a drill because that has its volumes too.
        self._of_drills = RememberedThaws(settings.job_state(job) / "drill-thaws.json")
        own = RememberedThaws(settings.job_state(job) / "thaws.json")
        self._remembered = self._of_drills if options.drill else own
        self._refusals = 0
        self.has_waited = False

    def make_readable(self, volumes: Collection[ListedFile], refused: Collection[str] = ()) -> None:
        """Returns when all of the volumes can be downloaded; ``refused`` are those that could not be, just now.

        Where none of them is archived, nobody is asked. Raises ``Problem`` with what to do where it takes longer.
        """
        archived = {file.name for file in volumes if is_archived(file) or file.name in refused}
        if not archived:
            return
        names = {file.name for file in volumes}
        self._check_progress(refused)
        try:
            if not refused and self._carry_on(archived):
                return
            self._before_spending()
            self._thaw(names)
        except ApiError as failure:
            raise self._problem(failure) from None

    def _carry_on(self, archived: Collection[str]) -> bool:
        """Whether a thaw that was begun before has made them readable; this asks for no plan."""
        thaw = self._remembered.find(archived)
        if thaw is None:
            return False
        try:
            status = self._api.thaw_status(self._job, thaw)
        except ApiError as failure:
            if failure.code not in _UNKNOWN:
                raise
            self._remembered.forget(thaw)
            return False
        return status.state != ThawState.WAITING and self._is_ready(status)

    def _thaw(self, names: set[str]) -> None:
        for _round in range(_ROUNDS):
            plan = self._plan(names)
            if plan is None or not (plan.archived or plan.thawing):
                return
            if plan.state == ThawState.READY:
                # Some copies have lapsed early, or some volumes were archived since: those are a thaw of their own.
                names = self._unreadable(names)
                plan = self._plan(names) if names else None
                if plan is None:
                    return
            status = self._begun(plan, names)
            if status is not None and self._is_ready(status):
                return
        raise Problem("the thaw does not come to its end; try again later", ExitCode.TRY_LATER)

    def _check_progress(self, refused: Collection[str]) -> None:
        """Raises ``Problem`` where downloads are refused again and again."""
        self._refusals += bool(refused)
        if self._refusals > _ROUNDS:
            raise Problem(
                f"S3 does not give out volumes that were thawed; try again later: {self._options.command_line}",
                ExitCode.TRY_LATER,
            )

    def _plan(self, names: Collection[str]) -> ThawPlan | None:
        """None where today's plans are used up, and all can be downloaded anyway."""
        try:
            with self._reporter.busy("asking what a thaw costs"):
                line = shared_line(self._line.bytes_a_second, self._options.share)
                return self._api.plan_thaw(self._job, thaw_request(names, line))
        except ApiError as failure:
            if failure.code == ErrorCode.THAW_CAP and not self._unreadable(names):
                return None
            raise

    def _unreadable(self, names: Collection[str]) -> set[str]:
        """Which of them cannot be downloaded now, by the service's own look at each."""
        found = set()
        for batch in batches(sorted(names)):
            permits = self._api.downloads(self._job, batch, facts_only=True).files
            found |= {permit.name for permit in permits if permit.archived or permit.thawing}
        return found

    def _begun(self, plan: ThawPlan, names: Collection[str]) -> ThawStatus | None:
        """The state of the thaw, which is started unless it was; None if it has to be planned anew."""
        if plan.state in UNDER_WAY and not (self._needs_no_owner(plan) or self._is_a_drills(plan)):
            self._remember(plan.thaw, names)
            return self._api.thaw_status(self._job, plan.thaw)
        if not plan.archived:  # S3 is at work for all of them: it costs nothing to wait for that
            first = plan.tiers[0] if plan.tiers else None
            return self._start(plan, Agreed(ThawTier.BULK, (first and first.usd) or 0.0), names)
        self._show(plan)
        return self._start(plan, agree(plan, self._options), names)

    def _is_a_drills(self, plan: ThawPlan) -> bool:
        """Whether a restore has to take the thaw over: copies for a drill are not kept longer while they are read."""
        return not self._options.drill and self._of_drills.knows(plan.thaw)

    def _needs_no_owner(self, plan: ThawPlan) -> bool:
        """Whether a thaw that waits for the owner could begin without: by a cheaper tier, or within a larger budget."""
        return plan.state == ThawState.WAITING and any(
            not offer.needs_approval for offer in plan.tiers if self._options.tier in (None, offer.tier)
        )

    def _show(self, plan: ThawPlan) -> None:
        if self._options.is_shown:
            return
        for line in plan_lines(plan):
            self._reporter.line(line)
        hint = months_hint(plan)
        if hint is not None and plan.transfer is not None:
            free = round_size_text(plan.transfer.month_free_bytes)
            self._reporter.line(
                f"In {hint[0]} months of at most {free} each it costs about {money_text(hint[1])}; which folders in "
                f"which month: panicroom cost --job {self._job}"
            )

    def _start(self, plan: ThawPlan, agreed: Agreed, names: Collection[str]) -> ThawStatus | None:
        pause = FIRST_SECONDS
        while True:
            try:
                start = ThawStart(agreed.tier, agreed.max_usd, self._options.drill)
                status = self._api.start_thaw(self._job, plan.thaw, start)
            except ApiError as failure:
                if failure.code in (ErrorCode.PLAN_CHANGED, ErrorCode.UNKNOWN_THAW):
                    self._reporter.line(f"planning anew: {failure.message}")
                    return None
                if failure.code in _FOR_APPROVAL:
                    self._remember(plan.thaw, names)
                if not self._options.wait or failure.code not in (*_FOR_APPROVAL, ErrorCode.THAW_IN_PROGRESS):
                    raise
                if failure.code in _FOR_APPROVAL:
                    return self._api.thaw_status(self._job, plan.thaw)
                if pause == FIRST_SECONDS:
                    self._reporter.line(failure.message)
                self._pause(failure.message, pause)
                pause = min(pause * 2, LONGEST_SECONDS)
            else:
                self._options.spent.usd += status.usd if status.usd is not None else agreed.max_usd
                self._remember(plan.thaw, names)
                return status

    def _pause(self, text: str, seconds: float) -> None:
        with self._reporter.busy(text):
            self._clock.pause(seconds)
        self.has_waited = True

    def _remember(self, thaw: str, names: Collection[str]) -> None:
        self._remembered.add(thaw, names, self._clock.now())

    def _is_ready(self, status: ThawStatus) -> bool:
        """Whether all can be downloaded, now or after waiting; False if it has to be planned anew."""
        if status.state in UNDER_WAY:
            if not self._options.wait:
                raise self._come_back(status)
            status = self._waited(status)
            if status.state == ThawState.ENDED:
                raise Problem(
                    f"the thaw has ended: {status.message or 'nobody said why'}", ExitCode.TRY_LATER
                )
        if status.state == ThawState.READY:
            until = f" until {_moment_text(status.readable_until)}" if status.readable_until else ""
            self._reporter.line(f"{volumes_text(status.of)} thawed, readable{until}")
            return True
        return False

    def _waited(self, status: ThawStatus) -> ThawStatus:
        self.has_waited = True
        self._reporter.line(f"{_under_way_text(status)}; this command goes on by itself then")

        def show(now: ThawStatus, failure: str | None) -> None:
            text = failure or _short_text(now)
            self._reporter.event(
                {"event": "thaw", "state": now.state.value, "done": now.done, "of": now.of, "text": text}
            )

        try:
            with self._reporter.busy("thawing"):
                return wait_for(
                    status, lambda: self._api.thaw_status(self._job, status.thaw), self._clock, show
                )
        except KeyboardInterrupt:
            raise Problem(
                f"interrupted; the thaw goes on without this computer. {_under_way_text(status)}; then run again: "
                f"{self._options.command_line}",
                ExitCode.INTERRUPTED,
            ) from None

    def _come_back(self, status: ThawStatus) -> Problem:
        return ThawUnderWay(
            f"{_under_way_text(status)}; then run again: {self._options.command_line}", ExitCode.TRY_LATER
        )

    def _problem(self, failure: ApiError) -> Problem:
        problem = failure.as_problem()
        if problem.exit_code != ExitCode.TRY_LATER or failure.code == UNREACHABLE:
            return problem
        text = str(problem).rstrip(".")
        kind = _KINDS.get(failure.code, Problem)
        return kind(f"{text}; then run again: {self._options.command_line}", problem.exit_code)


_KINDS: Mapping[str, type[Problem]] = {
    ErrorCode.THAW_IN_PROGRESS: ThawUnderWay,
    ErrorCode.DRILL_ALLOWANCE: ThawNotAllowed,
    ErrorCode.PRICE_UNKNOWN: ThawNotAllowed,
    ErrorCode.THAW_BUDGET: ThawNotAllowed,
    ErrorCode.THAW_CAP: ThawNotAllowed,
}
"""What a refusal to thaw becomes, where somebody has to tell."""


def _under_way_text(status: ThawStatus) -> str:
    """That it is being thawed, and until when, or why it waits."""
    if status.state == ThawState.WAITING:
        return f"the thaw waits: {status.message or 'the owner of the service has to approve it'}"
    verb = "is" if status.of == 1 else "are"
    return f"{volumes_text(status.of)} {verb} being thawed, {status.done} can be read{_by_text(status)}"


def _short_text(status: ThawStatus) -> str:
    """What fits into a line of 60 characters."""
    if status.state == ThawState.WAITING:
        return "waiting for the owner's approval"
    by = f", by {_moment_text(status.ready_by)}" if status.ready_by else ""
    return f"{status.done} of {status.of} readable{by}"


def _by_text(status: ThawStatus) -> str:
    return f", all of them by {_moment_text(status.ready_by)} at the latest" if status.ready_by else ""


def _moment_text(text: str) -> str:
    return time_text(moment_of(text))
