"""``ops deploy`` and ``destroy`` on the local stand-in, with nothing but the deployer's minimal policy.

One account goes through its whole life here, so the tests build on each other, in the order in which they stand.
"""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.client
import httpx
import pytest
from click.testing import CliRunner, Result

from ops.aws import Aws
from ops.cli import commands
from ops.deploy import pipeline as deploy
from ops.deploy.deployer_policy import deployer_policy
from ops.doctor.checks import admin
from ops.errors import OpsError
from ops.functions.chalice_record import api_url, find_rest_api
from ops.functions.package import PROJECT, run_chalice
from ops.functions.queue_mappings import event_source_mappings
from ops.local.ministack import HOST, StandIn, free_port
from ops.local.ministack_api import importing_api_gateway
from ops.resources.lifecycle import wanted_rules
from ops.stages import Stage
from ops.steps import Say
from tests.end_to_end.conftest import PROGRAMS, Machine

CALLS_FILE = Path(__file__).with_name("deployer_calls.txt")
PROBE = Path(__file__).parent / "probe"
HOME = Stage(
    name="home",
    account="000000000000",
    region="us-east-1",
    sender="ada@example.org",
    recipients=("ada@example.org", "grace@example.org"),
    time_zone="Europe/Berlin",
    monthly_budget="5",
    on_stand_in=True,
)
ANSWERS = ("--mail", "ada@example.org,grace@example.org", "--budget", "5", "--time-zone", "Europe/Berlin")


@dataclasses.dataclass
class Account:
    """An AWS account that MiniStack plays, a deployer with no other right than the policy's, and a clone."""

    aws: Aws
    """With the account's root keys, to look behind what the deployer did."""
    project: Path
    calls: Path
    first: dict[str, Any] = dataclasses.field(default_factory=dict)
    """What the deploy that came through said of the first machine."""

    def types(self, *words: str, answers: str = "") -> Result:
        where = ("--endpoint", str(self.aws.endpoint), "--region", HOME.region)
        project = () if "--policy" in words else ("--project", str(self.project))
        return CliRunner().invoke(
            commands, [words[0], "--stage", "home", *words[1:], *where, *project], input=answers
        )

    def asks(self, *words: str) -> Any:
        result = self.types(*words, "--json")
        assert result.exit_code == 0, result.output or result.exception
        return json.loads(result.stdout)

    def client(self, service: str) -> Any:
        return self.aws.client(service)

    def deployed_functions(self) -> dict[str, str]:
        """Name -> when it was last changed."""
        functions = self.client("lambda").list_functions()["Functions"]
        return {one["FunctionName"]: one["LastModified"] for one in functions}

    def everything(self) -> dict[str, Any]:
        """What a deploy could change, as far as it has times or contents."""
        api = find_rest_api(self.aws, HOME)
        [stack] = self.client("cloudformation").describe_stacks()["Stacks"]
        return {
            "functions": self.deployed_functions(),
            "stack": stack["LastUpdatedTime"],
            "mappings": [one["UUID"] for one in event_source_mappings(self.aws, HOME, "catalogue")],
            "deployments": self.client("apigateway").get_deployments(restApiId=api)["items"],
            "files": {
                str(path.relative_to(self.project)): path.read_bytes()
                for path in (self.project / ".chalice").rglob("*.json")
            },
        }

    def api(self) -> str:
        found = find_rest_api(self.aws, HOME)
        assert found is not None
        return api_url(self.aws, HOME, found)


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    folder = tmp_path_factory.mktemp("account")
    project = folder / "clone"
    project.mkdir()
    for name in ("app.py", "requirements.txt"):
        shutil.copy(PROJECT / name, project)
    shutil.copytree(
        PROJECT / "chalicelib", project / "chalicelib", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copytree(PROJECT / ".chalice", project / ".chalice", ignore=shutil.ignore_patterns("deploy*"))
    stand_in = StandIn(folder)
    port = free_port()
    stand_in.start(port, enforce_iam=True)
    calls = folder / "calls"
    calls.touch()
    patch = pytest.MonkeyPatch()
    try:
        aws = Aws(HOME.region, f"http://{HOST}:{port}")
        for name, value in keys_of_a_deployer(aws).items():
            patch.setenv(name, value)
        patch.setenv("PYTHONPATH", str(PROBE))
        patch.setenv("PROBE_CALLS", str(calls))
        note_calls_of_this_process(patch, calls)
        yield Account(aws, project, calls)
    finally:
        patch.undo()
        stand_in.stop()


def keys_of_a_deployer(aws: Aws) -> dict[str, str]:
    iam = aws.client("iam")
    iam.create_user(UserName="deployer")
    allow(iam, deployer_policy(HOME)["Statement"])
    keys = iam.create_access_key(UserName="deployer")["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": keys["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"]}


def allow(iam: Any, statements: list[Any]) -> None:
    """Gives the deployer these rights and no others."""
    # An empty policy is none for the stand-in.
    nothing = {"Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": statements or [nothing]}
    iam.put_user_policy(UserName="deployer", PolicyName="deploying", PolicyDocument=json.dumps(document))


def note_calls_of_this_process(patch: pytest.MonkeyPatch, calls: Path) -> None:
    """Those of the deployer: the root's keys are for looking behind the scene."""
    real_call = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]

    def call(self: Any, operation_name: str, api_params: Any) -> Any:
        if self._request_signer._credentials.access_key != "test":
            with calls.open("a") as stream:
                stream.write(f"{self.meta.service_model.service_name}:{operation_name}\n")
        return real_call(self, operation_name, api_params)

    patch.setattr(botocore.client.BaseClient, "_make_api_call", call)


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
    "Go on? [Y/n]": "n",
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


