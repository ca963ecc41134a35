"""The owner's commands about retention: what they show, ask and refuse."""

from __future__ import annotations

import dataclasses
import json
import types as python_types
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import boto3
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from chalicelib import wire
from chalicelib.adapters.stores.catalogue_store import CatalogueStore
from chalicelib.adapters.stores.machine_store import MachineStore
from chalicelib.adapters.stores.retention.retention_store import RetentionStore
from chalicelib.adapters.table import Table
from chalicelib.domain.backups.names import Location, SetId, manifest_file, signatures_file, volume_file
from chalicelib.domain.backups.tallies import Tally
from chalicelib.domain.retention.let_go import let_go_of
from chalicelib.owner_wire import (
    ChainRow,
    DropPlan,
    JobRetention,
    LetGoRow,
    LooseSet,
    RetentionListing,
    RetentionRan,
    UndoEnded,
)
from ops.buckets.let_go_files import BroughtBack, DropSurvey, Removed, StandsOver, StoredInClass
from ops.cli import commands
from ops.commands.retention import group, undo_and_drop
from ops.commands.retention.shown import show_preview
from ops.errors import OpsError
from tests.ops.conftest import Owner

OLD = ChainRow(
    chain="full.20260301T040000Z",
    sets=183,
    bytes=61 * 2**30,
    first_at="2026-03-01T04:10:00Z",
    newest_at="2026-08-28T04:02:00Z",
    verdict="needs_you",
    why="not_looked_at",
    reason="You have not looked at the job's chains since the newer full backup was stored. Look, and approve.",
    monthly=0.2441,
)
NEW = ChainRow(
    chain="full.20260829T040000Z",
    sets=93,
    bytes=58 * 2**30,
    first_at="2026-08-29T05:00:00Z",
    newest_at="2026-11-29T04:02:00Z",
    verdict="stays",
    why="no_successor",
    reason="Not enough newer full backups are there that can stand in for it.",
)
GOES = dataclasses.replace(
    OLD,
    verdict="goes",
    why=None,
    reason=None,
    goes_on="2027-03-03T05:45:00Z",
    final_on="2027-04-03T00:00:00Z",
    seen=True,
)
WAITS = dataclasses.replace(
    GOES,
    verdict="waits",
    why="no_successor",
    reason="A newer full backup must be 180 days old before it can stand in for this one: from 25 Feb 2027 on.",
)
HIDDEN = LetGoRow(
    machine="anna-laptop",
    job="system",
    chain="full.20250101T040000Z",
    sets=("full.20250101T040000Z", "inc.20250101T040000Z.to.20250201T040000Z"),
    state="hidden",
    begun_at="2026-11-20T05:45:00Z",
    final_on="2026-12-21T00:00:00Z",
    bytes=3 * 2**30,
    files=8,
    bucket="attic",
    prefix="anna-laptop/system/",
)
ANNA = JobRetention("anna-laptop", "system", 1, 0, 0, (OLD, NEW), (), "digest-1")
ONE_CHAIN = JobRetention("ben", "system", 1, 0, 0, (NEW,), (), "digest-2")
PLAN = DropPlan(
    "anna-laptop", "system", OLD.chain, "chain", (OLD.chain,), OLD.bytes, 8, "attic", "a/", "DEEP_ARCHIVE", 7
)
SURVEY = DropSurvey(
    (
        StoredInClass("DEEP_ARCHIVE", Tally(6, 60 * 2**30), Decimal("0.21")),
        StoredInClass("STANDARD", Tally(2, 2**30), Decimal(0)),
    ),
    Tally(),
    None,
)


@dataclasses.dataclass
class Service:
    """Stands for the admin function: answers by command, in order, and remembers what it was asked."""

    answers: dict[str, Any]
    asked: list[tuple[str, dict[str, Any]]] = dataclasses.field(default_factory=list)

    def ask(self, shape: type[Any], command: str, **arguments: Any) -> Any:
        self.asked.append((command, {name: one for name, one in arguments.items() if one is not None}))
        answer = self.answers[command]
        if isinstance(answer, Exception):
            raise answer
        return wire.from_json(shape, json.loads(json.dumps(dataclasses.asdict(answer))))

    def was_asked(self, command: str) -> list[dict[str, Any]]:
        return [arguments for name, arguments in self.asked if name == command]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    made = Service({"retention_preview": RetentionListing((ANNA,), zone="Europe/Berlin")})
    for module in (group, undo_and_drop):
        monkeypatch.setattr(module, "admin_client", lambda *_: made)
    return made


