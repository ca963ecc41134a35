"""Groups of machines, typed: what they say, who is in them, and one command for all of a group."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

from chalicelib.domain.backups.machines import Job
from chalicelib.domain.backups.names import Location
from chalicelib.fleet_wire import MachineResult
from ops.cli import commands
from ops.commands.arguments.group_settings import check_service_knows_groups, parse_settings, sources_shown
from ops.commands.machines.of_group import show_results
from ops.errors import OpsError
from ops.resources.lifecycle import put_adopted_rules
from ops.service.lambda_function import FunctionFailed, LambdaFunction
from ops.stages import LOCAL
from tests.ops.conftest import Owner


def system(owner: Owner, machine: str) -> dict[str, Any]:
    [job] = owner.asks("machine", "show", machine)["jobs"]
    return dict(job)


def test_a_group_from_its_adding_to_its_end(owner: Owner) -> None:
    said = owner.types(
        "group", "add", "web", "--every", "4h", "--storage", "deep", "--keep-days", "90", "--thaw-budget", "5"
    ).stdout
    assert (
        "The group web is added; `python -m ops machine set NAME --group web` puts a machine into it." in said
    )
    owner.types("machine", "add", "web-1", "--group", "web", "--grace", "2h")
    owner.types("machine", "add", "web-2")
    assert owner.types("machine", "set", "web-2", "--group", "web").exit_code == 0
    shown = owner.types("machine", "show", "web-1").stdout
    assert "group: web\n" in shown
    assert "group web: thaw-budget; default: owner-mail" in shown
    assert "own: grace; group web: every, storage, keep" in shown

    said = owner.types(
        "group", "set", "web", "--every", "1h", "--owner-mail", "a@example.org,b@example.org"
    ).stdout
    assert "Machines and jobs that changed with it: web-1, web-1/system, web-2, web-2/system." in said
    assert owner.asks("machine", "show", "web-2")["owner_mail"] == "a@example.org, b@example.org"

    owner.types("machine", "add", "web-3", "--group", "web", "--owner-mail", "none")
    assert owner.asks("machine", "show", "web-3")["owner_mail"] is None
    owner.types("machine", "remove", "web-3", "--yes")

    owner.types("machine", "set", "web-2", "--every", "1d")
    assert system(owner, "web-2")["sources"]["period"] == "own"
    listed = owner.types("group", "list").stdout
    assert "web: 2 machines" in listed
    assert "move to Glacier Deep Archive 7 days after their upload (deep)" in listed
    assert "  web-2: its own are system: every\n" in owner.types("group", "show", "web").stdout
    owner.types("machine", "set", "web-2", "--as-group", "every", "--as-group", "keep")
    assert (system(owner, "web-2")["period_seconds"], system(owner, "web-2")["keep_days"]) == (3600, 90)

    refused = owner.types("group", "remove", "web").exception
    assert "The group web has 2 machines, such as web-1." in str(refused)
    assert owner.types("machine", "set", "web-1", "--group", "none").stdout == "web-1 is changed.\n"
    assert system(owner, "web-1")["archive_class"] == "GLACIER_IR"
    assert "is removed" in owner.types("group", "remove", "web", "--keep-settings").stdout
    assert system(owner, "web-2")["archive_class"] == "DEEP_ARCHIVE"
    assert "No group yet" in owner.types("group", "list").stdout


def test_one_command_for_all_of_a_group(owner: Owner) -> None:
    owner.types("group", "add", "lab")
    for name in ("lab-1", "lab-2"):
        owner.types("machine", "add", name, "--group", "lab")

    def statuses() -> set[str]:
        return {owner.asks("machine", "show", name)["status"] for name in ("lab-1", "lab-2")}

    paused = owner.types("machine", "pause", "--group", "lab", "--until", "2030-01-01", "--yes").stdout
    assert paused.splitlines() == [f"{name}: paused until 2030-01-01" for name in ("lab-1", "lab-2")]
    assert statuses() == {"paused"}
    resumed = owner.asks("machine", "resume", "--group", "lab", "--yes")
    assert [(one["machine"], one["error"]) for one in resumed] == [("lab-1", None), ("lab-2", None)]
    codes = {one["added"]["code"] for one in owner.asks("machine", "rotate", "--group", "lab", "--yes")}
    assert len(codes) == 2
    lines = owner.types("machine", "rotate", "--group", "lab", "--yes").stdout.splitlines()
    assert len([line for line in lines if line.startswith("  panicroom enrol http://127.0.0.1:")]) == 2
    owner.types("machine", "set", "--group", "lab", "--every", "2d", "--download-cap", "1GB", "--yes")
    assert system(owner, "lab-2")["sources"]["period"] == "own"
    revoked = owner.types("machine", "revoke", "--group", "lab", "--yes").stdout
    assert "lab-1: token revoked" in revoked
    assert statuses() == {"revoked"}


@pytest.mark.parametrize("command", ["pause", "resume", "revoke", "rotate"])
def test_the_machines_of_a_group_are_shown_before_anything_is_done(owner: Owner, command: str) -> None:
    name = f"asked-to-{command}"
    owner.types("group", "add", name)
    owner.types("machine", "add", name, "--group", name)
    words = ["machine", command, "--group", name, "--state", str(owner.state_folder)]
    for answer in ("n\n", ""):
        result = CliRunner().invoke(commands, words, input=answer)
        assert result.exit_code == 1
        assert result.output.startswith(f"{name}\n")
    assert owner.asks("machine", "show", name)["status"] == "not enrolled yet"
    assert CliRunner().invoke(commands, words, input="y\n").exit_code == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["pause"], "Give the name of a machine, or --group"),
        (["pause", "anna", "--group", "web"], "Give the name of a machine, or --group"),
        (["set"], "Give the name of a machine, or --group"),
        (["set", "--group", "web"], "Say what to change"),
        (["set", "anna"], "Say what to change"),
        (["set", "anna", "--as-group", "evry"], "'evry' is no setting: choose every, grace"),
        (["set", "anna", "--as-group", "\x1b[31m"], "is no setting"),
        (["add", "anna", "--group", "web", "--size", "5GB"], "name one with --storage"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anybody_is_asked(words: list[str], says: str) -> None:
    result = CliRunner().invoke(commands, ["machine", *words])
    assert result.exit_code == 2
    assert says in " ".join(result.output.split())
    assert "\x1b" not in result.output


@pytest.mark.parametrize(
    "words",
    [
        ("machine", "pause", "--group", "no-such-group", "--yes"),
        ("machine", "add", "anna-of-no-group", "--group", "no-such-group"),
        ("group", "show", "no-such-group"),
        ("group", "set", "no-such-group", "--every", "1d"),
        ("group", "remove", "no-such-group"),
    ],
)
def test_a_group_that_is_not_there_is_refused_with_what_there_is_to_type(
    owner: Owner, words: tuple[str, ...]
) -> None:
    error = owner.types(*words).exception
    assert isinstance(error, OpsError)
    assert "There is no group called no-such-group. `python -m ops group list` lists them" in str(error)


def test_rules_of_a_bucket_that_was_there_before_follow_the_group(owner: Owner) -> None:
    s3 = owner.client("s3")
    s3.create_bucket(Bucket="granary")
    s3.put_bucket_versioning(Bucket="granary", VersioningConfiguration={"Status": "Enabled"})
    owner.types("group", "add", "farm")
    added = owner.types(
        "machine", "add", "granary", "--bucket", "granary", "--prefix", "old/", "--empty", "--group", "farm"
    )
    assert added.exit_code == 0, added.output
    put_adopted_rules(s3, "granary", LOCAL, [Job("granary", "system", Location("granary", "old/"))])

    def moves() -> list[tuple[int, str]]:
        rules = s3.get_bucket_lifecycle_configuration(Bucket="granary")["Rules"]
        [ours] = [one for one in rules if one["Filter"].get("Prefix") == "old/data_"]
        return [(one["Days"], one["StorageClass"]) for one in ours["Transitions"]]

    said = owner.types("group", "set", "farm", "--storage", "deep", "--after", "90d").stdout
    assert "From now on, new volumes move to Glacier Deep Archive 90 days after their upload (deep)." in said
    assert "In granary, which was there before the service, the rule goes by names and not by tags" in said
    assert moves() == [(90, "DEEP_ARCHIVE")]
    owner.types("machine", "set", "granary", "--group", "none")
    assert moves() == [(7, "GLACIER_IR")]
    owner.types("machine", "set", "granary", "--group", "farm")
    assert moves() == [(90, "DEEP_ARCHIVE")]
    owner.types("machine", "remove", "granary", "--yes")
    owner.types("group", "remove", "farm")


def test_one_machine_that_failed_ends_the_command_with_1_after_all_were_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    results = [MachineResult("anna", "It failed: no."), MachineResult("ben")]
    with pytest.raises(SystemExit) as ended:
        show_results(results, False, "paused")
    assert ended.value.code == 1
    told = capsys.readouterr()
    assert "1 of 2 machines failed: anna." in told.err
    show_results(results[1:], False, "paused")


def test_a_change_that_died_half_way_says_what_to_type(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(function: LambdaFunction, payload: dict[str, Any]) -> Any:
        raise FunctionFailed(f"{function.name} failed: its time was up.")

    monkeypatch.setattr(LambdaFunction, "call", dies)
    error = owner.types("group", "set", "web", "--every", "1d").exception
    assert isinstance(error, OpsError)
    assert "`python -m ops group show web` says which. Type the command again." in str(error)


def test_where_values_come_from_is_one_line() -> None:
    assert sources_shown(
        {"period": "default", "storage": "group web", "retention": "own", "grace": "default"}
    ) == ("own: keep; group web: storage; default: every, grace")


def test_all_is_every_setting() -> None:
    assert parse_settings("all") == ["period", "grace", "storage", "retention", "thaw_budget", "owner_mail"]


def test_a_service_that_knows_no_groups_is_noticed() -> None:
    check_service_knows_groups(None, None)
    check_service_knows_groups("web", "web")
    with pytest.raises(OpsError, match="deploy it first"):
        check_service_knows_groups("web", None)
