"""Later deploys on the local stack, the doctor, and the end of a service, with only the deployer's policy.

One account goes through it, so the tests build on each other, in the order in which they stand.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator

import httpx
import pytest
from click.testing import CliRunner

from chalicelib.domain.audit.lifecycle.own_rules import own_rules
from ops.aws import Aws
from ops.cli import commands
from ops.deploy import pipeline as deploy
from ops.doctor.checks import admin
from ops.errors import OpsError
from ops.functions.chalice_record import find_rest_api
from ops.functions.package import run_chalice
from ops.functions.policies import policy_document
from ops.functions.queue_mappings import event_source_mappings
from ops.functions.roles import role_name
from ops.local.ministack_api import importing_api_gateway
from tests.ops.deployer_account import (
    ANSWERS,
    HOME,
    Account,
    PulledPlug,
    listed_calls,
    new_account,
    pull_plug_in,
)


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """A deployed service, without a laptop."""
    with new_account(tmp_path_factory.mktemp("account")) as account:
        account.asks("deploy", *ANSWERS, "--yes")
        yield account


# ---------------------------------------------------------------- again, and with changes


def test_once_more_changes_nothing(account: Account) -> None:
    before = account.everything()
    answer = account.asks("deploy", "--yes")
    assert not any(answer["changes"].values())
    assert "code" not in answer
    assert account.everything() == before


def test_a_stage_from_before_thaws_gets_the_function_that_asks_for_them(account: Account) -> None:
    name, role = HOME.function("thaw"), role_name(HOME, "thaw")
    functions, iam = account.client("lambda"), account.client("iam")
    functions.delete_function(FunctionName=name)
    iam.delete_role_policy(RoleName=role, PolicyName=role)
    iam.delete_role(RoleName=role)
    for other in account.deployed_functions():
        variables = functions.get_function_configuration(FunctionName=other)["Environment"]["Variables"]
        del variables["PANICROOM_THAW_FUNCTION"]
        functions.update_function_configuration(FunctionName=other, Environment={"Variables": variables})
    changes = account.asks("deploy", "--yes")["changes"]
    assert changes[deploy.ROLES.title] == [f"make 1 role, bound by {HOME.boundary}"]
    assert f"{name} is not there" in changes[deploy.FUNCTIONS.title]
    assert not any(account.asks("deploy", "--yes")["changes"].values())
    policy = iam.get_role_policy(RoleName=role, PolicyName=role)["PolicyDocument"]
    assert policy == policy_document(HOME, "thaw")


def test_a_changed_setting_is_shown_and_reaches_the_functions(account: Account) -> None:
    plan = account.asks("deploy", "--budget", "7.50", "--plan")["changes"]
    assert plan[deploy.RESOURCES.title] == ["set MonthlyBudget to 7.50, which was 5"]
    assert "PANICROOM_MONTHLY_BUDGET" in plan[deploy.FUNCTIONS.title][0]


def test_a_webhook_is_asked_kept_and_ended_and_its_url_is_shown_nowhere(account: Account) -> None:
    def subscribed() -> list[str]:
        topic = HOME.arn("sns", HOME.alerts_topic)
        answer = account.client("sns").list_subscriptions_by_topic(TopicArn=topic)
        return [one["Endpoint"] for one in answer["Subscriptions"]]

    url = "http://127.0.0.1:9/hooks/T0KEN-hush"
    asked = account.types("deploy", "--yes", "--alert-webhook", url)
    assert asked.exit_code == 0, asked.exception
    assert "have SNS ask 127.0.0.1 to confirm that it wants alerts" in asked.output
    assert subscribed() == [url]
    plan = account.types("deploy", "--plan", "--json")
    assert not any(json.loads(plan.stdout)["changes"].values())
    assert "127.0.0.1" in json.loads(plan.stdout)["settings"]["webhook"]
    [stack] = account.client("cloudformation").describe_stacks()["Stacks"]
    files = b"".join(account.everything()["files"].values()).decode()
    assert "hush" not in asked.output + plan.output + json.dumps(stack, default=str) + files
    ended = account.asks("deploy", "--yes", "--alert-webhook", "none")["changes"]
    assert ended.pop(deploy.RESOURCES.title) == ["end the alerts to 127.0.0.1"]
    assert (subscribed(), any(ended.values())) == ([], False)


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
    changes = account.asks("deploy", "--yes")["changes"]
    assert changes.pop(deploy.FINISH.title) == [
        f"let {HOME.prefix} run 100 times at once at most",
        f"let {HOME.function('authorizer')} run 50 times at once at most",
    ], "which a plain deploy takes away"
    assert not any(changes.values())


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
    functions.put_function_concurrency(
        FunctionName=HOME.function("api_handler"), ReservedConcurrentExecutions=1
    )
    iam.delete_role_permissions_boundary(RoleName=f"{HOME.prefix}-catalogue")
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
        "panicroom-home-catalogue: its role is not bound by panicroom-home-boundary",
        "panicroom-home-alerts: its role has the policy arn:aws:iam::aws:policy/AmazonS3FullAccess besides its own",
        "panicroom-home-admin: its role has other rights than .chalice/policies/home/admin.json",
        "panicroom-home-authorizer: the API may not call it",
        "panicroom-home-weekly_report: its schedule panicroom-home-weekly_report-event may not call it",
        "the API compresses answers from 4096 bytes on, not from 1024",
    ):
        assert f"{said}: `python -m ops deploy --stage home` repairs it" in wrong["Functions"]
    [unbound] = wrong["Roles"]
    assert unbound.startswith(
        "bind the role panicroom-home-catalogue by panicroom-home-boundary: `python -m ops"
    )
    assert "switch the queue mapping on again" in wrong["What Chalice leaves out"][0]
    assert "single failed messages" in wrong["What Chalice leaves out"][1]
    assert "let panicroom-home run 100 times at once at most" in wrong["What Chalice leaves out"][2]
    assert "keeps no versions" in wrong["The bucket"][0]
    assert "1 event could not be catalogued" in wrong["Events"][0]
    rules = [f"set the lifecycle rule {rule['ID']}" for rule in own_rules()]
    told = "have SNS ask ada@example.org to confirm that it wants alarms"
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
    # The weekly reconcile fails there too, where the half hour came meanwhile.
    failed = {line.partition(":")[0] for line in wrong["Failures"]} - {HOME.function("weekly_reconcile")}
    assert failed == {HOME.function("admin_read")}
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
    [boundary] = account.client("iam").list_policies(Scope="Local")["Policies"]
    assert boundary["PolicyName"] == HOME.boundary, "which the deployer's rights do not remove"
    assert account.client("sqs").list_queues().get("QueueUrls", []) == []
    assert account.client("logs").describe_log_groups()["logGroups"] == []
    assert account.client("sns").list_topics()["Topics"] == []
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


def test_it_called_all_that_its_policy_was_made_for_and_nothing_else(account: Account) -> None:
    """``test_templates.py`` compares the policy with this list, in both directions."""
    assert account.calls_made() - listed_calls() == set(), "the policy may lack it"
    assert listed_calls() - account.calls_made() == set(), "the policy may grant it for nothing"


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
