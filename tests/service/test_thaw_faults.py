"""What may go wrong with a thaw, and must be survived: a test for each."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import app
from chalicelib import web, wiring
from chalicelib.adapters.ses_mailer import Mailer, MailRefused
from chalicelib.adapters.stores.thaw_store import ThawStore
from chalicelib.domain.backups.names import SetId
from tests.hostile.memory_aws import MemoryS3, service_in_memory
from tests.service.conftest import Answer, Service, fire, later
from tests.service.thawing import FULL, MB, ThawingLaptop, large, restore_events, send, volume


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with service_in_memory(monkeypatch) as service:
        yield service


@pytest.fixture
def laptop(service: Service) -> ThawingLaptop:
    laptop = ThawingLaptop(service)
    laptop.store(*range(1, 11))
    return laptop


def thawing(laptop: ThawingLaptop, numbers: str = "1-3", **options: Any) -> str:
    """A thaw that S3 has been asked for in full."""
    thaw = laptop.begin(numbers, **options)
    laptop.run_function()
    assert laptop.status(thaw)["state"] == "thawing"
    return thaw


def ready(laptop: ThawingLaptop, numbers: str = "1-3", **options: Any) -> str:
    thaw = thawing(laptop, numbers, **options)
    laptop.s3.finish()
    laptop.tick(hours=13)
    assert laptop.status(thaw)["state"] == "ready"
    return thaw


def before_request(monkeypatch: pytest.MonkeyPatch, number: int, act: Callable[[], object]) -> None:
    """Has something done just before S3 gets the request of that number for a volume."""
    ask, numbers = MemoryS3.restore_object, itertools.count(1)

    def asked(s3: MemoryS3, **arguments: Any) -> Any:
        if next(numbers) == number:
            act()
        return ask(s3, **arguments)

    monkeypatch.setattr(MemoryS3, "restore_object", asked)


def before_start(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Has something done, once, just before a start is written down: what another call does in that moment."""
    start, others = ThawStore.start, [act]

    def after_another(store: ThawStore, *arguments: Any) -> bool:
        if others:
            others.pop()()
        return start(store, *arguments)

    monkeypatch.setattr(ThawStore, "start", after_another)


# ---------------------------------------------------------------- events


def test_all_events_lost_for_three_days(laptop: ThawingLaptop) -> None:
    thaw = thawing(laptop)
    later(laptop.service, hours=47)
    laptop.s3.finish()
    assert laptop.tick(minutes=1) == 1
    assert laptop.status(thaw)["state"] == "ready"
    assert len(laptop.s3.asked) == 3


def test_a_minute_tick_that_stood_still_for_three_days_finds_copies_that_are_still_there(
    laptop: ThawingLaptop,
) -> None:
    thaw = thawing(laptop)
    laptop.s3.finish()
    assert laptop.tick(days=3) == 1
    assert laptop.status(thaw)["state"] == "ready"


def test_events_doubled(laptop: ThawingLaptop) -> None:
    thaw = thawing(laptop)
    send("Completed", laptop.s3.finish(at_most=1) * 3)
    assert laptop.run_function() == 1, "three events look like three volumes"
    assert (laptop.status(thaw)["state"], laptop.status(thaw)["done"]) == ("thawing", 1)
    send("Completed", [laptop.place + volume(1)])
    assert laptop.run_function() == 0, "counted anew from what the look has found"
    send("Completed", laptop.s3.finish())
    assert laptop.run_function() == 1
    assert laptop.status(thaw)["state"] == "ready"
    send("Completed", [laptop.place + volume(1)] * 10)
    assert laptop.run_function() == 0
    assert len(laptop.s3.asked) == 3


