"""When the weekly mail goes out, to whom, and what happens when SES will not take it."""

from __future__ import annotations

import dataclasses
import email
import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from email.policy import default
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.httpsession import URLLib3Session

from chalicelib.adapters.ses_mailer import Mailer, MailRefused, as_message
from chalicelib.domain.mail.report_parts import Attachment
from chalicelib.journeys.send_weekly_report import RecipientsRefused
from chalicelib.rendering import Mail
from tests.service.conftest import ENVIRONMENT, OWNER, Service, later

MONDAY = datetime(2026, 11, 23, 6, 0, tzinfo=timezone.utc)  # seven in Berlin
MANIFEST = "meta_duplicity-full.20261122T210000Z.manifest.gpg"


@dataclasses.dataclass
class Post:
    """In the place of SES: what it took, and whom it refuses."""

    sent: list[tuple[Mail, tuple[str, ...]]] = dataclasses.field(default_factory=list)
    refused: set[str] = dataclasses.field(default_factory=set)
    broken: bool = False

    def send(self, mail: Mail, recipients: Sequence[str]) -> str:
        if self.broken:
            raise ConnectionError("SES does not answer")
        if self.refused & set(recipients):
            raise MailRefused("Email address is not verified.")
        self.sent.append((mail, tuple(recipients)))
        return f"message-{len(self.sent)}"

    @property
    def recipients(self) -> list[tuple[str, ...]]:
        return [recipients for _, recipients in self.sent]


@pytest.fixture
def post(service: Service, monkeypatch: pytest.MonkeyPatch) -> Post:
    from chalicelib import wiring

    made = Post()
    monkeypatch.setattr(wiring, "_mailer", lambda: made)
    return made


def recipients(monkeypatch: pytest.MonkeyPatch, *addresses: str, budget: str = "") -> None:
    from chalicelib import wiring

    monkeypatch.setenv("PANICROOM_RECIPIENTS", ",".join(addresses))
    monkeypatch.setenv("PANICROOM_MONTHLY_BUDGET", budget)
    wiring.settings.cache_clear()


def fire() -> None:
    """The schedule's own hour."""
    import app

    event = {
        "version": "0",
        "id": "1",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "0",
    }
    rest = {"time": "2026-11-23T06:00:00Z", "region": "us-east-1", "resources": [], "detail": {}}
    app.weekly_report({**event, **rest}, None)


def add_machine(service: Service, name: str = "anna-laptop", **arguments: object) -> None:
    service.now = MONDAY - timedelta(days=1)
    service.admin("machine_add", name=name, **arguments)
    service.now = MONDAY


def test_however_often_the_schedule_fires_there_is_one_mail_a_week(service: Service, post: Post) -> None:
    add_machine(service)
    for _ in range(24):
        fire()
        later(service, hours=1)
    assert post.recipients == [(OWNER,)]
    service.now = MONDAY + timedelta(days=7)
    fire()
    assert len(post.sent) == 2


def test_a_missed_week_is_made_up_for(service: Service, post: Post) -> None:
    add_machine(service)
    post.broken = True
    for _ in range(3):
        with pytest.raises(ConnectionError):
            fire()
        later(service, hours=1)
    post.broken = False
    service.now = MONDAY + timedelta(days=2, hours=5)
    fire()
    fire()
    assert len(post.sent) == 1


def test_the_next_mail_compares_with_what_this_one_said(service: Service, post: Post) -> None:
    add_machine(service)
    fire()
    service.put(f"anna-laptop/system/{MANIFEST}", b"x" * 5000)
    service.catalogue(f"anna-laptop/system/{MANIFEST}", sequencer="01")
    service.now = MONDAY + timedelta(days=7)
    fire()
    first, second = (mail for mail, _ in post.sent)
    assert "since" not in first.text.splitlines()[1]
    assert "(+4.88 KB since 23 Nov)" in second.text
    assert "Week by week" in second.text


def test_the_weeks_are_known_in_all_and_by_machine(service: Service, post: Post) -> None:
    add_machine(service)
    fire()
    service.admin("machine_add", name="ben", jobs=["system", "mail"])
    for job in ("system", "mail"):
        service.put(f"ben/{job}/{MANIFEST}", b"x" * 5000)
        service.catalogue(f"ben/{job}/{MANIFEST}")
    service.now = MONDAY + timedelta(days=7)
    fire()
    answer = service.admin("report_weeks")
    assert [(week["written_at"], week["backups"], week["stored_bytes"]) for week in answer["weeks"]] == [
        ("2026-11-23T06:00:00Z", 1, 0),
        ("2026-11-30T06:00:00Z", 3, 10_000),
    ]
    assert answer["issues"] == ["2026-11-23T06:00:00Z", "2026-11-30T06:00:00Z"]
    by_machine = {one["machine"]: one for one in answer["machines"]}
    assert by_machine["anna-laptop"]["stored_bytes"] == [0, 0]
    assert by_machine["ben"]["stored_bytes"] == [None, 10_000]
    before, now = by_machine["ben"]["monthly"]
    assert before is None
    assert now > 0


