"""The first ``ops deploy`` on the local stack, with only the deployer's policy: stopped again and again, then complete.

One account goes through it, so the tests build on each other, in the order in which they stand. The file
``test_deploy_again.py`` goes on with changes and the end.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from ops.cli import commands
from ops.deploy import pipeline as deploy
from ops.deploy.deployer_policy import deployer_policy
from ops.errors import OpsError
from ops.functions.chalice_record import find_rest_api
from ops.functions.queue_mappings import event_source_mappings
from ops.functions.roles import role_name
from tests.end_to_end.conftest import PROGRAMS, Machine
from tests.ops.deployer_account import (
    ANSWERS,
    HOME,
    Account,
    PulledPlug,
    allow,
    listed_calls,
    new_account,
    pull_plug_in,
)


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    with new_account(tmp_path_factory.mktemp("account")) as account:
        yield account


# ---------------------------------------------------------------- before anything is made


def test_without_rights_nothing_is_made_and_the_missing_ones_are_named(account: Account) -> None:
    iam = account.client("iam")
    try:
        allow(iam, [])
        result = account.types("deploy", *ANSWERS, "--yes")
        assert "may not do what deploying needs: iam:SimulatePrincipalPolicy." in str(result.exception)
        allow(iam, [{"Effect": "Allow", "Action": "iam:SimulatePrincipalPolicy", "Resource": "*"}])
        result = account.types("deploy", *ANSWERS, "--yes")
        assert "may not do what deploying needs: cloudformation:CreateChangeSet" in str(result.exception)
        assert "--policy` prints the policy" in str(result.exception)
    finally:
        allow(iam, deployer_policy(HOME)["Statement"])
    assert account.client("cloudformation").describe_stacks()["Stacks"] == []


def test_the_policy_it_prints_is_the_one_that_these_tests_are_made_with(account: Account) -> None:
    printed = account.types("deploy", *ANSWERS, "--yes", "--policy")
    assert json.loads(printed.output) == deployer_policy(HOME)


def test_the_plan_shows_everything_and_makes_nothing(account: Account) -> None:
    before = {path: path.read_bytes() for path in (account.project / ".chalice").rglob("*.json")}
    plan = account.asks("deploy", *ANSWERS, "--plan")["changes"]
    assert len(plan) == len(deploy.STEPS)
    assert [title for title, lines in plan.items() if not lines] == [deploy.ADOPTED.title]
    assert account.client("cloudformation").describe_stacks()["Stacks"] == []
    assert account.client("s3").list_buckets()["Buckets"] == []
    assert {path: path.read_bytes() for path in (account.project / ".chalice").rglob("*.json")} == before


QUESTIONS = {
    "AWS region (eu-central-1 is Frankfurt, us-east-1 Virginia)": "us-east-1",
    "Your mail address, for the weekly mail and alarms": "ada@example.org",
    "What it may cost a month, in USD (none: no budget)": "5",
    "Your time zone, such as Europe/Berlin": "Europe/Berlin",
    "Continue? [Y/n]": "n",
}


def test_five_things_are_asked_and_no_more(account: Account) -> None:
    where = ("--endpoint", str(account.aws.endpoint), "--project", str(account.project))
    typed = "".join(f"{answer}\n" for answer in QUESTIONS.values())
    result = CliRunner().invoke(commands, ["deploy", "--stage", "home", *where], input=typed)
    endings = tuple(f": {answer}" for answer in QUESTIONS.values())
    dialogue = [line for line in result.output.splitlines() if line.endswith(endings)]
    assert dialogue == [f"{question}: {answer}" for question, answer in QUESTIONS.items()], result.output
    assert account.client("cloudformation").describe_stacks()["Stacks"] == []


def test_what_cannot_be_read_is_asked_again(account: Account) -> None:
    typed = ["ada", "ada@example.org", "a lot", "5", "Berlin", "Europe/Berlin"]
    result = account.types("deploy", "--policy", answers="\n".join(typed) + "\n")
    assert len(re.findall(r"(?m)^(Your|What it may)", result.output)) == len(typed)  # three, each asked twice
    assert "'ada' is no mail address" in result.output
    assert "'a lot' is no amount of USD" in result.output
    assert "'Berlin' is no time zone" in result.output
    assert result.exit_code == 0
    assert account.client("cloudformation").describe_stacks()["Stacks"] == []


# ---------------------------------------------------------------- from nothing, broken off again and again


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", [deploy.RESOURCES, deploy.ROLES, deploy.FILES])
def test_it_can_be_broken_off_at_the_first_steps(
    account: Account, monkeypatch: pytest.MonkeyPatch, step: deploy.DeployStep, when: str
) -> None:
    pull_plug_in(monkeypatch, step, when)
    with pytest.raises(PulledPlug):
        pytest.fail(str(account.types("deploy", *ANSWERS, "--yes").exception))


def test_from_then_on_it_knows_what_was_chosen(account: Account) -> None:
    plan = account.asks("deploy", "--plan")["changes"]
    assert [title for title, changes in plan.items() if not changes] == [
        deploy.RESOURCES.title,
        deploy.ROLES.title,
        deploy.FILES.title,
        deploy.ADOPTED.title,
    ]


@pytest.mark.parametrize(
    "call",
    [
        pytest.param("iam:PutRolePolicy", marks=pytest.mark.soak),
        "lambda:CreateEventSourceMapping",
        pytest.param("lambda:AddPermission", marks=pytest.mark.soak),
        pytest.param("apigateway:ImportRestApi", marks=pytest.mark.soak),
        pytest.param("apigateway:CreateDeployment", marks=pytest.mark.soak),
    ],
)
def test_it_can_be_killed_while_chalice_deploys(
    account: Account, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Chalice records nothing of a first deploy that did not end: the next one finds what there is."""
    monkeypatch.setenv("PROBE_DIE_AFTER", call)
    result = account.types("deploy", *ANSWERS, "--yes")
    assert isinstance(result.exception, OpsError)
    assert call in account.calls.read_text(), result.exception