def test_events_early_before_the_last_volume_was_asked_for(
    laptop: ThawingLaptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By Expedited a copy is there in a minute: no event comes after the last request."""
    laptop.store(*range(1, 11), storage_class="GLACIER")
    ask = MemoryS3.restore_object

    def at_once(s3: MemoryS3, **arguments: Any) -> Any:
        answer = ask(s3, **arguments)
        send("Completed", s3.finish())
        return answer

    monkeypatch.setattr(MemoryS3, "restore_object", at_once)
    thaw = laptop.begin(tier="Expedited")
    laptop.run_function()
    assert laptop.status(thaw)["state"] == "ready"


def test_restore_events_never_go_the_catalogues_way(
    laptop: ThawingLaptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    import app

    thawing(laptop)
    keys = laptop.s3.finish()
    asked = []
    for name in ("head_object", "list_object_versions", "get_object_tagging", "list_objects_v2"):
        monkeypatch.setattr(laptop.s3, name, lambda **arguments: asked.append(arguments))
    for kind in ("Post", "Completed", "Delete"):
        for form in ("ObjectRestore:{}", "s3:ObjectRestore:{}"):
            answer = app.catalogue(restore_events(kind, keys, name=form), None)
            assert answer == {"batchItemFailures": []}
    assert asked == []


def test_events_of_what_nobody_thaws_here_are_passed_over(laptop: ThawingLaptop) -> None:
    for key in ("anna-laptop/photos/x", "nobody/system/x", "x", "_service/x", laptop.place + volume(1)):
        send("Completed", [key])
        send("Delete", [key])
    assert laptop.service.thaws_asked == []


def test_a_table_that_fails_brings_back_no_restore_event(
    laptop: ThawingLaptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("DynamoDB is not there")

    thaw = thawing(laptop)
    monkeypatch.setattr(ThawStore, "count_completed", fail)
    send("Completed", laptop.s3.finish())
    assert laptop.tick(minutes=15) == 1
    assert laptop.status(thaw)["state"] == "ready"


# ---------------------------------------------------------------- the function


def test_a_mail_that_nobody_takes_does_not_stop_the_ticks(
    laptop: ThawingLaptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as the sender's address is not confirmed each minute's mail fails."""

    def refuses(*_: Any) -> str:
        raise MailRefused("not verified")

    monkeypatch.setattr(Mailer, "send", refuses)
    thawing(laptop)
    laptop.service.admin("machine_set", name=laptop.machine, thaw_budget_usd=0)
    assert laptop.start(laptop.plan("4-6").body["thaw"]).status == 403  # of which a mail is due at once
    later(laptop.service, hours=13)
    with pytest.raises(MailRefused):
        fire(app.alerts)
    assert laptop.run_function() == 1


def test_the_function_killed_after_500_of_2_000_calls(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop = ThawingLaptop(service)
    laptop.store(*range(1, 2_001))
    thaw = laptop.begin("1-2000")
    before_request(monkeypatch, 501, sys.exit)
    with pytest.raises(SystemExit):
        laptop.run_function()
    assert len(laptop.s3.asked) == 500
    assert laptop.status(thaw)["state"] == "asking"
    assert laptop.tick(minutes=1) == 0, "its lease lasts two minutes"
    assert laptop.tick(minutes=2) == 1
    assert laptop.status(thaw)["state"] == "thawing"
    assert len(laptop.s3.asked) == len({key for key, _, _ in laptop.s3.asked}) == 2_000


def test_the_functions_time_is_up_and_the_next_minute_goes_on(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop = ThawingLaptop(service)
    laptop.store(*range(1, 501))
    thaw = laptop.begin("1-500")
    looks = iter([True, True, False])
    monkeypatch.setattr(web, "for_seconds", lambda _: lambda: next(looks, True))
    laptop.run_function()
    assert (len(laptop.s3.asked), laptop.status(thaw)["state"]) == (400, "asking")
    assert laptop.tick(minutes=1) == 1
    assert (len(laptop.s3.asked), laptop.status(thaw)["state"]) == (500, "thawing")


def test_two_functions_at_one_thaw(laptop: ThawingLaptop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second begins while the first is in the midst of it, and leaves it alone."""
    import app

    thaw = laptop.begin("1-10")
    event = {"machine": "anna-laptop", "job": "system", "thaw": thaw}
    before_request(monkeypatch, 1, lambda: app.thaw(event, None))
    laptop.run_function()
    assert laptop.status(thaw)["state"] == "thawing"
    assert len(laptop.s3.asked) == 10


def test_a_function_whose_lease_has_lapsed_leaves_the_thaw_to_the_one_that_took_it(
    laptop: ThawingLaptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    import app

    laptop.store(*range(11, 501))
    thaw = laptop.begin("1-500")

    def another() -> None:
        later(laptop.service, minutes=3)
        app.thaw({"machine": "anna-laptop", "job": "system", "thaw": thaw}, None)

    before_request(monkeypatch, 150, another)
    laptop.run_function()
    assert laptop.status(thaw)["state"] == "thawing"
    assert len({key for key, _, _ in laptop.s3.asked}) == 500
    assert len(laptop.s3.asked) == 500, "what both asked for was refused the second time, and cost nothing"


def test_409_for_volumes_that_another_thaw_asked_for(laptop: ThawingLaptop) -> None:
    thaw = laptop.begin("1-3")
    laptop.s3.restore_object(
        Key=laptop.place + volume(2), RestoreRequest={"Days": 9, "GlacierJobParameters": {"Tier": "Bulk"}}
    )
    laptop.s3.refusals = [("RestoreAlreadyInProgress", 409)]
    laptop.run_function()
    assert laptop.status(thaw)["state"] == "thawing"
    laptop.s3.finish()
    laptop.s3.finish()
    laptop.tick(minutes=15)
    assert laptop.status(thaw)["done"] >= 2


def test_503_for_expedited_falls_back_to_standard_and_says_so(laptop: ThawingLaptop) -> None:
    laptop.store(1, 2, 3, storage_class="GLACIER")
    thaw = laptop.begin(tier="Expedited")
    laptop.s3.refusals = [("GlacierExpeditedRetrievalNotAvailable", 503)]
    laptop.run_function()
    assert sorted(laptop.asked()) == ["1 Standard", "2 Expedited", "3 Expedited"]
    status = laptop.status(thaw)
    assert (status["state"], status["tier"]) == ("thawing", "Standard")
    assert "Standard" in status["message"]
    assert status["ready_by"] == "2026-11-23T01:00:00Z"


def test_throttling_is_waited_for(laptop: ThawingLaptop, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    thaw = laptop.begin()
    laptop.s3.refusals = [("SlowDown", 503)] * 4 + [("ThrottlingException", 400)] * 3
    laptop.run_function()
    assert laptop.status(thaw)["state"] == "thawing"
    assert sorted(laptop.asked()) == ["1 Bulk", "2 Bulk", "3 Bulk"]
    assert pauses == sorted(pauses)
    assert len(pauses) == 3


def test_a_bucket_that_does_not_let_the_service_thaw_ends_it_with_what_to_do(laptop: ThawingLaptop) -> None:
    thaw = laptop.begin()
    laptop.s3.refusals = [("AccessDenied", 403)]
    laptop.run_function()
    status = laptop.status(thaw)
    assert status["state"] == "ended"
    assert "ops doctor" in status["message"]
    assert "thaw_stopped" in laptop.notices()
    assert laptop.tick(days=1) == 0


# ---------------------------------------------------------------- copies and their time


def test_a_copy_lapsed_before_the_download(laptop: ThawingLaptop) -> None:
    thaw = ready(laptop)
    assert laptop.tick(days=2) == 1
    assert "thaw_lapsing" in laptop.notices()
    later(laptop.service, days=2)
    assert laptop.download(1)[0]["archived"] is True
    assert laptop.status(thaw)["state"] == "lapsed"
    laptop.tick(minutes=1)
    assert "thaw_stopped" in laptop.notices()
    again = laptop.plan().body
    assert (again["thaw"], again["state"], again["archived"]) == (thaw, "planned", 3)
    assert laptop.start(thaw).body["state"] == "asking", (
        "the same volumes can be thawed again, and are paid again"
    )


def test_a_copy_lapsed_in_the_middle_of_the_download(laptop: ThawingLaptop) -> None:
    thaw = ready(laptop)
    assert "url" in laptop.download(1)[0]
    laptop.s3.expire(laptop.place + volume(2))
    send("Delete", [laptop.place + volume(2)])
    assert laptop.tick(minutes=1) == 1, "the event has it looked at soon"
    assert laptop.status(thaw)["state"] == "lapsed"
    assert laptop.download(2)[0]["archived"] is True
    again = laptop.plan().body
    assert (again["state"], again["archived"], again["readable"]) == ("planned", 1, 2)
    before = len(laptop.s3.asked)
    assert laptop.start(thaw).body["of"] == 1
    laptop.run_function()
    assert laptop.asked()[before:] == ["2 Bulk"]


def test_copies_are_kept_longer_while_they_are_downloaded(laptop: ThawingLaptop) -> None:
    thaw = ready(laptop)
    until = laptop.status(thaw)["readable_until"]
    later(laptop.service, days=1)
    laptop.download(1)
    assert laptop.tick(hours=16) == 1
    assert laptop.status(thaw)["readable_until"] > until
    assert len(laptop.s3.asked) == 6, "a request a copy"
    assert "thaw_lapsing" not in laptop.notices()
    listing = laptop.service.admin("thaws")
    assert listing["budgets"][0]["reserved_usd"] > laptop.status(thaw)["usd"]


def test_copies_are_not_kept_longer_beyond_the_budget(laptop: ThawingLaptop) -> None:
    thaw = ready(laptop)
    laptop.service.admin("machine_set", name="anna-laptop", thaw_budget_usd=0)
    until = laptop.status(thaw)["readable_until"]
    later(laptop.service, days=1)
    laptop.download(1)
    laptop.tick(hours=16)
    assert (laptop.status(thaw)["readable_until"], len(laptop.s3.asked)) == (until, 3)
    assert "thaw_lapsing" in laptop.notices()


def test_what_was_downloaded_in_full_ends_without_a_word(laptop: ThawingLaptop) -> None:
    thaw = ready(laptop)
    laptop.download(1, 2, 3)
    laptop.tick(days=4)
    assert laptop.status(thaw)["state"] == "ended"
    assert not {"thaw_lapsing", "thaw_stopped"} & set(laptop.notices())


def test_slower_than_promised(laptop: ThawingLaptop) -> None:
    thaw = thawing(laptop)
    assert laptop.tick(hours=50) == 1
    status = laptop.status(thaw)
    assert (status["state"], status["done"]) == ("thawing", 0)
    assert "longer" in status["message"]
    laptop.s3.finish()
    laptop.tick(minutes=15)
    assert laptop.status(thaw)["state"] == "ready"
    assert "message" not in laptop.status(thaw)


# ---------------------------------------------------------------- volumes that are not what they were


def test_a_volume_archived_between_plan_and_download(laptop: ThawingLaptop) -> None:
    """Only what was paid for is asked for; the other is a second, small thaw."""
    laptop.store(4, storage_class="STANDARD")
    thaw = laptop.begin("1-4")
    laptop.s3.move(laptop.place + volume(4), "DEEP_ARCHIVE")
    laptop.run_function()
    laptop.s3.finish()
    laptop.tick(minutes=15)
    assert laptop.status(thaw)["state"] == "ready"
    assert sorted(laptop.asked()) == ["1 Bulk", "2 Bulk", "3 Bulk"]
    permits = laptop.download(1, 4)
    assert "url" in permits[0]
    assert permits[1]["archived"] is True
    second = laptop.begin("4")
    laptop.run_function()
    assert second != thaw
    assert laptop.asked()[3:] == ["4 Bulk"]


def test_a_volume_that_was_on_its_way_and_lapsed_before_the_approval_is_not_paid_for(
    laptop: ThawingLaptop,
) -> None:
    request = {"Days": 3, "GlacierJobParameters": {"Tier": "Bulk"}}
    laptop.s3.restore_object(Key=laptop.place + volume(4), RestoreRequest=request)
    laptop.service.admin("machine_set", name="anna-laptop", thaw_budget_usd=0)
    thaw = laptop.plan("1-4").body["thaw"]
    assert laptop.start(thaw).error == "thaw_budget"
    laptop.s3.expire(laptop.place + volume(4))
    assert laptop.service.admin("thaw_approve", thaw=thaw)["volumes"] == 3
    laptop.run_function()
    assert sorted(laptop.asked()[1:]) == ["1 Bulk", "2 Bulk", "3 Bulk"]


def test_what_was_hidden_since_it_was_planned_is_not_paid_for(laptop: ThawingLaptop) -> None:
    laptop.service.admin("machine_set", name="anna-laptop", thaw_budget_usd=0)
    thaw = laptop.plan("1-3").body["thaw"]
    assert laptop.start(thaw).error == "thaw_budget"
    [job] = wiring.machine_store().jobs("anna-laptop")
    wiring.catalogue_store().quarantine(job, SetId.parse(FULL), hide=True)
    refused = laptop.service.admin("thaw_approve", thaw=thaw)
    assert refused["error"] == "plan_changed"
    assert f"{FULL} of anna-laptop/system, which thaw {thaw} wants, was let go" in refused["message"]
    assert f"ops thaw deny {thaw}" in refused["message"]
    assert (laptop.run_function(), laptop.asked()) == (0, [])
    assert laptop.service.admin("thaw_deny", thaw=thaw)["state"] == "ended"


def test_copies_that_lapsed_unnoticed_are_planned_anew(laptop: ThawingLaptop) -> None:
    """No event came, and the next look is days away: the plan's own listing says so."""
    thaw = ready(laptop)
    laptop.s3.expire(laptop.place + volume(1))
    plan = laptop.plan().body
    assert (plan["thaw"], plan["state"], plan["archived"]) == (thaw, "planned", 1)
    assert laptop.start(thaw).body["of"] == 1


def test_a_volume_moved_back_between_plan_and_start_costs_nothing(laptop: ThawingLaptop) -> None:
    thaw = laptop.plan().body["thaw"]
    laptop.s3.move(laptop.place + volume(2), "STANDARD")
    assert laptop.start(thaw).body["of"] == 2
    laptop.s3.move(laptop.place + volume(3), "STANDARD")
    laptop.run_function()
    assert laptop.asked() == ["1 Bulk"]
    laptop.s3.finish()
    laptop.tick(minutes=15)
    assert laptop.status(thaw)["state"] == "ready"


def test_everything_moved_back_is_ready_at_once(laptop: ThawingLaptop) -> None:
    thaw = laptop.plan().body["thaw"]
    laptop.s3.move(laptop.place, "STANDARD")
    status = laptop.start(thaw).body
    assert (status["state"], status["of"], status["usd"]) == ("ready", 0, 0.0)
    assert laptop.service.thaws_asked == []


def test_everything_thawing_for_somebody_else_is_waited_for_and_costs_nothing(laptop: ThawingLaptop) -> None:
    thawing(laptop, "1-4")
    other = laptop.plan("2-3").body
    assert (other["thawing"], other["archived"]) == (2, 0)
    assert laptop.start(other["thaw"]).body["state"] == "thawing"
    laptop.s3.finish()
    laptop.tick(minutes=15)
    assert laptop.status(other["thaw"])["state"] == "ready"
    assert len(laptop.s3.asked) == 4


def test_a_marker_over_a_volume_makes_it_missing(laptop: ThawingLaptop) -> None:
    laptop.s3.delete_object(Key=laptop.place + volume(2))
    plan = laptop.plan().body
    assert (plan["archived"], plan["missing"]) == (2, [f"{FULL}.vol2"])
    thaw = laptop.begin()
    laptop.s3.delete_object(Key=laptop.place + volume(3))
    laptop.run_function()
    laptop.s3.finish()
    laptop.tick(minutes=15)
    status = laptop.status(thaw)
    assert (status["state"], status["done"], status["of"]) == ("ready", 1, 2)
    assert "1 of 2" in status["message"]


def test_an_older_version_under_the_key_is_not_what_is_thawed(laptop: ThawingLaptop) -> None:
    laptop.s3.put_object(Key=laptop.place + volume(2), Body=large(MB))
    plan = laptop.plan().body
    assert (plan["archived"], plan["readable"]) == (2, 1)
    laptop.begin()
    laptop.run_function()
    assert laptop.asked() == ["1 Bulk", "3 Bulk"]


# ---------------------------------------------------------------- prices and budgets


def test_a_plan_a_day_old_is_no_plan(laptop: ThawingLaptop) -> None:
    thaw = laptop.plan().body["thaw"]
    later(laptop.service, hours=24)
    assert laptop.start(thaw).error == "unknown_thaw"
    laptop.plan()
    assert laptop.start(thaw).status == 200


def test_a_plan_that_has_become_dearer_is_not_started(laptop: ThawingLaptop) -> None:
    laptop.store(*range(6, 11), storage_class="STANDARD")
    plan = laptop.plan("1-10").body
    agreed = plan["tiers"][-1]["usd"]
    laptop.s3.move(laptop.place, "DEEP_ARCHIVE")
    refused = laptop.start(plan["thaw"], max_usd=agreed)
    assert (refused.status, refused.error) == (409, "plan_changed")
    assert laptop.service.thaws_asked == []
    assert laptop.start(plan["thaw"], max_usd=agreed * 3).status == 200


def test_a_tier_that_the_volumes_lack_is_refused(laptop: ThawingLaptop) -> None:
    thaw = laptop.plan().body["thaw"]
    assert laptop.start(thaw, "Expedited").error == "tier_unavailable"
    assert laptop.call("POST", f"/{thaw}/start", {"tier": "Free", "max_usd": 1}).error == "bad_request"


def waiting(laptop: ThawingLaptop) -> str:
    """A thaw beyond the machine's budget."""
    laptop.service.admin("machine_set", name="anna-laptop", thaw_budget_usd=0)
    plan = laptop.plan().body
    assert plan["needs_approval"] is True
    refused = laptop.start(plan["thaw"])
    assert (refused.status, refused.error) == (403, "thaw_budget")
    assert f"ops thaw approve {plan['thaw']}" in refused.body["message"]
    return str(plan["thaw"])


def test_budget_exceeded_waits_for_the_owner_who_is_mailed_in_that_call(laptop: ThawingLaptop) -> None:
    thaw = waiting(laptop)
    status = laptop.status(thaw)
    assert status["state"] == "waiting"
    assert f"ops thaw approve {thaw}" in status["message"]
    assert laptop.notices() == ["thaw_waiting"]
    assert laptop.service.thaws_asked == []
    assert laptop.tick(days=1) == 0
    approved = laptop.service.admin("thaw_approve", thaw=thaw)
    assert approved["state"] == "asking"
    laptop.run_function()
    assert len(laptop.s3.asked) == 3
    [budget] = laptop.service.admin("thaws")["budgets"]
    assert (budget["reserved_usd"], budget["approved_usd"]) == (0.0, laptop.status(thaw)["usd"])


def test_a_budget_that_the_owner_has_raised_is_enough(laptop: ThawingLaptop) -> None:
    thaw = waiting(laptop)
    laptop.service.admin("machine_set", name="anna-laptop", thaw_budget_usd=5.0)
    assert laptop.start(thaw).body["state"] == "asking"


def test_approved_twice(laptop: ThawingLaptop) -> None:
    thaw = waiting(laptop)
    first = laptop.service.admin("thaw_approve", thaw=thaw)
    later(laptop.service, minutes=1)
    assert laptop.service.admin("thaw_approve", thaw=thaw) == first
    assert len(laptop.service.thaws_asked) == 1
    laptop.run_function()
    assert laptop.service.admin("thaw_approve", thaw=thaw)["state"] == "thawing"
    [budget] = laptop.service.admin("thaws")["budgets"]
    assert budget["approved_usd"] == first["usd"]


def test_approved_by_two_owners_at_once(laptop: ThawingLaptop, monkeypatch: pytest.MonkeyPatch) -> None:
    thaw = waiting(laptop)
    before_start(monkeypatch, lambda: laptop.service.admin("thaw_approve", thaw=thaw))
    assert laptop.service.admin("thaw_approve", thaw=thaw)["state"] == "asking"
    assert len(laptop.service.thaws_asked) == 1
    [budget] = laptop.service.admin("thaws")["budgets"]
    assert budget["approved_usd"] == laptop.status(thaw)["usd"]


def test_approved_late(laptop: ThawingLaptop) -> None:
    thaw = waiting(laptop)
    later(laptop.service, days=14)
    refused = laptop.service.admin("thaw_approve", thaw=thaw)
    assert refused["error"] == "unknown_thaw"
    assert "two weeks" in refused["message"]
    assert laptop.status(thaw)["state"] == "ended"
    assert laptop.service.admin("thaws")["thaws"][0]["state"] == "ended"


def test_approved_late_but_in_time_is_ready_as_many_hours_later(laptop: ThawingLaptop) -> None:
    thaw = waiting(laptop)
    later(laptop.service, days=13)
    assert laptop.service.admin("thaw_approve", thaw=thaw)["ready_by"] == "2026-12-07T20:00:00Z"


def test_declined(laptop: ThawingLaptop) -> None:
    thaw = waiting(laptop)
    assert laptop.service.admin("thaw_deny", thaw=thaw)["state"] == "ended"
    assert laptop.service.admin("thaw_deny", thaw=thaw)["state"] == "ended"
    assert laptop.status(thaw)["message"] == "The owner declined it."
    assert laptop.service.admin("thaw_approve", thaw=thaw)["error"] == "unknown_thaw"
    assert laptop.service.admin("thaw_deny", thaw="no such thaw")["error"] == "unknown_thaw"
    assert laptop.service.admin("thaw_approve")["error"] == "bad_request"


def test_a_price_that_is_not_known_is_the_owners_to_approve_and_never_nothing(
    laptop: ThawingLaptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chalicelib import wiring

    monkeypatch.setattr(wiring, "prices", lambda: None)
    plan = laptop.plan().body
    assert all("usd" not in offer and offer["needs_approval"] for offer in plan["tiers"])
    assert plan["needs_approval"] is True
    refused = laptop.start(plan["thaw"])
    assert (refused.status, refused.error) == (403, "price_unknown")
    assert laptop.status(plan["thaw"])["state"] == "waiting"
    laptop.service.admin("thaw_approve", thaw=plan["thaw"])
    laptop.run_function()
    assert len(laptop.s3.asked) == 3


# ---------------------------------------------------------------- tokens, pauses, other thaws


def test_a_token_revoked_in_mid_thaw_ends_the_asking(
    laptop: ThawingLaptop, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop.store(*range(11, 1_001))
    thaw = laptop.begin("1-1000")
    before_request(monkeypatch, 300, lambda: laptop.service.admin("machine_revoke", name="anna-laptop"))
    laptop.run_function()
    [row] = laptop.service.admin("thaws")["thaws"]
    assert (row["thaw"], row["state"]) == (thaw, "ended")
    assert "revoked" in row["message"]
    assert len(laptop.s3.asked) == 400, "not beyond the part that was on its way"
    assert laptop.tick(minutes=5) == 0


def test_a_token_revoked_ends_what_waits_but_not_what_the_owner_approved(laptop: ThawingLaptop) -> None:
    thaw = waiting(laptop)
    laptop.service.admin("thaw_approve", thaw=thaw)
    laptop.service.admin("machine_revoke", name="anna-laptop")
    laptop.run_function()
    assert len(laptop.s3.asked) == 3


def test_a_thaw_that_waits_for_the_owner_ends_with_its_token(laptop: ThawingLaptop) -> None:
    thaw = waiting(laptop)
    laptop.service.admin("machine_revoke", name="anna-laptop")
    assert laptop.service.admin("thaws")["thaws"][0]["state"] == "ended"
    assert "revoked" in laptop.service.admin("thaw_approve", thaw=thaw)["message"]
    assert laptop.service.thaws_asked == []


def test_job_paused_goes_on(laptop: ThawingLaptop) -> None:
    laptop.service.admin("machine_pause", name="anna-laptop")
    assert laptop.status(ready(laptop))["state"] == "ready"


def test_machine_removed_asks_for_nothing_more(laptop: ThawingLaptop) -> None:
    laptop.begin()
    laptop.service.admin("machine_remove", name="anna-laptop")
    laptop.run_function()
    assert laptop.s3.asked == []
    assert laptop.service.admin("thaws")["thaws"][0]["state"] == "ended"
    assert laptop.tick(days=1) == 0


def test_another_thaw_of_the_job_waits_for_the_one_that_s3_is_at_work_for(laptop: ThawingLaptop) -> None:
    first = thawing(laptop, "1-3")
    other = laptop.plan("5-6").body["thaw"]
    refused = laptop.start(other)
    assert (refused.status, refused.error) == (409, "thaw_in_progress")
    assert first in refused.body["message"]
    assert "2026-11-24T20:00:00Z" in refused.body["message"]
    laptop.s3.finish()
    laptop.tick(minutes=15)
    assert laptop.start(other).status == 200


def test_another_job_of_the_machine_does_not_wait(service: Service) -> None:
    token = service.enrolled(jobs=["system", "photos"])
    system, photos = ThawingLaptop(service, token=token), ThawingLaptop(service, job="photos", token=token)
    system.store(1)
    photos.store(1)
    system.begin("1")
    photos.begin("1")
    assert system.run_function() == 2
    assert len(system.s3.asked) == 2


def test_starting_twice_is_one_start(laptop: ThawingLaptop) -> None:
    thaw = laptop.plan().body["thaw"]
    assert laptop.start(thaw).body == laptop.start(thaw).body
    laptop.run_function()
    assert laptop.start(thaw).body["state"] == "thawing"
    assert laptop.service.thaws_asked == []
    assert len(laptop.s3.asked) == 3
    [budget] = laptop.service.admin("thaws")["budgets"]
    assert budget["reserved_usd"] == laptop.status(thaw)["usd"]


def test_two_starts_at_once_are_one(laptop: ThawingLaptop, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = laptop.plan().body
    answers: list[Answer] = []
    before_start(monkeypatch, lambda: answers.append(laptop.start(plan["thaw"])))
    assert laptop.start(plan["thaw"]).body["state"] == "asking"
    assert [answer.status for answer in answers] == [200]
    assert len(laptop.service.thaws_asked) == 1
    [budget] = laptop.service.admin("thaws")["budgets"]
    assert budget["reserved_usd"] == plan["tiers"][-1]["usd"]


def test_two_jobs_that_start_at_once_stay_within_the_machines_budget(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = service.enrolled(jobs=["system", "photos"])
    system, photos = ThawingLaptop(service, token=token), ThawingLaptop(service, job="photos", token=token)
    thaws = {}
    for laptop in (system, photos):
        laptop.store(1, size=30 * 1024 * MB)
        thaws[laptop.job] = laptop.plan("1").body["thaw"]
    answers: list[Answer] = []
    before_start(monkeypatch, lambda: answers.append(photos.start(thaws["photos"], "Standard")))
    assert system.start(thaws["system"], "Standard").error == "thaw_budget"
    assert [answer.status for answer in answers] == [200]


def test_ids_that_nobody_made_are_unknown(laptop: ThawingLaptop) -> None:
    for thaw in ("0" * 20, "x", "a" * 3_000, "%20", "0" * 19 + "g"):
        assert laptop.call("GET", f"/{thaw}").error == "unknown_thaw"
        assert laptop.start(thaw).error == "unknown_thaw"