def test_a_preview_is_no_issue(service: Service, post: Post) -> None:
    add_machine(service)
    shown = service.admin("report_preview")
    service.admin("report_send")
    fire()
    assert [mail.subject for mail, _ in post.sent] == [shown["subject"]] * 2


def test_one_refused_address_keeps_nobody_else_from_the_mail(
    service: Service, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipients(monkeypatch, OWNER, "gone@example.net")
    add_machine(service)
    post.refused = {"gone@example.net"}
    with pytest.raises(RecipientsRefused, match=r"gone@example\.net: Email address is not verified"):
        fire()
    assert post.recipients == [(OWNER,)]
    status = service.admin("report_status")
    assert status["refused"] == {"gone@example.net": "Email address is not verified."}
    assert status["last_sent_at"] == "2026-11-23T06:00:00Z"


def test_who_was_refused_is_tried_again_and_nobody_gets_a_second_copy(
    service: Service, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipients(monkeypatch, OWNER, "gone@example.net")
    add_machine(service)
    post.refused = {"gone@example.net"}
    for _ in range(2):
        with pytest.raises(RecipientsRefused):
            fire()
        later(service, hours=1)
    post.refused = set()
    fire()
    fire()
    assert post.recipients == [(OWNER,), ("gone@example.net",)]
    assert service.admin("report_status")["refused"] == {}


def test_while_somebody_is_refused_everything_is_read_a_few_times_a_day_and_not_each_hour(
    service: Service, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    from chalicelib.journeys import send_weekly_report as journey

    gathered = 0
    gather = journey.gather

    def count(context: journey.ReportContext) -> journey.Gathered:
        nonlocal gathered
        gathered += 1
        return gather(context)

    monkeypatch.setattr(journey, "gather", count)
    recipients(monkeypatch, OWNER, "gone@example.net")
    add_machine(service)
    post.refused = {"gone@example.net"}
    tried: list[int] = []
    for hour in range(7 * 24):
        try:
            fire()
        except RecipientsRefused:
            tried.append(hour)
        later(service, hours=1)
    assert tried[:7] == [0, 1, 2, 4, 8, 16, 24]
    assert (len(tried), gathered) == (24, 24)
    assert max(after - before for before, after in itertools.pairwise(tried)) < ALARM_HOURS
    post.refused = set()
    fire()
    assert post.recipients == [(OWNER,), (OWNER, "gone@example.net")], "the next issue, without a rest"


ALARM_HOURS = 12
"""The alarm's period: what fails seldomer would end it and begin it again."""


def test_several_recipients_share_one_mail(
    service: Service, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipients(monkeypatch, OWNER, "partner@example.org")
    add_machine(service)
    fire()
    assert post.recipients == [(OWNER, "partner@example.org")]


def test_a_machines_own_owner_gets_a_mail_about_it_alone(service: Service, post: Post) -> None:
    add_machine(service, "anna-laptop", owner_mail="anna@example.org")
    add_machine(service, "bens-laptop")
    fire()
    fire()
    assert post.recipients == [(OWNER,), ("anna@example.org",)]
    everything, own = (mail for mail, _ in post.sent)
    assert "bens-laptop" in everything.text
    assert "bens-laptop" not in own.text
    assert "anna-laptop" in own.text
    assert "What it costs" not in own.html


def test_an_owner_who_gets_everything_gets_it_once(service: Service, post: Post) -> None:
    add_machine(service, owner_mail=OWNER)
    fire()
    assert post.recipients == [(OWNER,)]


def test_each_of_several_owners_of_a_group_gets_one_mail_about_its_machines(
    service: Service, post: Post
) -> None:
    service.admin("group_add", name="web", owner_mail=f"anna@example.org, ben@example.org, {OWNER}")
    add_machine(service, "web-1", group="web")
    add_machine(service, "web-2", group="web")
    fire()
    fire()
    assert post.recipients == [(OWNER,), ("anna@example.org",), ("ben@example.org",)]
    assert all("web-1" in mail.text and "web-2" in mail.text for mail, _ in post.sent)


def test_the_owner_of_a_machine_can_be_changed_and_taken_away(service: Service, post: Post) -> None:
    add_machine(service, owner_mail="anna@example.org")
    changed = service.admin("machine_set", name="anna-laptop", owner_mail="ben@example.org")
    assert changed["owner_mail"] == "ben@example.org"
    assert service.admin("machine_set", name="anna-laptop", owner_mail="")["owner_mail"] is None
    refused = service.admin("machine_set", name="anna-laptop", owner_mail="anna, ben@example.org")
    assert "no mail address" in refused["message"]


def test_over_budget_is_told_once_a_month_and_stops_nothing(
    service: Service, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipients(monkeypatch, OWNER, budget="0.0001")
    add_machine(service)
    for _ in range(3):
        fire()
        later(service, days=1)
    [(mail, _)] = post.sent
    assert "more than its budget" in mail.text
    from chalicelib import wiring

    told = [one for one in wiring.notice_store().since(MONDAY) if one.code == "over_budget"]
    assert len(told) == 1
    assert "No backup is stopped" in told[0].message


def test_the_budget_is_watched_between_the_mails_too(
    service: Service, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipients(monkeypatch, OWNER, budget="1000")
    add_machine(service)
    fire()
    recipients(monkeypatch, OWNER, budget="0.0001")
    later(service, days=2)
    fire()
    from chalicelib import wiring

    assert [one.code for one in wiring.notice_store().since(MONDAY)] == ["over_budget"]
    assert len(post.sent) == 1


def test_a_budget_that_is_no_sum_is_refused() -> None:
    from chalicelib.config import read_budget

    assert [read_budget(text) for text in ("", " 4.50 ")] == [None, Decimal("4.50")]
    for text in ("much", "-1", "0", "NaN"):
        with pytest.raises(ValueError, match="PANICROOM_MONTHLY_BUDGET"):
            read_budget(text)


def test_a_trial_that_ses_refuses_is_one_sentence(service: Service, post: Post) -> None:
    add_machine(service)
    post.refused = {"stranger@example.com"}
    answer = service.admin("report_send", to=["stranger@example.com"])
    assert answer["message"].startswith("SES refused the mail to stranger@example.com: ")
    assert "ops doctor" in answer["message"]


# ---------------------------------------------------------------- SES itself

MAIL = Mail("2 backups — naïve", "<p>Grüße</p>", "Grüße\n", (Attachment("backups.csv", "machine,job\r\n"),))


def test_the_message_has_text_html_and_the_tables() -> None:
    raw = as_message(MAIL, "backup@example.org", [OWNER, "b@example.org"]).as_bytes()
    message = email.message_from_bytes(raw, policy=default)
    assert message["Subject"] == MAIL.subject
    assert message["To"] == f"{OWNER}, b@example.org"
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None
    assert html is not None
    assert (text.get_content().strip(), html.get_content().strip()) == (MAIL.text.strip(), MAIL.html)
    [attachment] = message.iter_attachments()
    assert (attachment.get_filename(), attachment.get_content_type()) == ("backups.csv", "text/csv")
    assert all(len(line) <= 998 for line in raw.splitlines())


@pytest.mark.parametrize(
    ("code", "refused"),
    [("MessageRejected", True), ("AccessDeniedException", True), ("TooManyRequestsException", False)],
)
def test_a_refusal_is_told_from_a_hiccup(code: str, refused: bool) -> None:
    class Ses:
        def send_email(self, **_: Any) -> Any:
            raise ClientError({"Error": {"Code": code, "Message": "No."}}, "SendEmail")

    with pytest.raises(MailRefused if refused else ClientError):
        Mailer(Ses(), "backup@example.org", wait=lambda _: None).send(MAIL, [OWNER])


def test_mails_that_come_faster_than_the_sandbox_takes_them_wait_for_it() -> None:
    waited: list[float] = []

    class Ses:
        def send_email(self, **_: Any) -> Any:
            if len(waited) < 2:
                raise ClientError({"Error": {"Code": "TooManyRequestsException", "Message": ""}}, "SendEmail")
            return {"MessageId": "m"}

    assert Mailer(Ses(), "backup@example.org", waited.append).send(MAIL, [OWNER]) == "m"
    assert waited == [1, 2]


def test_a_mail_whose_answer_did_not_come_in_time_is_not_sent_again_by_the_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """SES may have taken it; the claims make up for the one that it did not take."""
    from chalicelib import wiring

    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    sent: list[str] = []

    def send(_: URLLib3Session, request: Any) -> Any:
        sent.append(request.url)
        raise ReadTimeoutError(endpoint_url=request.url)

    monkeypatch.setattr(URLLib3Session, "send", send)
    wiring.settings.cache_clear()
    with pytest.raises(ReadTimeoutError):
        wiring._mailer.__wrapped__().send(MAIL, [OWNER])
    wiring.settings.cache_clear()
    assert sent == ["https://email.us-east-1.amazonaws.com/v2/email/outbound-emails"]
