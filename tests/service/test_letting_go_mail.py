"""Which chains count as announced: those that a weekly mail named, once it has reached a recipient of the stage."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from typing import Any

import pytest

from chalicelib.adapters.stores import catalogue_rows
from chalicelib.domain.backups.machines import Job, ReconcileProgress
from chalicelib.domain.backups.names import SetId
from chalicelib.domain.mail.phrases import format_bytes
from chalicelib.domain.retention.facts import OwnerChoices
from chalicelib.domain.retention.let_go import LetGo, let_go_of
from chalicelib.journeys.send_weekly_report import RecipientsRefused
from tests.mail_scenes import GB, chain, set_of
from tests.service.conftest import OWNER, Service, later
from tests.service.test_weekly_report import MONDAY, Post, fire, post, recipients

__all__ = ["post"]  # a fixture

WEEK = timedelta(days=7)
OLD = SetId(None, MONDAY - timedelta(days=700))


def old_chain(service: Service, machine: str = "anna-laptop", *, looked: bool = True, **fields: Any) -> Job:
    """A job in time with a chain that may go: its successor is 200 days old, and the owner has seen it."""
    from chalicelib import wiring

    service.now = MONDAY - timedelta(days=1)
    service.admin("machine_add", name=machine, **fields)
    service.now = MONDAY
    (job,) = [one for one in wiring.machine_store().jobs() if one.machine == machine]
    sets = [*chain(700, 10 * GB, 2, GB, newest=300), *chain(200, 9 * GB, 2, GB, newest=0.2)]
    for one in sets:
        store(catalogue_rows.set_item(job, one, 1))
    if looked:
        seen = OwnerChoices(MONDAY - timedelta(days=3), seen=frozenset(one.set_id for one in sets))
        assert wiring.retention_store().choose(job, seen)
    in_time(job, MONDAY)
    return job


def store(item: Any) -> None:
    from chalicelib import wiring

    wiring._table().put(item)


def in_time(job: Job, now: datetime) -> None:
    """Its newest set and the comparison are of today."""
    from chalicelib import wiring

    store(catalogue_rows.set_item(job, set_of(None, now - timedelta(hours=5), 9 * GB), 1))
    wiring.run_store().record_reconcile(job, ReconcileProgress(now, done_at=now))


def announced(machine: str = "anna-laptop") -> dict[SetId, int]:
    from chalicelib import wiring

    return wiring.retention_store().announced().get((machine, "system"), {})


def test_a_chain_is_announced_by_two_weekly_mails_and_then_may_go(service: Service, post: Post) -> None:
    job = old_chain(service)
    fire()
    later(service, hours=1)
    fire()
    assert announced() == {OLD: 1}
    service.now = MONDAY + WEEK
    in_time(job, service.now)
    fire()
    assert announced() == {OLD: 2}
    first, second = (mail.text for mail, _ in post.sent)
    assert "Goes on 1 Dec 2026 or later" in first
    assert "Goes on 1 Dec 2026 or later" in second


def test_previews_and_mails_for_trial_announce_nothing(service: Service, post: Post) -> None:
    old_chain(service)
    assert "Letting go" in service.admin("report_preview")["html"]
    service.admin("report_send")
    assert len(post.sent) == 1
    assert announced() == {}


def test_what_waits_for_a_look_is_not_announced(service: Service, post: Post) -> None:
    old_chain(service, looked=False)
    fire()
    assert "python -m ops retention approve anna-laptop system" in post.sent[0][0].text
    assert announced() == {}


def test_a_mail_that_reached_nobody_announces_nothing(service: Service, post: Post) -> None:
    old_chain(service)
    post.broken = True
    with pytest.raises(ConnectionError):
        fire()
    later(service, hours=1)
    post.broken, post.refused = False, {OWNER}
    with pytest.raises(RecipientsRefused):
        fire()
    assert announced() == {}


def test_a_mail_to_a_machines_own_owner_alone_announces_nothing(service: Service, post: Post) -> None:
    old_chain(service, owner_mail="anna@example.org")
    post.refused = {OWNER}
    with pytest.raises(RecipientsRefused):
        fire()
    assert post.recipients == [("anna@example.org",)]
    own = post.sent[0][0].text
    assert "Goes on 1 Dec 2026" in own
    assert "python -m ops retention" not in own
    assert announced() == {}


def test_a_mail_that_reached_one_of_two_announces_once(
    service: Service, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipients(monkeypatch, OWNER, "gone@example.net")
    old_chain(service)
    post.refused = {"gone@example.net"}
    for _ in range(2):
        with pytest.raises(RecipientsRefused):
            fire()
        later(service, hours=1)
    post.refused = set()
    fire()
    assert len(post.sent) == 2
    assert announced() == {OLD: 1}


@pytest.mark.parametrize("dies_at", ["announce", "mark_delivered"])
def test_a_call_that_dies_after_its_mail_announces_once(
    service: Service, post: Post, monkeypatch: pytest.MonkeyPatch, dies_at: str
) -> None:
    """The mail is sent again, and with it the chain is announced, or again: one issue counts once."""
    from chalicelib import wiring
    from chalicelib.adapters.stores.report_store import ReportStore
    from chalicelib.adapters.stores.retention.retention_store import RetentionStore

    old_chain(service)
    whose = RetentionStore if dies_at == "announce" else ReportStore

    def die(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(whose, dies_at, die)
        with pytest.raises(SystemExit):
            fire()
    assert len(post.sent) == 1
    assert announced() == ({} if dies_at == "announce" else {OLD: 1})
    later(service, hours=1)
    fire()
    assert len(post.sent) == 2
    assert announced() == {OLD: 1}
    assert wiring.report_store().last_sent_at() == service.now


def test_a_chain_that_is_held_and_released_keeps_its_announcements(service: Service, post: Post) -> None:
    from chalicelib import wiring

    job, choices = old_chain(service), wiring.retention_store()
    fire()
    known = choices.choices(job)
    assert choices.choose(job, dataclasses.replace(known, held=frozenset({OLD})))
    service.now = MONDAY + WEEK
    in_time(job, service.now)
    fire()
    assert "Letting go" not in post.sent[1][0].html
    assert announced() == {OLD: 1}
    held = choices.choices(job)
    assert choices.choose(job, dataclasses.replace(held, held=frozenset()))
    service.now = MONDAY + 2 * WEEK
    in_time(job, service.now)
    fire()
    assert announced() == {OLD: 2}


def test_only_chains_that_the_mail_names_are_announced(service: Service, post: Post) -> None:
    for number in range(12):
        old_chain(service, f"m{number:02d}")
    fire()
    assert "and 2 more: python -m ops retention preview" in post.sent[0][0].text
    assert [number for number in range(12) if announced(f"m{number:02d}")] == list(range(10))


def test_the_mail_says_what_was_let_go_and_for_how_long_it_can_be_brought_back(
    service: Service, post: Post
) -> None:
    from chalicelib import wiring

    job = old_chain(service)
    sets = wiring.catalogue_store().sets(job)
    gone = LetGo(
        job.machine, job.name, OLD, tuple(one.set_id for one in sets[:3]), MONDAY - timedelta(days=2)
    )
    assert wiring.retention_store().begin(gone, job, wiring.retention_store().choices(job))
    fire()
    (text,) = [mail.text for mail, _ in post.sent]
    assert f"python -m ops retention undo anna-laptop system {OLD}" in text
    assert "Goes on" not in text


def test_what_was_removed_for_good_is_named_where_the_mail_counts_bytes_and_money(
    service: Service, post: Post
) -> None:
    """10 GB and two increments of 1 GB became final on the Thursday between the mails; nothing else has changed."""
    from chalicelib import wiring

    job = old_chain(service)
    sets = [
        one for one in wiring.catalogue_store().sets(job) if one.set_id.end < MONDAY - timedelta(days=250)
    ]
    store_, marked_at = wiring.retention_store(), MONDAY - timedelta(days=27)
    gone = let_go_of(job.machine, job.name, OLD, sets, marked_at)
    assert store_.begin(gone, job, store_.choices(job))
    assert store_.record(dataclasses.replace(gone, marked_at=marked_at))
    for one in sets:
        row = dataclasses.replace(
            one, current={}, noncurrent=one.current, volumes=frozenset(), sealed_at=None
        )
        store(catalogue_rows.set_item(job, row, 1))
    fire()
    later(service, days=7)
    for one in sets:
        row = dataclasses.replace(one, current={}, volumes=frozenset(), sealed_at=None)
        store(catalogue_rows.set_item(job, row, 1))
    post.sent.clear()
    fire()
    (text,) = [mail.text for mail, _ in post.sent]
    size = format_bytes(gone.size_bytes)
    assert f"-{size} since 23 Nov, {size} of old backups removed" in text
    assert f"{size} of old backups that were let go has been removed for good." in text


def test_a_chain_that_was_held_goes_after_two_more_mails_only(service: Service) -> None:
    from chalicelib import wiring

    job = old_chain(service)
    for chosen in ({"chain": str(OLD)}, {}):
        wiring.retention_store().announce(MONDAY, [(job, OLD)], service.now)
        assert announced() == {OLD: 1}
        for release in (False, True):
            service.admin("retention_hold", name="anna-laptop", job="system", release=release, **chosen)
            assert announced() == {}