@pytest.mark.parametrize(
    ("step", "when"),
    [
        (deploy.FUNCTIONS, "after"),
        (deploy.FINISH, "before"),
        (deploy.FINISH, "after"),
        (deploy.CLIENT, "before"),
    ],
)
def test_it_can_be_broken_off_at_the_last_steps(
    account: Account, monkeypatch: pytest.MonkeyPatch, step: deploy.DeployStep, when: str
) -> None:
    pull_plug_in(monkeypatch, step, when)
    with pytest.raises(PulledPlug):
        pytest.fail(str(account.types("deploy", "--yes").exception))


def test_in_the_end_all_is_there_once_and_well(account: Account) -> None:
    answer = account.asks("deploy", "--yes")
    assert [check for check in answer["checks"] if not check["ok"]] == []
    assert set(account.deployed_functions()) == set(HOME.functions.values())
    assert len(event_source_mappings(account.aws, HOME, "catalogue")) == 1
    assert len(account.client("apigateway").get_rest_apis()["items"]) == 1
    functions, iam = account.client("lambda"), account.client("iam")
    limits = {
        name: functions.get_function(FunctionName=name).get("Concurrency", {})
        for name in HOME.functions.values()
    }
    assert {name: one["ReservedConcurrentExecutions"] for name, one in limits.items() if one} == {
        HOME.prefix: 100,
        HOME.function("authorizer"): 50,
    }
    bounds = [
        iam.get_role(RoleName=role_name(HOME, one))["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"]
        for one in HOME.functions
    ]
    assert set(bounds) == {HOME.boundary_arn}
    assert answer["code"]
    assert answer["api_url"] == account.api()
    account.first = answer


def test_the_first_machine_asks_three_things_up_to_its_first_sealed_set(
    account: Account, tmp_path: Path
) -> None:
    """``test_from_a_clone.py`` types all of it, installing included."""
    laptop = Machine("laptop", tmp_path, tmp_path / "gnupg")
    laptop.gpg.mkdir(mode=0o700)
    laptop.source.mkdir()
    (laptop.source / "letter.txt").write_text("Dear Ben,\n")
    answers = [str(laptop.source), "a b c", "a b c"]
    for words, said in (
        (("enrol", account.first["api_url"], account.first["code"]), answers),
        (("backup",), []),
    ):
        environment = {name: value for name, value in laptop.environment().items() if name != "PASSPHRASE"}
        ended = subprocess.run(
            [str(PROGRAMS / "panicroom"), *words],
            env=environment,
            input="".join(f"{one}\n" for one in said),
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
    keys = [one["Key"] for one in account.client("s3").list_objects_v2(Bucket=HOME.bucket)["Contents"]]
    assert any(key.startswith("laptop/system/meta_") and ".manifest" in key for key in keys)
    assert len(QUESTIONS) + len(answers) <= 8


def test_the_api_answers_at_the_address_that_was_printed(account: Account) -> None:
    assert httpx.get(f"{account.api()}/machine", timeout=60).status_code == 401


def test_the_clients_wheel_can_be_fetched_without_credentials(account: Account) -> None:
    answer = account.asks("deploy", "--yes")
    url, _, digest = answer["client_url"].partition("#sha256=")
    assert ".whl?" in url
    wheel = httpx.get(url, timeout=60).content
    assert wheel[:2] == b"PK"
    assert hashlib.sha256(wheel).hexdigest() == digest, "which pip compares"
    assert "duplicity==3.2.1" in httpx.get(answer["client_requirements_url"], timeout=60).text


def test_a_wheel_that_somebody_else_put_beside_it_is_not_handed_out(account: Account) -> None:
    before = account.asks("deploy", "--yes")["client_url"].partition("?")[0]
    folder = re.sub(r".*(_service/client/.*/).*", r"\1", before)
    account.client("s3").put_object(Bucket=HOME.bucket, Key=f"{folder}aaa-9.9.9-py3-none-any.whl", Body=b"PK")
    assert account.asks("deploy", "--yes")["client_url"].partition("?")[0] == before


def test_a_second_machine_gets_whole_lines_to_type(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where boto3 finds the account by its own settings, as in the cloud shell."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", str(account.aws.endpoint))
    monkeypatch.setenv("AWS_DEFAULT_REGION", HOME.region)
    printed = CliRunner().invoke(commands, ["machine", "add", "desktop", "--stage", "home"]).output
    api = find_rest_api(account.aws, HOME)
    by_digest = r"--pip-args='--require-hashes --constraint http\S*/requirements\.txt\?[^\s']*'"
    wheel = r"'http[^\s']*\.whl\?[^\s']*#sha256=[0-9a-f]{64}'"
    assert re.search(rf"(?m)^  pipx install --force {by_digest} {wheel}$", printed)
    assert re.search(rf"(?m)^  panicroom enrol https://{api}\S+ \S+$", printed)


def test_the_clients_wheel_is_no_stray(account: Account) -> None:
    report = json.loads(
        account.client("lambda")
        .invoke(FunctionName=HOME.function("admin"), Payload=b'{"command": "report_preview"}')["Payload"]
        .read()
    )
    assert "_service/" not in report["result"]["text"]


def test_it_called_nothing_that_its_policy_was_not_made_for(account: Account) -> None:
    """``test_deploy_again.py`` makes all calls of this list, and ``test_templates.py`` compares the policy with it."""
    assert account.calls_made() <= listed_calls()