class PulledPlug(BaseException):
    """As Ctrl-C or a closed laptop does, it is caught by nobody."""


def pull_plug_in(monkeypatch: pytest.MonkeyPatch, step: deploy.Step, when: str) -> None:
    """Ends the deploy in the middle of a step: before its work is begun, or right after it."""

    def carry_out(deployment: deploy.Deployment, say: Say) -> None:
        if when == "after":
            step.carry_out(deployment, say)
        raise PulledPlug

    ending = dataclasses.replace(step, carry_out=carry_out)
    monkeypatch.setattr(deploy, "STEPS", tuple(ending if one == step else one for one in deploy.STEPS))


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", [deploy.RESOURCES, deploy.FILES])
def test_it_can_be_broken_off_at_the_first_steps(
    account: Account, monkeypatch: pytest.MonkeyPatch, step: deploy.Step, when: str
) -> None:
    pull_plug_in(monkeypatch, step, when)
    with pytest.raises(PulledPlug):
        account.types("deploy", *ANSWERS, "--yes")


def test_from_then_on_it_knows_what_was_chosen(account: Account) -> None:
    plan = account.asks("deploy", "--plan")["changes"]
    assert [title for title, changes in plan.items() if not changes] == [
        deploy.RESOURCES.title,
        deploy.FILES.title,
        deploy.ADOPTED.title,
    ]