@pytest.fixture
def s3_work(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the owner's own credentials do in the bucket, and what they find there."""
    work: dict[str, Any] = {
        "bring_back_let_go": BroughtBack(8, ()),
        "survey": SURVEY,
        "remove_for_good": Removed(Tally(8, 61 * 2**30), Tally(), None),
        "done": [],
    }

    def does(name: str) -> Callable[..., Any]:
        def did(*_: Any) -> Any:
            work["done"].append(name)
            return work[name]

        return did

    deployed = python_types.SimpleNamespace(
        aws=python_types.SimpleNamespace(client=lambda _: None),
        stage=python_types.SimpleNamespace(region="us-east-1"),
        function=lambda _: None,
    )
    monkeypatch.setattr(undo_and_drop, "deployed_stage", lambda *_: deployed)
    monkeypatch.setattr(undo_and_drop, "reconcile", lambda *_: work["done"].append("reconcile"))
    for name in ("bring_back_let_go", "survey", "remove_for_good"):
        monkeypatch.setattr(undo_and_drop, name, does(name))
    return work


def types(*words: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(commands, ["retention", *words], input=answer)


def refused(result: Result) -> str:
    assert result.exit_code == 1
    assert isinstance(result.exception, OpsError), result.exception
    return str(result.exception)


class TestPreview:
    def test_says_what_a_chain_is_and_what_becomes_of_each(self, service: Service) -> None:
        said = " ".join(types("preview").stdout.replace("│", " ").split())
        assert "A chain is a full backup with all increments that continue it" in said
        assert "is final, that is removed for good, 30 days later" in said
        assert "`python -m ops retention undo MACHINE JOB CHAIN`" in said
        assert "anna-laptop/system: 2 chains, never approved" in said
        assert "1 Mar 2026 to 183 61 GB $0.24" in said
        assert "Waits for you." in said
        assert "1 job waits for you: `python -m ops retention approve anna-laptop system`" in said
        assert "Stays: it is the newest." in " ".join(narrow(service.answers["retention_preview"]).split())

    def test_where_several_jobs_wait_it_gives_the_line_for_all_of_them(self, service: Service) -> None:
        jobs = (ANNA, dataclasses.replace(ANNA, machine="ben"))
        said = " ".join(narrow(RetentionListing(jobs)).split())
        assert "2 jobs wait for you:" in said
        assert "`python -m ops retention approve` shows all of them, and asks once" in said

    def test_a_job_with_nothing_to_say_is_only_counted(self, service: Service) -> None:
        others = tuple(dataclasses.replace(ONE_CHAIN, machine=f"laptop-{number}") for number in range(40))
        service.answers["retention_preview"] = RetentionListing((ANNA, *others))
        said = types("preview").stdout
        assert "laptop-7" not in said
        assert "40 other jobs keep all that there is: nothing goes, and nothing waits for you." in said
        service.answers["retention_preview"] = RetentionListing(others)
        assert types("preview").stdout.strip().splitlines() == [
            "40 jobs keep all that there is: nothing goes, and nothing waits for you."
        ]

    def test_a_job_that_was_asked_for_by_name_is_shown_whole(self, service: Service) -> None:
        service.answers["retention_preview"] = RetentionListing((ONE_CHAIN,))
        assert "ben/system: 1 chain, never approved" in types("preview", "ben").stdout
        assert service.asked == [("retention_preview", {"name": "ben"})]

    @pytest.mark.parametrize(
        ("row", "words"),
        [
            (
                GOES,
                "Goes at the next run, on 3 Mar 2027, unless Object Lock keeps it still; final on 3 Apr 2027.",
            ),
            (WAITS, "It goes on 3 Mar 2027 at the earliest, and would be final on 3 Apr 2027."),
            (dataclasses.replace(NEW), "Stays. Not enough newer full backups"),
            (OLD, "Waits for you. You have not looked"),
        ],
    )
    def test_each_verdict_is_said_in_words_with_its_days(
        self, service: Service, row: ChainRow, words: str
    ) -> None:
        job = dataclasses.replace(ANNA, chains=(row, NEW))
        service.answers["retention_preview"] = RetentionListing((job,), zone="Europe/Berlin")
        said = " ".join(narrow(service.answers["retention_preview"]).split())
        assert words in said

    def test_days_are_those_of_the_owners_zone(self, service: Service) -> None:
        late = dataclasses.replace(NEW, first_at="2026-08-29T23:30:00Z", newest_at="2026-08-29T23:30:00Z")
        listing = RetentionListing((dataclasses.replace(ANNA, chains=(late,)),), zone="Europe/Berlin")
        assert "30 Aug 2026" in narrow(listing)

    def test_what_was_let_go_and_what_is_in_no_chain_is_said(self, service: Service) -> None:
        loose = (
            LooseSet("full.20260902T040000Z", "unfinished", 2**20),
            LooseSet("full.20260903T040000Z", "in quarantine", 2**20),
        )
        job = dataclasses.replace(ANNA, let_go=(HIDDEN,), loose=loose, held=True)
        said = narrow(RetentionListing((job,), zone="Europe/Berlin"))
        assert "it can be brought back until 21 Dec 2026" in " ".join(said.split())
        assert "2 sets (1 unfinished, 1 in quarantine), 2 MB" in " ".join(said.split())
        assert "You hold all of this job" in said
        assert "`python -m ops retention hold anna-laptop system --release` releases it" in said

    def test_of_a_chain_that_is_held_the_line_that_releases_it_is_said(self, service: Service) -> None:
        reason = "You hold it: it stays until you release it."
        held = dataclasses.replace(OLD, verdict="waits", why="held", reason=reason, held=True)
        said = " ".join(narrow(RetentionListing((dataclasses.replace(ANNA, chains=(held, NEW)),))).split())
        assert f"Stays. {reason}" in said
        assert f"`python -m ops retention hold anna-laptop system {OLD.chain} --release` releases it" in said

    @pytest.mark.parametrize("width", [60, 80, 120])
    def test_no_line_is_wider_than_the_terminal(self, width: int) -> None:
        many = dataclasses.replace(ANNA, machine="w" * 20, chains=(OLD, WAITS, GOES, NEW), let_go=(HIDDEN,))
        said = narrow(RetentionListing((many, ONE_CHAIN), zone="Europe/Berlin"), width)
        lines = [line for line in said.splitlines() if "python -m ops" not in line]
        assert max(map(len, lines)) <= width
        assert OLD.chain in said  # whole, to be typed

    def test_the_json_has_all_of_it(self, service: Service) -> None:
        answer = json.loads(types("preview", "--json").stdout)
        assert answer["jobs"][0]["chains"][0]["chain"] == OLD.chain


def narrow(listing: RetentionListing, width: int = 60) -> str:
    """What is printed at a terminal so wide."""
    console = Console(
        width=width, force_terminal=True, color_system=None, soft_wrap=True, record=True, highlight=False
    )
    with pytest.MonkeyPatch.context() as patch:
        for module in ("ops.commands.arguments.options", "ops.commands.retention.shown"):
            patch.setattr(f"{module}.console", console)
        show_preview(listing, "local", whole=True)
    return console.export_text()


class TestApprove:
    @pytest.fixture(autouse=True)
    def _answers(self, service: Service) -> None:
        after = dataclasses.replace(ANNA, chains=(WAITS, dataclasses.replace(NEW, seen=True)))
        service.answers["retention_approve"] = RetentionListing((after,), zone="Europe/Berlin")

    def test_says_what_it_means_before_it_asks_and_what_comes_next(self, service: Service) -> None:
        result = types("approve", answer="y\n")
        assert result.exit_code == 0, result.exception
        before, _, after = result.stdout.partition("Approve anna-laptop/system?")
        assert "I have seen these backups, and they are mine." in before
        assert "nothing ever goes that has no newer one among them" in before
        assert "Not approving costs money only." in before
        assert (
            "Approved: anna-laptop/system. The next chain goes on 3 Mar 2027 at the earliest; weekly" in after
        )
        looks = [{"machine": "anna-laptop", "job": "system", "digest": "digest-1"}]
        assert service.was_asked("retention_approve") == [{"looks": looks}]

    @pytest.mark.parametrize("answer", ["n\n", "\n", ""])
    def test_whoever_does_not_say_yes_approves_nothing(self, service: Service, answer: str) -> None:
        assert types("approve", answer=answer).exit_code == 1
        assert service.was_asked("retention_approve") == []

    def test_only_jobs_in_which_it_changes_something_are_shown_and_approved(self, service: Service) -> None:
        service.answers["retention_preview"] = RetentionListing((ONE_CHAIN, ANNA))
        result = types("approve", "--yes")
        assert "ben/system" not in result.stdout
        [asked] = service.was_asked("retention_approve")
        assert [look["machine"] for look in asked["looks"]] == ["anna-laptop"]

    def test_a_job_that_is_named_is_approved_with_its_only_chain(self, service: Service) -> None:
        service.answers["retention_preview"] = RetentionListing((ONE_CHAIN,))
        service.answers["retention_approve"] = RetentionListing((ONE_CHAIN,))
        assert types("approve", "ben", "system", "--yes").exit_code == 0

    @pytest.mark.parametrize(
        ("job", "reason"),
        [
            (dataclasses.replace(ANNA, chains=()), "there is no finished backup yet"),
            (dataclasses.replace(ANNA, chains=(GOES,)), "no old backup waits for your look"),
        ],
    )
    def test_nothing_to_approve_is_said(self, service: Service, job: JobRetention, reason: str) -> None:
        service.answers["retention_preview"] = RetentionListing((job,))
        for words in (["approve"], ["approve", "anna-laptop", "system"]):
            result = types(*words)
            assert (result.exit_code, result.stdout) == (0, f"Nothing to approve: {reason}.\n")

    def test_a_list_that_changed_meanwhile_is_refused_with_what_changed(self, service: Service) -> None:
        grown = dataclasses.replace(NEW, sets=94, bytes=59 * 2**30)
        newer = dataclasses.replace(NEW, chain="full.20261130T040000Z", first_at="2026-11-30T04:00:00Z")
        after = dataclasses.replace(ANNA, chains=(grown, newer))
        service.answers["retention_approve"] = RetentionListing((after,), ("anna-laptop/system",))
        said = refused(types("approve", "--yes"))
        assert "anna-laptop/system was not approved, it has changed" in said
        assert "full.20261130T040000Z is new, stored on 30 Nov 2026" in said
        assert f"{OLD.chain} is not there any more" in said
        assert f"{NEW.chain} had 93 sets, 58 GB; now 94 sets, 59 GB" in said

    def test_what_is_wrong_with_a_job_is_said_loudly_before_it_asks(self, service: Service) -> None:
        job = dataclasses.replace(ANNA, critical=("A set is dated\n30 days ahead.",))
        service.answers["retention_preview"] = RetentionListing((job,))
        before = types("approve", answer="n\n").stdout.partition("Approve anna")[0]
        assert "LOOK FIRST: something is wrong with anna-laptop/system." in before
        assert "A set is dated\\n30 days ahead." in before
        assert "do not approve: `python -m ops set quarantine anna-laptop system SET`" in before
        assert "LOOK FIRST" in types("approve", "--yes", "--json").stderr

    def test_a_chain_is_named_by_a_date_and_what_that_means_is_said(self, service: Service) -> None:
        result = types("approve", "anna-laptop", "system", "2026-03-01", answer="y\n")
        assert f"You name {OLD.chain}: it may go even if" in result.stdout
        assert service.was_asked("retention_approve")[0]["chain"] == OLD.chain

    @pytest.mark.parametrize(
        ("typed", "words"),
        [
            ("2019", f"There is: {OLD.chain}, {NEW.chain}."),
            ("2026", "2026 names several of anna-laptop/system"),
        ],
    )
    def test_a_chain_that_is_none_or_several_is_refused_before_anything_is_asked(
        self, service: Service, typed: str, words: str
    ) -> None:
        assert words in refused(types("approve", "anna-laptop", "system", typed))

    def test_one_that_was_let_go_is_refused_with_until_when_it_comes_back(self, service: Service) -> None:
        job = dataclasses.replace(ANNA, let_go=(HIDDEN,))
        service.answers["retention_preview"] = RetentionListing((job,))
        assert "can be brought back until 21 Dec 2026" in refused(
            types("approve", "anna-laptop", "system", HIDDEN.chain)
        )

    def test_what_is_held_stays_though_it_is_approved(self, service: Service) -> None:
        after = dataclasses.replace(ANNA, chains=(dataclasses.replace(WAITS, held=True), NEW))
        service.answers["retention_approve"] = RetentionListing((after,))
        assert "What you hold stays all the same" in types("approve", "--yes").stdout

    def test_the_json_is_alone_on_the_output_also_where_it_asks(self, service: Service) -> None:
        result = types("approve", "--json", answer="y\n")
        assert json.loads(result.stdout)["changed"] == []
        assert "Approve anna-laptop/system?" in result.stderr


class TestHold:
    @pytest.fixture(autouse=True)
    def _answers(self, service: Service) -> None:
        service.answers["retention_hold"] = RetentionListing((ANNA,))

    def test_a_chain_is_held_and_the_line_that_releases_it_is_said(self, service: Service) -> None:
        said = types("hold", "anna-laptop", "system", "20260301").stdout
        release = f"`python -m ops retention hold anna-laptop system {OLD.chain} --release`"
        assert said == f"You hold {OLD.chain} of anna-laptop/system: it stays until you type {release}.\n"
        assert service.was_asked("retention_hold") == [
            {"name": "anna-laptop", "job": "system", "chain": OLD.chain, "release": False}
        ]

    def test_a_job_is_held_as_a_whole(self, service: Service) -> None:
        assert "You hold all of anna-laptop/system" in types("hold", "anna-laptop", "system").stdout

    def test_released_it_is_decided_on_again(self, service: Service) -> None:
        said = types("hold", "anna-laptop", "system", OLD.chain, "--release").stdout
        assert said == f"Released: retention decides on {OLD.chain} of anna-laptop/system again.\n"

    def test_a_chain_of_a_held_job_stays_held(self, service: Service) -> None:
        service.answers["retention_hold"] = RetentionListing((dataclasses.replace(ANNA, held=True),))
        said = types("hold", "anna-laptop", "system", OLD.chain, "--release").stdout
        assert "you hold all of the job still" in said


class TestRun:
    def test_says_what_went_and_how_it_comes_back(self, service: Service) -> None:
        service.answers["retention_run"] = RetentionRan((HIDDEN,))
        said = types("run", "anna-laptop", "system").stdout
        assert "was let go on 20 Nov 2026: it can be brought back until 21 Dec 2026" in said
        assert f"`python -m ops retention undo anna-laptop system {HIDDEN.chain}` brings it back" in said

    def test_of_all_jobs_only_those_with_work_are_run(self, service: Service) -> None:
        due = dataclasses.replace(ONE_CHAIN, chains=(GOES, NEW))
        service.answers["retention_preview"] = RetentionListing((ANNA, due))
        service.answers["retention_run"] = RetentionRan((), ("ben/system: it waits.",))
        assert types("run").stdout == "ben/system: it waits.\n"
        assert service.was_asked("retention_run") == [{"name": "ben", "job": "system"}]

    def test_where_nothing_goes_it_says_so(self, service: Service) -> None:
        assert "Nothing goes now: `python -m ops retention preview`" in types("run").stdout


class TestUndo:
    @pytest.fixture(autouse=True)
    def _answers(self, service: Service, s3_work: dict[str, Any]) -> None:
        job = dataclasses.replace(ANNA, let_go=(HIDDEN,))
        service.answers["retention_preview"] = RetentionListing((job,))
        service.answers["retention_undo"] = dataclasses.replace(HIDDEN, state="undoing")
        service.answers["retention_undone"] = UndoEnded("anna-laptop", "system", HIDDEN.chain, True, "")

    def test_says_that_all_of_it_is_back_and_held(self, service: Service, s3_work: dict[str, Any]) -> None:
        result = types("undo", "anna-laptop", "system", "2025")
        assert result.exit_code == 0, result.exception
        assert f"{HIDDEN.chain} of anna-laptop/system is back, all 8 files" in result.stdout
        assert f"`python -m ops retention hold anna-laptop system {HIDDEN.chain} --release`" in result.stdout
        assert s3_work["done"] == ["bring_back_let_go", "reconcile"]

    def test_what_cannot_be_brought_back_whole_has_an_exit_code_and_words(
        self, service: Service, s3_work: dict[str, Any]
    ) -> None:
        message = "1 of the 8 files have been removed for good."
        service.answers["retention_undone"] = UndoEnded("anna-laptop", "system", HIDDEN.chain, False, message)
        result = types("undo", "anna-laptop", "system", HIDDEN.chain)
        assert result.exit_code == 2
        assert f"It cannot be brought back whole. {message}" in result.stdout
        assert "All of it stays hidden" in result.stdout
        assert f"`python -m ops retention drop anna-laptop system {HIDDEN.chain}` removes" in result.stdout
        as_json = types("undo", "anna-laptop", "system", HIDDEN.chain, "--json")
        assert (as_json.exit_code, json.loads(as_json.stdout)["is_back"]) == (2, False)

    def test_names_what_was_stored_over_it_with_the_command_that_removes_each(
        self, service: Service, s3_work: dict[str, Any]
    ) -> None:
        over = StandsOver("some-file", "anna-laptop/system/some file", "v-1")
        s3_work["bring_back_let_go"] = BroughtBack(7, (over,) * 12)
        service.answers["retention_undone"] = UndoEnded(
            "anna-laptop", "system", HIDDEN.chain, False, "Other."
        )
        result = types("undo", "anna-laptop", "system", HIDDEN.chain)
        line = "aws s3api delete-object --bucket attic --key 'anna-laptop/system/some file' --version-id v-1"
        assert result.stdout.count(f"{line}\n") == 10
        assert "2 more files after that" in result.stdout
        assert f"`python -m ops retention undo anna-laptop system {HIDDEN.chain}` goes on" in result.stdout
        assert "retention drop" not in result.stdout
        assert service.was_asked("retention_undone")[0]["replaced"] == ["some-file"] * 12

    def test_what_is_back_already_is_no_error(self, service: Service, s3_work: dict[str, Any]) -> None:
        result = types("undo", "anna-laptop", "system", "2026-03")
        assert result.exit_code == 0
        assert f"{OLD.chain} of anna-laptop/system is there: nothing is to be brought back." in result.stdout
        assert s3_work["done"] == []

    def test_a_name_of_nothing_is_refused_by_the_service(self, service: Service) -> None:
        service.answers["retention_undo"] = OpsError("There is: none.")
        assert refused(types("undo", "anna-laptop", "system", "2019")) == "There is: none."


class TestDrop:
    @pytest.fixture(autouse=True)
    def _answers(self, service: Service, s3_work: dict[str, Any]) -> None:
        service.answers["retention_drop_plan"] = PLAN
        for command in ("retention_drop", "retention_dropped"):
            service.answers[command] = HIDDEN

    def test_bytes_files_and_fee_are_said_before_the_name_is_typed(
        self, service: Service, s3_work: dict[str, Any]
    ) -> None:
        result = types("drop", "anna-laptop", "system", "2026-03", answer=f"{OLD.chain}\n")
        assert result.exit_code == 0, result.exception
        before, asked, after = result.stdout.partition("Type its whole name to remove it")
        assert asked
        assert (
            "remove the chain full.20260301T040000Z of anna-laptop/system for good: 1 set, 8 files, 61 GB"
            in before
        )
        fee = "AWS's fee for deleting it before its minimum stay: about $0.21"
        assert f"Glacier Deep Archive: 6 versions, 60 GB; {fee}" in before
        assert "There is no way back" in before
        assert "Removed for good: full.20260301T040000Z of anna-laptop/system, 8 files, 61 GB." in after
        assert s3_work["done"] == ["survey", "remove_for_good", "reconcile"]
        assert service.was_asked("retention_drop")[0]["sets"] == [OLD.chain]

    @pytest.mark.parametrize("answer", ["y\n", "full.2026\n", "\n", ""])
    def test_anything_but_the_whole_name_removes_nothing(
        self, service: Service, s3_work: dict[str, Any], answer: str
    ) -> None:
        assert types("drop", "anna-laptop", "system", OLD.chain, answer=answer).exit_code == 1
        assert s3_work["done"] == ["survey"]
        assert service.was_asked("retention_drop") == []

    def test_a_script_confirms_by_the_whole_name_and_there_is_no_yes(self, service: Service) -> None:
        words = ("drop", "anna-laptop", "system", OLD.chain)
        assert types(*words, "--yes").exit_code == 2
        assert "not full.20260301T040000Z" in refused(types(*words, "--confirm", "full.20260829T040000Z"))
        result = types(*words, "--confirm", OLD.chain, "--json")
        assert json.loads(result.stdout)["chain"] == HIDDEN.chain
        assert "There is no way back" in result.stderr

    @pytest.mark.parametrize(
        ("plan", "words"),
        [
            ({"leaves_none": True}, "THIS IS THE LAST ONE: anna-laptop/system has no other backup"),
            ({"is_newest": True}, "THIS IS THE NEWEST ONE: only older backups"),
            ({"what": "unfinished"}, "remove the set full.20260301T040000Z (unfinished)"),
        ],
    )
    def test_what_it_would_mean_is_said_loudly(
        self, service: Service, plan: dict[str, Any], words: str
    ) -> None:
        service.answers["retention_drop_plan"] = dataclasses.replace(PLAN, **plan)
        assert words in types("drop", "anna-laptop", "system", OLD.chain, answer="\n").stdout

    def test_what_a_lock_holds_back_is_said_before_and_after(
        self, service: Service, s3_work: dict[str, Any]
    ) -> None:
        until = datetime(2027, 1, 5, tzinfo=timezone.utc)
        s3_work["survey"] = dataclasses.replace(SURVEY, locked=Tally(3, 2**30), locked_until=until)
        s3_work["remove_for_good"] = Removed(Tally(5, 60 * 2**30), Tally(3, 2**30), until)
        result = types("drop", "anna-laptop", "system", OLD.chain, answer=f"{OLD.chain}\n")
        before, _, after = result.stdout.partition("Type its")
        assert "Object Lock holds 3 files (1 GB) back until 2027-01-05 00:00 UTC" in before
        assert "Object Lock holds 3 files (1 GB) back until 2027-01-05 00:00 UTC" in after

    def test_a_fee_that_is_not_known_is_said_so(self, service: Service, s3_work: dict[str, Any]) -> None:
        s3_work["survey"] = DropSurvey((StoredInClass("DEEP_ARCHIVE", Tally(6, 1), None),), Tally(), None)
        said = types("drop", "anna-laptop", "system", OLD.chain, answer="\n").stdout
        assert "what AWS charges for deleting it now is not known" in said


# ---------------------------------------------------------------- with a running service

OF_OWNER = "full.20240101T040000Z"


def test_a_chain_goes_comes_back_and_is_dropped_with_a_running_service(owner: Owner) -> None:
    """What retention does is played by hand, as a chain has to be half a year old; the rest is typed."""
    owner.asks("machine", "add", "shed", "--keep-days", "90", "--keep-yearly", "5")
    assert "its newest backup is 90 days old" in owner.types("machine", "show", "shed").stdout
    s3, place, set_id = (
        owner.client("s3"),
        Location(owner.stack.bucket, "shed/system/"),
        SetId.parse(OF_OWNER),
    )
    files = [volume_file(set_id, 1).name, signatures_file(set_id).name, manifest_file(set_id).name]
    for name in files:
        metadata = {"volumes": "1"} if "manifest" in name else {}
        tags = "" if name.startswith("meta_") else "panicroom-storage=glacier-ir-7d"
        s3.put_object(
            Bucket=place.bucket, Key=place.key(name), Body=b"x" * 900, Metadata=metadata, Tagging=tags
        )
    assert owner.types("reconcile", "--machine", "shed").exit_code == 0
    [job] = owner.asks("retention", "preview", "shed")["jobs"]
    assert [row["chain"] for row in job["chains"]] == [OF_OWNER]
    assert owner.types("retention", "approve", "shed", "system", "--yes").exit_code == 0
    assert "Nothing to approve" in owner.types("retention", "approve", "shed", "system").stdout
    assert "You hold" in owner.types("retention", "hold", "shed", "system", "2024").stdout
    ran = owner.asks("retention", "run", "shed", "system")
    assert ran["let_go"] == []

    _lets_go(owner, set_id, [place.key(name) for name in files])
    assert [row["state"] for row in owner.asks("retention", "preview", "shed")["jobs"][0]["let_go"]] == [
        "hidden"
    ]
    undone = owner.types("retention", "undo", "shed", "system", "2024")
    assert undone.exit_code == 0, undone.output or undone.exception
    assert f"{OF_OWNER} of shed/system is back, all 3 files" in undone.stdout
    [job] = owner.asks("retention", "preview", "shed")["jobs"]
    assert [(row["chain"], row["held"]) for row in job["chains"]] == [(OF_OWNER, True)]
    for name in files:
        tags = s3.get_object_tagging(Bucket=place.bucket, Key=place.key(name))["TagSet"]
        assert "panicroom-let-go" not in [tag["Key"] for tag in tags]

    dropped = owner.types("retention", "drop", "shed", "system", "2024", "--confirm", OF_OWNER)
    assert dropped.exit_code == 0, dropped.output or dropped.exception
    assert "THIS IS THE LAST ONE" in dropped.stdout
    left = s3.list_object_versions(Bucket=place.bucket, Prefix=place.prefix)
    assert ("Versions" in left, "DeleteMarkers" in left) == (False, False)
    assert owner.asks("retention", "preview", "shed")["jobs"][0]["chains"] == []


def _lets_go(owner: Owner, set_id: SetId, keys: list[str], machine: str = "shed") -> None:
    table = boto3.resource(
        "dynamodb",
        "us-east-1",
        endpoint_url=owner.stack.endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    rows = Table(table.meta.client, owner.stack.table)
    name = machine, "system"
    store, job = RetentionStore(rows), MachineStore(rows).jobs_named([name])[name]
    now = datetime.now(timezone.utc)
    row = let_go_of(*name, set_id, CatalogueStore(rows).sets(job), now)
    assert store.begin(row, job, store.choices(job))
    s3 = owner.client("s3")
    for key in keys:
        tags = s3.get_object_tagging(Bucket=owner.stack.bucket, Key=key)["TagSet"]
        ours = {"Key": "panicroom-let-go", "Value": "yes"}
        s3.put_object_tagging(Bucket=owner.stack.bucket, Key=key, Tagging={"TagSet": [*tags, ours]})
        s3.delete_object(Bucket=owner.stack.bucket, Key=key)
    assert store.record(dataclasses.replace(row, marked_at=now))


def test_days_to_keep_are_typed_with_or_without_their_unit() -> None:
    from ops.commands.arguments.retention_choice import parse_kept_days, policy_words

    assert [parse_kept_days(text) for text in ("90", "90d", "0", "2w")] == [90, 90, 0, 14]
    with pytest.raises(ValueError, match="no duration"):
        parse_kept_days("soon")
    assert policy_words(2, 90, 5) == (
        "an old chain may go when 2 newer chains that you approved can stand in for it and its newest backup is 90 days"
        " old; the first chain of each of the last 5 years stays"
    )
    assert timedelta(days=parse_kept_days("1w")) == timedelta(days=7)
