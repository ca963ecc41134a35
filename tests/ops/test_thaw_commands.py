"""The owner's commands about thaws: what they show, ask and refuse."""

from __future__ import annotations

import dataclasses
import json
import re
import time
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from chalicelib import wire
from chalicelib.owner_wire import ThawBudget, ThawListing, ThawRow
from chalicelib.wire import ThawState, ThawTier
from ops.cli import commands
from ops.commands.thaws import thaw as thaw_commands
from ops.commands.thaws.shown import OTHERS_SHOWN, show_listing
from ops.errors import OpsError
from ops.local.received_mail import received_mails
from tests.enrolling import enrolled
from tests.ops.conftest import Owner

ENOUGH_SECONDS = 120

WAITING = ThawRow(
    thaw="5e02a77c0f1b9d34c6ee",
    machine="carla-studio",
    job="photos-2018",
    state=ThawState.WAITING,
    tier=ThawTier.BULK,
    volumes=12_697,
    bytes=310 * 2**30,
    done=0,
    days=5,
    started_at="2026-11-23T06:00:00Z",
    ready_by="2026-11-25T06:00:00Z",
    usd=21.1885,
    transfer_usd=18.9,
    message="This thaw costs $21.1885.",
)
THAWING = dataclasses.replace(
    WAITING,
    thaw="77aa000000000000c0de",
    state=ThawState.THAWING,
    done=800,
    usd=0.3687,
    transfer_usd=0.0,
    approved_at="2026-11-23T07:00:00Z",
    message=None,
)
READY = dataclasses.replace(
    THAWING, state=ThawState.READY, readable_until="2026-11-30T00:00:00Z", downloaded_bytes=5 * 2**30
)
ENDED = dataclasses.replace(THAWING, state=ThawState.ENDED, message="The machine was removed.")
BUDGETS = (
    ThawBudget("anna", 1.0, 0.0, 0.0),
    ThawBudget("carla-studio", 1.0, 0.3687, 3.1042, 0.0021),
)


@dataclasses.dataclass
class Service:
    """Stands for the admin function."""

    listing: ThawListing
    asked: list[tuple[str, dict[str, Any]]] = dataclasses.field(default_factory=list)

    def ask(self, shape: type[Any], command: str, **arguments: Any) -> Any:
        if command == "thaws":
            answer: Any = self.listing
        else:
            self.asked.append((command, arguments))
            [row] = [row for row in self.listing.thaws if row.thaw == arguments["thaw"]]
            state = {"thaw_approve": ThawState.ASKING, "thaw_deny": ThawState.ENDED}[command]
            answer = row if row.approved_at else dataclasses.replace(row, state=state)
        return wire.from_json(shape, json.loads(json.dumps(dataclasses.asdict(answer))))


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    made = Service(ThawListing((WAITING, THAWING), BUDGETS))
    monkeypatch.setattr(thaw_commands, "admin_client", lambda *_: made)
    return made


def types(*words: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(commands, [*words], input=answer)


def test_the_list_names_what_waits_first_with_its_price_and_the_line_to_type(service: Service) -> None:
    said = types("thaw", "list").stdout.splitlines()
    assert said[:6] == [
        "carla-studio/photos-2018: waits for your approval",
        "  thaw 5e02a77c0f1b9d34c6ee",
        "  310 GB in 12,697 volumes by Bulk",
        "  $21.19, $18.90 of it for leaving AWS",
        "  asked for at 2026-11-23 06:00 UTC, copies for 5 days",
        "  `python -m ops thaw approve 5e02a77c0f1b9d34c6ee`",
    ]
    assert said[7:13] == [
        "carla-studio/photos-2018: thawing, 800 of 12,697 can be read",
        "  thaw 77aa000000000000c0de",
        "  310 GB in 12,697 volumes by Bulk",
        "  $0.37",
        "  ready by 2026-11-25 06:00 UTC",
        "",
    ]
    assert said[13:] == [
        "Budgets for thaws, this month:",
        "  carla-studio: $0.37 of $1.00, and $3.10 approved by you or by a recovery code, and $0.0021 for drills",
    ]


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (READY, "  until 2026-11-30 00:00 UTC, 5 GB downloaded"),
        (ENDED, "  The machine was removed."),
        (dataclasses.replace(WAITING, usd=None), "  the price is not known"),
    ],
)
def test_until_when_or_why_not_is_said(service: Service, row: ThawRow, line: str) -> None:
    service.listing = ThawListing((row,), ())
    assert line in types("thaw", "list").stdout.splitlines()