@pytest.mark.parametrize(
    "call",
    [
        pytest.param("iam:CreateRole", marks=pytest.mark.soak),
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
    account: Account, monkeypatch: pytest.MonkeyPatch, step: deploy.Step, when: str
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
    url = account.asks("deploy", "--yes")["client_url"]
    assert ".whl?" in url
    assert httpx.get(url, timeout=60).content[:2] == b"PK"


def test_a_second_machine_gets_whole_lines_to_type(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where boto3 finds the account by its own settings, as in the cloud shell."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", str(account.aws.endpoint))
    monkeypatch.setenv("AWS_DEFAULT_REGION", HOME.region)
    printed = CliRunner().invoke(commands, ["machine", "add", "desktop", "--stage", "home"]).output
    api = find_rest_api(account.aws, HOME)
    assert re.search(r"(?m)^  pipx install --force 'http.*\.whl\?.*'$", printed)
    assert re.search(rf"(?m)^  panicroom enrol https://{api}\S+ \S+$", printed)


def test_the_clients_wheel_is_no_stray(account: Account) -> None:
    report = json.loads(
        account.client("lambda")
        .invoke(FunctionName=HOME.function("admin"), Payload=b'{"command": "report_preview"}')["Payload"]
        .read()
    )
    assert "_service/" not in report["result"]["text"]


# ---------------------------------------------------------------- again, and with changes


def test_once_more_changes_nothing(account: Account) -> None:
    before = account.everything()
    answer = account.asks("deploy", "--yes")
    assert not any(answer["changes"].values())
    assert "code" not in answer
    assert account.everything() == before


def test_a_changed_setting_is_shown_and_reaches_the_functions(account: Account) -> None:
    plan = account.asks("deploy", "--budget", "7.50", "--plan")["changes"]
    assert plan[deploy.RESOURCES.title] == ["set MonthlyBudget to 7.50, which was 5"]
    assert "PANICROOM_MONTHLY_BUDGET" in plan[deploy.FUNCTIONS.title][0]


def test_a_changed_handler_is_deployed_at_the_same_address_though_the_record_is_lost(
    account: Account,
) -> None:
    address = account.api()
    with (account.project / "app.py").open("a") as app:
        app.write('\n\n@app.route("/added")\ndef added():\n    return {"added": True}\n')
    shutil.rmtree(account.project / ".chalice" / "deployed")
    answer = account.asks("deploy", "--yes")
    changes = answer["changes"][deploy.FUNCTIONS.title]
    assert f"{HOME.prefix}: runs other code (app.py)" in changes
    assert "the API lacks GET /added" in changes
    assert answer["api_url"] == address
    assert httpx.get(f"{address}/added", timeout=60).json() == {"added": True}


def test_plain_chalice_deploy_does_for_a_change_of_code(account: Account) -> None:
    address = account.api()
    # In a new clone there is no record: a deploy with nothing else to do writes it.
    shutil.rmtree(account.project / ".chalice" / "deployed")
    changes = account.asks("deploy", "--yes")["changes"]
    assert changes.pop(deploy.FILES.title) == ["write .chalice/deployed/home.json"]
    assert not any(changes.values())
    text = (account.project / "app.py").read_text().replace('"added": True', '"added": "by hand"')
    (account.project / "app.py").write_text(text)
    aws = Aws(HOME.region, account.aws.endpoint, own_keys=True)
    with importing_api_gateway(aws) as gateway:
        environment = {**aws.environment(), "AWS_ENDPOINT_URL_API_GATEWAY": gateway}
        run_chalice(["deploy", "--stage", "home"], account.project, environment)
    assert account.api() == address
    assert len(account.client("apigateway").get_rest_apis()["items"]) == 1
    assert httpx.get(f"{address}/added", timeout=60).json() == {"added": "by hand"}
    assert not any(account.asks("deploy", "--plan")["changes"].values())


@pytest.mark.parametrize("command", ["deploy", "destroy"])
def test_a_stage_of_that_name_in_another_region_is_left_alone(account: Account, command: str) -> None:
    """Roles are the same ones in all regions: a second stage would take them from the first."""
    before = account.everything()
    answers = ANSWERS if command == "deploy" else ()
    words = [command, "--stage", "home", "--region", "eu-central-1", "--yes", *answers]
    where = ("--endpoint", str(account.aws.endpoint), "--project", str(account.project))
    result = CliRunner().invoke(commands, [*words, *where])
    assert str(result.exception).startswith("The stage home is in us-east-1")
    assert account.everything() == before


@pytest.mark.soak
@pytest.mark.parametrize(
    ("call", "left"),
    [
        ("apigateway:PutRestApi", ["the API's stage api still serves other routes"]),
        ("apigateway:CreateDeployment", []),
    ],
)
def test_an_update_can_be_killed_while_chalice_changes_the_api(
    account: Account, monkeypatch: pytest.MonkeyPatch, call: str, left: list[str]
) -> None:
    name = call.partition(":")[2].lower()
    with (account.project / "app.py").open("a") as app:
        app.write(f'\n\n@app.route("/{name}")\ndef {name}():\n    return {{}}\n')
    monkeypatch.setenv("PROBE_DIE_AFTER", call)
    assert isinstance(account.types("deploy", "--yes").exception, OpsError)
    monkeypatch.delenv("PROBE_DIE_AFTER")
    answer = account.asks("deploy", "--yes")
    assert answer["changes"][deploy.FUNCTIONS.title] == left
    assert [check for check in answer["checks"] if not check["ok"]] == []
    assert httpx.get(f"{account.api()}/{name}", timeout=60).json() == {}
    assert not any(account.asks("deploy", "--plan")["changes"].values())


def take_permissions_from(account: Account, name: str) -> None:
    functions = account.client("lambda")
    policy = json.loads(functions.get_policy(FunctionName=name)["Policy"])
    for statement in policy["Statement"]:
        functions.remove_permission(FunctionName=name, StatementId=statement["Sid"])


def test_the_doctor_names_what_somebody_changed_by_hand(account: Account) -> None:
    functions = account.client("lambda")
    name = HOME.function("reconcile")
    functions.update_function_configuration(FunctionName=name, Timeout=3)
    iam = account.client("iam")
    iam.attach_role_policy(
        RoleName=f"{HOME.prefix}-alerts", PolicyArn="arn:aws:iam::aws:policy/AmazonS3FullAccess"
    )
    anybody = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    iam.update_assume_role_policy(
        RoleName=f"{HOME.prefix}-discard",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [anybody]}),
    )
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    everything = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [everything]})
    iam.put_role_policy(RoleName=f"{HOME.prefix}-admin", PolicyName="more", PolicyDocument=document)
    for called in ("authorizer", "weekly_report"):
        take_permissions_from(account, HOME.function(called))
    account.client("apigateway").update_rest_api(
        restApiId=find_rest_api(account.aws, HOME),
        patchOperations=[{"op": "replace", "path": "/minimumCompressionSize", "value": "4096"}],
    )
    [mapping] = event_source_mappings(account.aws, HOME, "catalogue")
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False, FunctionResponseTypes=[])
    account.client("s3").put_bucket_versioning(
        Bucket=HOME.bucket, VersioningConfiguration={"Status": "Suspended"}
    )
    account.client("sqs").send_message(
        QueueUrl=f"{account.aws.endpoint}/{HOME.account}/{HOME.dead_letter_queue}", MessageBody="{}"
    )
    account.client("s3").delete_bucket_lifecycle(Bucket=HOME.bucket)
    account.client("s3").create_bucket(Bucket="attic")
    admin(account.aws, HOME).call("machine_add", name="anna", bucket="attic", prefix="")
    sns = account.client("sns")
    [subscription] = sns.list_subscriptions()["Subscriptions"]
    sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    result = account.types("doctor", "--json")
    assert result.exit_code == 1
    wrong = {check["title"]: check["wrong"] for check in json.loads(result.stdout)["checks"]}
    for said in (
        "panicroom-home-reconcile: Timeout is 3, not 900",
        "panicroom-home-reconcile: may run only 0 times at once",
        "panicroom-home-discard: others than Lambda may take on its role",
        "panicroom-home-alerts: its role has the policy arn:aws:iam::aws:policy/AmazonS3FullAccess besides its own",
        "panicroom-home-admin: its role has other rights than .chalice/policies/home/admin.json",
        "panicroom-home-authorizer: the API may not call it",
        "panicroom-home-weekly_report: its schedule panicroom-home-weekly_report-event may not call it",
        "the API compresses answers from 4096 bytes on, not from 1024",
    ):
        assert f"{said}: `python -m ops deploy --stage home` mends it" in wrong["Functions"]
    assert "switch the queue mapping on again" in wrong["What Chalice leaves out"][0]
    assert "single failed messages" in wrong["What Chalice leaves out"][1]
    assert "keeps no versions" in wrong["The bucket"][0]
    assert "1 event could not be catalogued" in wrong["Events"][0]
    rules = [f"set the lifecycle rule {rule['ID']}" for rule in wanted_rules()]
    told = "have SNS ask ada@example.org to confirm that it wants to be told of alarms"
    assert [line.partition(": `python")[0] for line in wrong["Resources"]] == [*rules, told]
    assert "The bucket attic" in wrong["Adopted buckets"][0], "the deployer's policy has nothing on it"


