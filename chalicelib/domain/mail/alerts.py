"""Which alerts to mail now, in between the weekly mails: a pure state machine over what is wrong and what was mailed.

Three rates. What is about safety, or what somebody waits for, goes at once. Other critical findings, all-clears, and
jobs that are overdue or failing share one mail an hour. Warnings share one a day. Whatever is due at one moment goes in
one mail. The record is what was mailed; it changes only when a mail went out, so that nothing is lost to a mail that
did not.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta, tzinfo

from chalicelib.domain.audit.codes.code import Severity
from chalicelib.domain.audit.finding_codes import CODES
from chalicelib.domain.audit.findings import Finding, OpenFinding, worst_first
from chalicelib.domain.audit.notices import JOB_ADDED, Notice, added_together
from chalicelib.domain.backups.freshness import State
from chalicelib.domain.mail.alert_items import (
    Alert,
    AlertItem,
    JobNow,
    Trouble,
    families_together,
    item_of_finding,
    item_of_job,
    item_of_notice,
)
from chalicelib.domain.mail.alert_record import AlertRecord

SETTLES_IN = timedelta(minutes=2)
"""Events come in any order, sometimes a minute late: a manifest's event before its volumes' looks like a gap."""

AN_HOUR = timedelta(hours=1)
A_DAY = timedelta(days=1)

BACK_FROM_A_PAUSE = timedelta(hours=12)
"""Whose pause has just ended is overdue by its age, and about to make a backup: no mail before it had time to."""

REPEATED_AFTER = tuple(timedelta(days=days) for days in (1, 2, 4, 8, 16, 30))
"""From one mail about a job that is overdue or failing to the next; the last one goes on for as long as it lasts."""

FOLDERS_COME_IN = timedelta(minutes=10)
"""A laptop makes the jobs of a family one after the other: no mail before the last one for so long."""

NOTICES_MAILED_WITHIN = timedelta(days=30)
"""A notice is mailed even if no alert could be sent for so long."""

HAS_ANOTHER_MAIL = frozenset({"no_backup_yet", "thaw_unread"})
"""Findings that are mailed as something else: the job is overdue, there is a notice that copies lapse."""

FIRST_NOTICES = timedelta(days=1)
"""What the very first alerts look back on; a service that is new to alerts must not mail a month's past."""


def alerts_due(
    record: AlertRecord,
    *,
    findings: Iterable[OpenFinding],
    notices: Iterable[Notice],
    jobs: Sequence[JobNow] | None,
    machines: Collection[str],
    now: datetime,
    zone: tzinfo,
) -> tuple[Alert | None, AlertRecord]:
    """The mail that is due, if any, and the record as it is to be once it went out.

    ``findings`` are all that are open, ``notices`` those of the last month, ``machines`` the names of those that there
    are, which matter only once a finding is over. ``jobs`` are the states of all jobs, ``None`` if they were not
    evaluated just now. ``zone`` is the owner's: a day is theirs.
    """
    plan = _Plan(record.not_after(now), now, zone)
    plan.take_notices(notices)
    plan.take_findings(list(findings), machines)
    plan.take_jobs(jobs)
    return plan.alert(), plan.record()