def test_the_list_is_readable_in_sixty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = Console(width=60, force_terminal=True, color_system=None, soft_wrap=True, record=True)
    for module in ("ops.commands.arguments.options", "ops.commands.thaws.shown"):
        monkeypatch.setattr(f"{module}.console", narrow)
    rows = (WAITING, THAWING, READY, ENDED)
    show_listing(ThawListing(tuple(dataclasses.replace(row, machine="w" * 20) for row in rows), ()), "local")
    assert max(map(len, narrow.export_text().splitlines())) <= 60


def test_many_that_are_over_are_counted_and_all_of_them_are_in_the_json(service: Service) -> None:
    service.listing = ThawListing((ENDED,) * (OTHERS_SHOWN + 3), ())
    said = types("thaw", "list").stdout
    assert said.count("carla-studio/photos-2018: over") == OTHERS_SHOWN
    assert "and 3 more that are over: --json has them." in said
    assert len(json.loads(types("thaw", "list", "--json").stdout)["thaws"]) == OTHERS_SHOWN + 3


def test_without_any_the_list_says_so(service: Service) -> None:
    service.listing = ThawListing((), BUDGETS)
    assert types("thaw", "list").stdout == "No thaw in the last two months.\n"


def test_approve_shows_what_and_the_price_asks_and_says_what_comes_next(service: Service) -> None:
    result = types("thaw", "approve", WAITING.thaw, answer="y\n")
    assert result.exit_code == 0
    assert "$21.19, $18.90 of it for leaving AWS" in result.stdout.partition("Approve it?")[0]
    assert "Approved: carla-studio/photos-2018 will be ready by 2026-11-25 06:00 UTC." in result.stdout
    assert "the same `panicroom restore`" in result.stdout
    assert service.asked == [("thaw_approve", {"thaw": WAITING.thaw})]


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_whoever_does_not_say_yes_approves_nothing(service: Service, answer: str) -> None:
    assert types("thaw", "approve", WAITING.thaw, answer=answer).exit_code == 1
    assert service.asked == []


def test_with_yes_nothing_is_asked_and_the_beginning_of_an_id_is_enough(service: Service) -> None:
    result = types("thaw", "approve", "5E02", "--yes")
    assert result.exit_code == 0
    assert "Approve it?" not in result.stdout
    assert service.asked == [("thaw_approve", {"thaw": WAITING.thaw})]


def test_the_json_is_alone_on_the_output_also_where_it_asks(service: Service) -> None:
    result = types("thaw", "approve", WAITING.thaw, "--json", answer="y\n")
    assert json.loads(result.stdout)["state"] == "asking"
    assert "Approve it?" in result.stderr


def test_approved_twice_is_said_with_how_far_it_is_and_asks_nothing(service: Service) -> None:
    said = types("thaw", "approve", THAWING.thaw)
    assert said.exit_code == 0
    assert "It was approved at 2026-11-23 07:00 UTC already:" in said.stdout
    assert "thawing, 800 of 12,697 can be read" in said.stdout


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("0000000000", "There is no thaw 0000000000: `python -m ops thaw list` lists"),
        ("5e0", "There is no thaw 5e0"),
        ("77aa", "Several thaws begin with 77aa"),
    ],
)
def test_an_id_that_names_no_thaw_or_two_is_refused(service: Service, typed: str, reason: str) -> None:
    service.listing = ThawListing((WAITING, THAWING, dataclasses.replace(READY, thaw="77aa1")), ())
    for words in (["thaw", "approve", typed, "--yes"], ["thaw", "deny", typed]):
        error = types(*words).exception
        assert isinstance(error, OpsError)
        assert reason in str(error)
    assert service.asked == []