def test_a_deploy_mends_all_of_it_but_what_is_the_owners_to_decide(account: Account) -> None:
    account.types("deploy", "--yes")
    wrong = {
        check["title"]: check["wrong"]
        for check in json.loads(account.types("doctor", "--json").stdout)["checks"]
    }
    left = {title for title, lines in wrong.items() if lines}
    # Without rights in the adopted bucket its catalogue cannot be looked at either.
    assert left == {"The bucket", "Events", "Adopted buckets", "Catalogue", "Failures"}
    assert [line.partition(":")[0] for line in wrong["Failures"]] == [HOME.function("admin")]
    assert [one["Endpoint"] for one in account.client("sns").list_subscriptions()["Subscriptions"]] == [
        "ada@example.org"
    ]


# ---------------------------------------------------------------- the end


def test_the_service_goes_and_the_backups_stay(account: Account) -> None:
    s3 = account.client("s3")
    s3.put_object(Bucket=HOME.bucket, Key="laptop/system/kept", Body=b"kept")
    result = account.types("destroy", "--yes")
    assert result.exit_code == 0, result.exception
    assert re.search(rf"the bucket {HOME.bucket}: .* in STANDARD; under \$0.01 a month", result.output)
    assert "Remove what begins with `panicroom-home-` in its policy" in result.output.replace("\n", " ")
    s3.delete_bucket(Bucket="attic")
    assert account.deployed_functions() == {}
    assert account.client("apigateway").get_rest_apis()["items"] == []
    assert account.client("events").list_rules()["Rules"] == []
    assert account.client("iam").list_roles()["Roles"] == []
    assert account.client("sqs").list_queues().get("QueueUrls", []) == []
    assert account.client("logs").describe_log_groups()["logGroups"] == []
    assert account.client("sesv2").list_email_identities().get("EmailIdentities", []) == []
    assert s3.get_object(Bucket=HOME.bucket, Key="laptop/system/kept")["Body"].read() == b"kept"


