"""Names and messages that others choose: in rows, in the audit's answer and in the mails."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from datetime import timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.audit.bucket_settings import BucketSettings
from chalicelib.domain.audit.findings import Finding, new_finding
from chalicelib.domain.audit.notices import Notice
from chalicelib.domain.backups.events import MalformedEvent, key_changes
from chalicelib.domain.backups.objects import ObjectRow, StoredObject
from chalicelib.domain.mail.alert_items import Alert, AlertItem
from chalicelib.domain.mail.report import compose_report
from chalicelib.domain.mail.shortened import FINDINGS_SHOWN
from chalicelib.domain.shown import HIDDEN_CATEGORIES, all_shown, shown, shown_cell, shown_command
from chalicelib.rendering import Mail, render, render_alert
from ops.buckets.audit import evaluate_listing
from tests.hostile.memory_aws import service_in_memory
from tests.service.conftest import BUCKET, NOW, Service

ODD_NAMES = [
    "two\nlines",
    "a\r\n-> rm -rf ~",
    "\u202egnp.exe\u202c",
    "a\x1b[31mred",
    "\x9b31mred",
    "a\x00b",
    "\u2028next",
    "\u200bhidden",
    "\ufeffmark",
    "<img src=x onerror=alert(1)>",
    "'; rm -rf ~; echo '",
    "$(id) `id`",
    "{{ 7*7 }}",
    "old{1}",
    "{when!x",
    "=cmd|' /C calc'!A0",
    "k" * 900,
    "\u05e9\u05dc\u05d5\u05dd",
]
UNSEEN = re.compile("[\\x00-\\x09\\x0b-\\x1f\\x7f-\\x9f\\u200b-\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ufeff]")


@given(st.text())
def test_what_is_shown_has_one_line_and_no_character_that_cannot_be_seen(text: str) -> None:
    import unicodedata

    assert not any(unicodedata.category(character) in HIDDEN_CATEGORIES for character in shown(text))
    assert shown(shown(text)) == shown(text)


@pytest.mark.parametrize("text", ["plain", "naïve café 漢字 🙂", "שלום", "100% a+b 'c'"])
def test_what_can_be_seen_stays_as_it_is(text: str) -> None:
    assert shown(text) == text


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1), min_size=1
    )
)
def test_a_shown_command_means_what_it_meant(words: list[str]) -> None:
    line = shown_command(shlex.join(words))
    assert "\n" not in line
    if not any("\\u" in part or "\\U" in part for part in line.split()):
        return  # only those are worth a shell
    echoed = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {line}"], capture_output=True, check=True, env={"LC_ALL": "C.UTF-8"}
    )
    assert echoed.stdout == "".join(f"{word}\0" for word in words).encode()


def stray(name: str) -> Finding:
    return new_finding(
        "stray",
        subject=f"b/{name}",
        message=f"s3://b/{name} is no duplicity file of a known job.",
        evidence=f"s3://b/{name}, 1 bytes",
        commands=(shlex.join(["aws", "s3api", "delete-object", "--bucket", "b", "--key", name]),),
    )


def weekly(*findings: Finding, notices: tuple[Notice, ...] = ()) -> Mail:
    report = compose_report(
        [], findings, notices, now=NOW, next_issue=NOW + timedelta(days=7), zone=timezone.utc
    )
    return render(report)


def alert_of(name: str) -> Mail:
    finding = stray(name)
    item = AlertItem(f"b/{name}", name, finding.message, finding.evidence, name, finding.commands)
    return render_alert(Alert((item,), (item,), (item,), (item,), (item,)), stage="local", written_at=NOW)


@pytest.mark.parametrize("name", ODD_NAMES, ids=ascii)
@pytest.mark.parametrize("kind", ["weekly", "alert", "notice"])
def test_no_mail_carries_what_a_name_should_not_be_able_to_write(name: str, kind: str) -> None:
    plain = "k" * 10

    def made(name: str) -> Mail:
        if kind == "alert":
            return alert_of(name)
        if kind == "notice":
            return weekly(notices=(Notice("second_run", "anna", "system", name, NOW),))
        return weekly(stray(name))

    mail, usual = made(name), made(plain)
    assert not UNSEEN.search(mail.text + mail.html + mail.subject)
    assert len(mail.text.splitlines()) == len(usual.text.splitlines()), "no line more"
    assert len(mail.subject.splitlines()) == 1
    assert "<img src=x" not in mail.html


def test_a_table_has_no_formulas() -> None:
    assert [shown_cell(text) for text in ("=1+1", "+1", "-1", "@x", "a=1", "two\nlines")] == [
        "'=1+1",
        "'+1",
        "'-1",
        "'@x",
        "a=1",
        "two\\nlines",
    ]


def test_a_hundred_decoys_of_one_code_hide_no_other() -> None:
    gap = new_finding("gap", machine="anna", job="system", subject="s", message="THE GAP", severity=None)
    tag = new_finding("wrong_tag", machine="zoe", job="system", subject="s", message="THE TAG")
    mail = weekly(*(stray(f"decoy-{number}") for number in range(100)), gap, tag)
    assert "THE GAP" in mail.text
    assert "THE TAG" in mail.text
    assert f"{102 - FINDINGS_SHOWN} more findings (stray {102 - FINDINGS_SHOWN})" in mail.text


def test_safety_is_never_left_off() -> None:
    gaps = [
        new_finding("gap", machine="anna", job="s", subject=f"{n}", message=f"GAP {n}.") for n in range(60)
    ]
    assert all(f"GAP {number}." in weekly(*gaps).text for number in range(60))
    items = tuple(AlertItem("anna/s", f"gap {number}", f"GAP {number}.") for number in range(60))
    alert = render_alert(Alert(safety=items, critical=items), stage="local", written_at=NOW)
    assert all(f"GAP {number}." in alert.text for number in range(60))
    assert "and 40 more" in alert.text


def test_commands_in_nested_fields_are_shown_as_commands() -> None:
    item = all_shown(AlertItem("w", "t", "two\nlines", commands=("echo 'two\nlines'",)))
    assert (item.message, item.commands) == ("two\\nlines", ("echo $'two\\nlines'",))


# ---------------------------------------------------------------- rows and events


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with pytest.MonkeyPatch.context() as patch, service_in_memory(patch) as service:
        yield service


LONG = "photos/" + "k" * 1017
ADDRESSES = [LONG, "photos/" + "é" * 508, LONG[: 1024 - len(BUCKET) - 1], LONG[: 1024 - len(BUCKET)]]


def test_a_key_as_long_as_s3_takes_it_is_a_finding_and_holds_back_no_neighbour(service: Service) -> None:
    keys = [*ADDRESSES, "photos/1.jpg", "photos/2.jpg"]
    for key in keys:
        service.put(key, b"x")
    assert service.catalogue(*keys) == {"batchItemFailures": []}
    assert service.catalogue(*keys) == {"batchItemFailures": []}, "and again"
    found = {finding["subject"] for finding in service.admin("findings")["findings"]}
    assert found == {f"{BUCKET}/{key}" for key in keys}
    listed = [entry["key"] for entry in service.admin("catalogue_objects")["objects"]]
    assert sorted(listed) == sorted(keys)
    for key in keys:
        service.s3.delete_object(Bucket=BUCKET, Key=key)
    service.catalogue(*keys)
    assert service.admin("findings")["findings"] == []


def test_a_stray_that_fails_is_reported_by_itself(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    from chalicelib.adapters.stores.catalogue_store import CatalogueStore

    really = CatalogueStore.put_stray

    def put_stray(self: CatalogueStore, bucket: str, key: str, *rest: object) -> bool:
        if key == "photos/bad.jpg":
            raise ValueError(key)
        return really(self, bucket, key, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(CatalogueStore, "put_stray", put_stray)
    keys = ["photos/bad.jpg", "photos/3.jpg", "photos/4.jpg"]
    for key in keys:
        service.put(key, b"x")
    assert service.catalogue(*keys) == {"batchItemFailures": [{"itemIdentifier": "m0"}]}


@pytest.mark.parametrize("sequencer", ["F" * 65, "Z", "0x1", "00 1", 7, ["0"], "é"])
def test_a_sequencer_of_another_form_is_no_event(sequencer: object) -> None:
    record = {"s3": {"bucket": {"name": "b"}, "object": {"key": "k", "sequencer": sequencer}}}
    with pytest.raises(MalformedEvent):
        key_changes({"Records": [record]})


@pytest.mark.parametrize("sequencer", ["", "0055AED6DCD90281E5", "00" * 16])
def test_a_sequencer_of_s3_is_taken(sequencer: str) -> None:
    record = {"s3": {"bucket": {"name": "b"}, "object": {"key": "k", "sequencer": sequencer}}}
    assert key_changes({"Records": [record]})[0].sequencer == sequencer


@pytest.mark.parametrize("folder", ODD_NAMES, ids=ascii)
def test_the_audit_of_a_foreign_bucket_names_any_folder_as_it_is(folder: str) -> None:
    name = "data_duplicity-full.20261101T000000Z.vol1.difftar.gpg"
    stored = StoredObject(10, "e", "STANDARD", NOW)
    rows = {f"{folder}/{name}": ObjectRow(f"{folder}/{name}", stored)}
    rule = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 365}}
    found = evaluate_listing(BucketSettings("attic", lifecycle=(rule,)), rows, {}, NOW)
    [loss] = [one for one in found if one.code == "rule_expires_full"]
    assert f"deletes the full backup full.20261101T000000Z of attic/{folder} on 2027-11-23" in loss.message