def test_a_thaw_is_declined(service: Service) -> None:
    assert "Declined: what carla-studio/photos-2018 asked for" in types("thaw", "deny", WAITING.thaw).stdout
    assert service.asked == [("thaw_deny", {"thaw": WAITING.thaw})]


# ---------------------------------------------------------------- with a running service

VOLUME = "data_duplicity-full.20261101T000000Z.vol1.difftar.gpg"
WANTED = {"volumes": [{"set": "full.20261101T000000Z", "numbers": "1"}]}


class Laptop:
    """A machine that is enrolled, with an archived volume and no budget for thaws."""

    def __init__(self, owner: Owner, name: str) -> None:
        code = owner.asks("machine", "add", name, "--thaw-budget", "0")["code"]
        headers = {"Authorization": f"Bearer {enrolled(owner.stack.api_url, name, code)}"}
        self._client = httpx.Client(
            base_url=owner.stack.api_url, headers=headers, timeout=60, trust_env=False
        )
        owner.client("s3").put_object(
            Bucket=owner.stack.bucket,
            Key=f"{name}/system/{VOLUME}",
            Body=b"v" * 200_000,
            StorageClass="DEEP_ARCHIVE",
        )

    def asks_for_a_thaw(self) -> str:
        """Which waits for the owner; its id."""
        thaw = str(self._client.post("/jobs/system/thaws", json=WANTED).json()["thaw"])
        start = {"tier": "Bulk", "max_usd": 1.0}
        refused = self._client.post(f"/jobs/system/thaws/{thaw}/start", json=start)
        assert refused.status_code == 403, refused.text
        assert f"python -m ops thaw approve {thaw}" in refused.json()["message"]
        return thaw


def test_an_approved_thaw_comes_back_and_a_declined_one_does_not(owner: Owner) -> None:
    laptop = Laptop(owner, "attic-photos")
    thaw = laptop.asks_for_a_thaw()
    assert "attic-photos/system: waits for your approval" in owner.types("thaw", "list").stdout
    due = owner.asks("alerts", "preview")["mail"]  # before the mails: what is not due any more was sent
    sent = [mail.text for mail in received_mails(owner.stack.endpoint)]
    assert any(f"thaw approve {thaw}" in text for text in [*sent, due["text"] if due else ""])
    assert "Declined" in owner.types("thaw", "deny", thaw).stdout
    late = owner.types("thaw", "approve", thaw, "--yes").exception
    assert isinstance(late, OpsError)
    assert "does not wait, it is ended. The owner declined it." in str(late)

    assert laptop.asks_for_a_thaw() == thaw
    assert owner.asks("thaw", "approve", thaw[:8], "--yes")["state"] == "asking"
    assert "already:" in owner.types("thaw", "approve", thaw).stdout

    def state() -> str:
        [row] = [row for row in owner.asks("thaw", "list")["thaws"] if row["thaw"] == thaw]
        return str(row["state"])

    give_up_at = time.monotonic() + ENOUGH_SECONDS
    while state() != "ready":
        assert time.monotonic() < give_up_at, owner.types("thaw", "list").stdout
        time.sleep(0.5)
    listed = owner.types("thaw", "list").stdout
    assert "attic-photos/system: can be downloaded" in listed
    assert re.search(r"attic-photos: \$0.00 of \$0.00, and \$0.00\d\d approved by you", listed)
    _, _, restores = owner.asks("report", "preview")["text"].partition("RESTORES FROM THE ARCHIVE")
    assert "attic-photos / system: $0.00" in restores