class _Plan:
    """Collects what is due; the record's fields are copied here and changed."""

    def __init__(self, record: AlertRecord, now: datetime, zone: tzinfo) -> None:
        self._now = now
        self._zone = zone
        self._begun_at = record.begun_at or now
        self._evaluated_at = record.evaluated_at
        self._mailed = dict(record.findings)
        self._troubles = dict(record.troubles)
        self._notices = {
            key: at for key, at in record.notices.items() if now - at <= NOTICES_MAILED_WITHIN + A_DAY
        }
        self._at_once = {key: at for key, at in record.at_once.items() if now - at < AN_HOUR}
        self._sent_now: set[str] = set()
        self._hourly_at, self._daily_at = record.hourly_at, record.daily_at
        self._hourly_is_due = record.hourly_at is None or now - record.hourly_at >= AN_HOUR
        # Both: a day of 25 hours, when the clocks go back, is one day.
        self._daily_is_due = record.daily_at is None or (
            now - record.daily_at >= A_DAY
            and record.daily_at.astimezone(zone).date() != now.astimezone(zone).date()
        )
        self._safety: list[AlertItem] = []
        self._critical: list[AlertItem] = []
        self._awaited: list[AlertItem] = []
        self._of_jobs: list[AlertItem] = []
        self._over: list[AlertItem] = []
        self._warnings: list[AlertItem] = []

    def alert(self) -> Alert | None:
        parts = (self._safety, self._critical, self._awaited, self._of_jobs, self._over, self._warnings)
        alert = Alert(*(tuple(item.in_zone(self._zone) for item in part) for part in parts))
        return alert if alert.items else None

    def record(self) -> AlertRecord:
        hourly = self._critical or self._of_jobs or self._over
        return AlertRecord(
            self._mailed,
            self._troubles,
            self._notices,
            self._at_once,
            self._now if hourly else self._hourly_at,
            self._now if self._warnings else self._daily_at,
            self._evaluated_at,
            self._begun_at,
        )

    # ------------------------------------------------------------ notices and findings

    def take_notices(self, notices: Iterable[Notice]) -> None:
        new = [
            notice
            for notice in sorted(notices, key=lambda notice: notice.at)
            if notice.key not in self._notices and notice.at >= self._begun_at - FIRST_NOTICES
        ]
        for notice, of in added_together(new):
            if self._send_notice(notice):
                self._notices.update({one.key: one.at for one in of})

    def _send_notice(self, notice: Notice) -> bool:
        item, kind = item_of_notice(notice), CODES.get(notice.code)
        about = f"{notice.code}#{notice.subject}" if notice.subject else notice.code
        if kind is not None and kind.is_safety:
            return self._send_at_once(item, about, self._safety)
        if kind is not None and kind.is_awaited:
            return self._send_at_once(item, about, self._awaited)
        if notice.code == JOB_ADDED:
            is_due = self._daily_is_due and self._now - notice.at >= FOLDERS_COME_IN
        else:
            # What is only good to know the weekly mail has.
            is_due = self._daily_is_due and (kind is None or kind.severity is not Severity.INFO)
        self._warnings += [item] if is_due else []
        return is_due

    def take_findings(self, findings: Sequence[OpenFinding], machines: Collection[str]) -> None:
        self._take_gone({finding.finding.key for finding in findings}, machines)
        since = {finding.finding.key: finding.opened_at for finding in findings}
        for finding in worst_first(finding.finding for finding in findings):
            settled = self._now - since[finding.key] >= SETTLES_IN
            if finding.key in self._mailed or not settled or finding.severity is Severity.INFO:
                continue
            if finding.code in HAS_ANOTHER_MAIL:
                continue
            if self._send_finding(finding):
                self._mailed[finding.key] = self._now

    def _send_finding(self, finding: Finding) -> bool:
        item = item_of_finding(finding)
        if finding.severity is Severity.WARNING:
            self._warnings += [item] if self._daily_is_due else []
            return self._daily_is_due
        if finding.is_safety:
            return self._send_at_once(item, finding.code, self._safety)
        self._critical += [item] if self._hourly_is_due else []
        return self._hourly_is_due

    def _send_at_once(self, item: AlertItem, code: str, part: list[AlertItem]) -> bool:
        """At once, but the same of the same job not twice an hour: damage that spreads would be a mail a minute."""
        about = f"{item.whose}#{code}"
        if about in self._at_once and about not in self._sent_now:
            return False
        self._sent_now.add(about)
        self._at_once[about] = self._now
        part.append(item)
        return True

    def _take_gone(self, open_keys: Collection[str], machines: Collection[str]) -> None:
        """What was mailed and is over. Nothing is mailed of a machine that was removed."""
        for key in [key for key in self._mailed if key not in open_keys]:
            whose, code, subject = key.split("#", 2)
            machine = whose.partition("/")[0]
            if machine and machine not in machines:
                del self._mailed[key]
            elif self._hourly_is_due:
                del self._mailed[key]
                title = CODES[code].title if code in CODES else code
                whose = whose if machine else subject.partition("/")[0]
                message = f"No longer so: {title} ({subject})."
                self._over.append(AlertItem(whose, f"over: {title}", message, machine=machine))

    # ------------------------------------------------------------ jobs

    def take_jobs(self, jobs: Sequence[JobNow] | None) -> None:
        if jobs is None:
            return
        self._evaluated_at = self._now
        jobs = families_together(jobs)
        there = {job.name for job in jobs}
        self._troubles = {name: trouble for name, trouble in self._troubles.items() if name in there}
        for job in sorted(jobs, key=lambda job: (job.state is not State.OVERDUE, job.name)):
            trouble = self._follow(job, self._troubles.get(job.name))
            if trouble is not None and self._hourly_is_due:
                trouble = self._mail_about(job, trouble)
            if trouble is None:
                self._troubles.pop(job.name, None)
            else:
                self._troubles[job.name] = trouble

    def _follow(self, job: JobNow, trouble: Trouble | None) -> Trouble | None:
        """The job's trouble as it stands now."""
        if job.state in (State.OVERDUE, State.FAILING):
            if job.pause_ended_at is not None and self._now - job.pause_ended_at < BACK_FROM_A_PAUSE:
                return None
            if trouble is None or trouble.state is not job.state:
                return Trouble(job.state, self._now)
            return dataclasses.replace(trouble, is_over=False)
        if trouble is None or job.state in (State.PAUSED, State.NEVER):
            return None  # it was paused by the owner, or its sets were hidden: no good news
        made_one = job.newest_complete_at is not None and job.newest_complete_at > trouble.since
        if trouble.state is State.FAILING and job.is_running and not made_one:
            return trouble  # the run that goes on may fail like the one before
        return dataclasses.replace(trouble, is_over=True) if trouble.mails else None

    def _mail_about(self, job: JobNow, trouble: Trouble) -> Trouble | None:
        if trouble.is_over:
            title = f"is backed up again after being {trouble.state.value}"
            self._over.append(AlertItem(job.name, title, job.detail, machine=job.machine))
            return None
        if job.state is not trouble.state or not _is_due(trouble, self._now):
            return trouble
        self._of_jobs.append(item_of_job(job, trouble))
        return dataclasses.replace(trouble, mailed_at=self._now, mails=trouble.mails + 1)


def _is_due(trouble: Trouble, now: datetime) -> bool:
    if trouble.mailed_at is None:
        return True
    wait = REPEATED_AFTER[min(trouble.mails, len(REPEATED_AFTER)) - 1]
    return now - trouble.mailed_at >= wait