def test_a_new_deploy_takes_over_what_stayed(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """CloudFormation makes nothing that is there by that name: it imports it. The rest is as from nothing."""
    pull_plug_in(monkeypatch, deploy.RESOURCES, "after")
    with pytest.raises(PulledPlug):
        pytest.fail(str(account.types("deploy", *ANSWERS, "--yes").exception))
    [stack] = account.client("cloudformation").describe_stacks()["Stacks"]
    assert stack["EnableTerminationProtection"]
    kept = account.client("s3").get_object(Bucket=HOME.bucket, Key="laptop/system/kept")
    assert kept["Body"].read() == b"kept"


def test_what_it_called_is_what_its_policy_was_made_for(account: Account) -> None:
    """``test_templates.py`` holds the policy to this list, in both directions."""
    assert sorted(set(account.calls.read_text().split())) == CALLS_FILE.read_text().split()


def test_the_data_go_only_when_the_buckets_name_is_typed(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the account's own owner: the deployer's policy deletes no version."""
    result = account.types("destroy", "--with-data", answers="no idea\n")
    assert "That is not the bucket's name" in str(result.exception)
    refused = account.types("destroy", "--with-data", answers=f"{HOME.bucket}\n")
    assert refused.exit_code == 1
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    result = account.types("destroy", "--with-data", answers=f"{HOME.bucket}\n")
    assert result.exit_code == 0, result.exception
    assert account.client("s3").list_buckets()["Buckets"] == []
    assert account.client("dynamodb").list_tables()["TableNames"] == []


def test_where_nothing_is_left_nothing_is_removed(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    result = account.types("destroy", "--yes")
    assert str(result.exception) == "There is nothing of a stage home in us-east-1: nothing was removed."
