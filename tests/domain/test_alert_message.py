"""What the alerts' topic gets: a text, JSON with a versioned form, and never more than SNS takes."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.alert_message import MOST_BYTES, MOST_LISTED, AlertMessage, alert_message
from chalicelib.domain.backups.freshness import State
from chalicelib.domain.mail.alert_items import Alert, AlertItem, JobNow, Trouble, item_of_job

AT = datetime(2026, 11, 23, 8, 0, tzinfo=timezone(timedelta(hours=1)))
LATE = AlertItem(
    "anna/system",
    "no backup in time",
    "The newest is 3 days old.",
    commands=("panicroom backup",),
    machine="anna",
)
PUBLIC = AlertItem("attic", "the bucket is public", "Anybody may read it.", advice="Close it.")


def message(alert: Alert, text: str = "Something is wrong.\n") -> AlertMessage:
    return alert_message(alert, text, stage="home", at=AT)


def forms(alert: Alert, text: str = "Something is wrong.\n") -> dict[str, str]:
    found: dict[str, str] = json.loads(message(alert, text).payload)
    return found


def body(alert: Alert) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(forms(alert)["default"])
    return found


def test_a_mailbox_gets_the_text_a_telephone_the_subject_and_a_program_json() -> None:
    found = forms(Alert(jobs=(LATE,)))
    assert found["email"] == "Something is wrong.\n"
    assert found["sms"] == "[panicroom] anna/system: no backup in time"
    assert json.loads(found["default"])["items"]
    assert set(found) == {"default", "email", "sms"}, "HTTPS, queues and functions get the default"


def test_each_thing_has_its_machine_its_job_and_what_to_type() -> None:
    found = body(Alert(jobs=(LATE,)))
    assert {name: found[name] for name in ("format", "stage", "at", "left_off")} == {
        "format": 1,
        "stage": "home",
        "at": "2026-11-23T07:00:00Z",
        "left_off": 0,
    }
    assert found["items"] == [
        {
            "what": "no backup in time",
            "severity": "critical",
            "whose": "anna/system",
            "machine": "anna",
            "job": "system",
            "message": "The newest is 3 days old.",
            "evidence": "",
            "advice": "",
            "commands": ["panicroom backup"],
        }
    ]


def test_what_concerns_no_machine_names_none() -> None:
    [item] = body(Alert(safety=(PUBLIC,)))["items"]
    assert (item["machine"], item["job"], item["whose"]) == ("", "", "attic")


def test_each_part_of_a_mail_has_its_severity_the_most_urgent_first() -> None:
    parts = {
        field.name: (dataclasses.replace(PUBLIC, title=field.name),) for field in dataclasses.fields(Alert)
    }
    found = [(item["what"], item["severity"]) for item in body(Alert(**parts))["items"]]
    assert found == [
        ("safety", "urgent"),
        ("critical", "critical"),
        ("awaited", "warning"),
        ("jobs", "critical"),
        ("over", "over"),
        ("warnings", "warning"),
    ]


def test_commands_name_the_stage() -> None:
    audit = dataclasses.replace(PUBLIC, commands=("python -m ops audit",))
    [item] = body(Alert(safety=(audit,)))["items"]
    assert item["commands"] == ["python -m ops audit --stage home"]


def test_a_chat_gets_titles_and_names_and_no_text_from_outside() -> None:
    lured = dataclasses.replace(PUBLIC, message="<https://example.org|click here>")
    found = body(Alert(safety=(lured,), jobs=(LATE,) * (MOST_LISTED + 1)))
    assert (found["version"], found["source"]) == ("1.0", "custom")
    lines = found["content"]["description"].splitlines()
    assert lines[0] == "attic: the bucket is public"
    assert lines[-2:] == ["and 2 more", "python -m ops audit --stage home"]
    assert "click here" not in json.dumps(found["content"])


def test_it_says_how_bad_its_worst_item_is() -> None:
    of = {
        field.name: message(Alert(**{field.name: (PUBLIC,)})).severity for field in dataclasses.fields(Alert)
    }
    assert of == {
        "safety": "urgent",
        "critical": "critical",
        "awaited": "warning",
        "jobs": "critical",
        "over": "over",
        "warnings": "warning",
    }
    assert message(Alert(awaited=(PUBLIC,), jobs=(LATE,), over=(PUBLIC,))).severity == "critical"


@pytest.mark.parametrize("text", ["x", '"', "\\", "\x07", "\u202e", "😀", "a\n"])
def test_one_item_however_long_has_room_and_no_half_command(text: str) -> None:
    endless = AlertItem(
        text * 10**5, text * 10**5, text * 10**5, text * 10**5, text * 10**5, (text * 10**5, "ls")
    )
    made = message(Alert(safety=(endless,) * 3), text * 10**5)
    assert len(made.payload.encode()) + len(made.subject) < MOST_BYTES
    found = json.loads(json.loads(made.payload)["default"])
    assert found["items"]
    assert found["items"][0]["commands"] == ["ls"]
    assert len(found["items"]) + found["left_off"] == 3


def test_a_subject_is_what_sns_takes() -> None:
    found = message(Alert(warnings=(dataclasses.replace(PUBLIC, whose="müller" + "x" * 200),))).subject
    assert found.startswith("[panicroom] m?ller")
    assert len(found) < 100


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.text(max_size=400), min_size=1, max_size=8),
    st.integers(1, 400),
    st.integers(1, 60),
)
def test_whatever_is_wrong_sns_takes_the_message_and_what_is_left_off_is_counted(
    texts: list[str], items: int, times: int
) -> None:
    said = [dataclasses.replace(PUBLIC, message=texts[index % len(texts)] * times) for index in range(items)]
    alert = Alert(safety=tuple(said))
    found = message(alert, "\n".join(texts) * 100 * times)
    assert len(found.payload.encode()) <= MOST_BYTES
    content = json.loads(json.loads(found.payload)["default"])
    assert len(content["items"]) + content["left_off"] == items


def test_of_too_much_the_most_urgent_is_kept_and_the_text_says_where_the_rest_is() -> None:
    many = tuple(dataclasses.replace(LATE, message="\\" * 4000) for _ in range(100))
    found = forms(Alert(safety=(PUBLIC,), warnings=many), "a line\n" * 20_000)
    content = json.loads(found["default"])
    assert content["items"][0]["severity"] == "urgent"
    assert 0 < content["left_off"] < 100
    assert found["email"].endswith("There is more than fits in here: python -m ops audit --stage home\n")


def test_the_document_shows_the_form_that_comes() -> None:
    """docs/fleet.md has an alert as an example: its fields, and the texts that are ours."""
    text = (Path(__file__).parents[2] / "docs" / "fleet.md").read_text()
    shown = json.loads(text.partition("<!-- an alert -->\n```json\n")[2].partition("```")[0])
    newest = datetime(2026, 11, 27, 16, 40, tzinfo=timezone.utc)
    job = JobNow("web-3", "system", State.OVERDUE, shown["items"][0]["message"], newest_complete_at=newest)
    at = datetime(2026, 11, 30, 16, 40, tzinfo=timezone.utc)
    alert = Alert(jobs=(item_of_job(job, Trouble(State.OVERDUE, at)),))
    assert json.loads(json.loads(alert_message(alert, "", stage="home", at=at).payload)["default"]) == shown
