"""The local stack as a person uses it, on a stack of the tests' own."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from ops.aws import Aws
from ops.cli import commands
from ops.errors import OpsError
from ops.functions.package import PROJECT
from ops.local.stack import LocalStack
from ops.local.stack_file import StackDescription
from ops.service.admin_client import local_admin_client
from ops.stages import LAMBDA_FUNCTIONS


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, whose code the tests may change."""
    copy = tmp_path_factory.mktemp("project")
    for name in ("app.py", "requirements.txt"):
        shutil.copy(PROJECT / name, copy)
    shutil.copytree(PROJECT / "chalicelib", copy / "chalicelib", ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture(scope="module")
def stack(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    stack = LocalStack(tmp_path_factory.mktemp("state"), project=project)
    stack.up()
    yield stack
    stack.down()


def described(stack: LocalStack) -> StackDescription:
    description = stack.description()
    assert description is not None
    return description


def aws_of(stack: LocalStack) -> Aws:
    return Aws(described(stack).region, described(stack).endpoint)


def test_the_file_that_other_programs_read_has_the_agreed_fields(stack: LocalStack) -> None:
    written = json.loads((stack.state_folder / "stack.json").read_text())
    assert set(written) == {
        "endpoint", "region", "api_url", "bucket", "table", "queue", "dead_letter_queue", "functions",
    }  # fmt: skip
    assert written["endpoint"].startswith("http://127.0.0.1:")
    assert set(written["functions"]) == set(LAMBDA_FUNCTIONS)


def test_what_the_file_names_is_there(stack: LocalStack) -> None:
    description, aws = described(stack), aws_of(stack)
    aws.client("s3").head_bucket(Bucket=description.bucket)
    for queue in (description.queue, description.dead_letter_queue):
        aws.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    functions = {f["FunctionName"] for f in aws.client("lambda").list_functions()["Functions"]}
    assert functions == set(description.functions.values())


def test_the_api_asks_for_a_token(stack: LocalStack) -> None:
    assert httpx.get(f"{described(stack).api_url}/machine").status_code == 401


def test_the_code_of_the_functions_is_unpacked_and_compiled_once_for_all_of_them(stack: LocalStack) -> None:
    headers = {"Authorization": f"Bearer laptop.{'0' * 64}"}
    assert httpx.get(f"{described(stack).api_url}/machine", headers=headers, timeout=60).status_code == 403
    local_admin_client(described(stack)).call("machine_list")
    code_of_workers = [*(stack.state_folder / "scratch").glob("ministack-lambda-*/code")]
    assert len(code_of_workers) > 1
    [shared] = {code.resolve() for code in code_of_workers}
    assert list(shared.glob("__pycache__/app.*.pyc"))


def test_the_api_is_throttled(stack: LocalStack) -> None:
    rest_api = described(stack).api_url.split("/")[4]
    [stage] = aws_of(stack).client("apigateway").get_stages(restApiId=rest_api)["item"]
    assert stage["stageName"] == "api"
    assert stage["methodSettings"]["*/*"]["throttlingRateLimit"] > 0


def test_a_message_that_fails_comes_back_alone(stack: LocalStack) -> None:
    [mapping] = aws_of(stack).client("lambda").list_event_source_mappings()["EventSourceMappings"]
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_rows_expire_and_the_table_can_be_put_back(stack: LocalStack) -> None:
    dynamodb, table = aws_of(stack).client("dynamodb"), described(stack).table
    expiry = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    assert (expiry["TimeToLiveStatus"], expiry["AttributeName"]) == ("ENABLED", "expires_at_epoch")
    backups = dynamodb.describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"


def test_up_once_more_changes_nothing(stack: LocalStack) -> None:
    before = aws_of(stack).client("cloudformation").describe_stacks()["Stacks"]
    first = described(stack)
    assert stack.up() == first
    assert aws_of(stack).client("cloudformation").describe_stacks()["Stacks"] == before


def test_the_services_clock_goes_ahead_and_back_and_that_of_s3_stays(stack: LocalStack) -> None:
    def types(*words: str) -> dict[str, Any]:
        result = CliRunner().invoke(commands, ["local", *words, "--state", str(stack.state_folder), "--json"])
        return dict(json.loads(result.stdout))

    def says() -> datetime:
        """The time by which the service adds a machine."""
        name = f"clock-{time.monotonic_ns()}"
        local_admin_client(described(stack)).call("machine_add", name=name)
        shown = local_admin_client(described(stack)).call("machine_show", name=name)
        return datetime.fromisoformat(shown["created_at"].replace("Z", "+00:00"))

    ahead, real = timedelta(days=200), datetime.now(timezone.utc)
    functions = aws_of(stack).client("lambda")
    before = functions.get_function_configuration(FunctionName=described(stack).functions["let_go"])
    try:
        assert types("clock", "+200d") == {"clock_ahead_seconds": 200 * 86_400}
        assert types("status")["clock_ahead_seconds"] == 200 * 86_400
        assert abs(says() - (real + ahead)) < timedelta(hours=1)
        s3 = aws_of(stack).client("s3")
        s3.put_object(Bucket=described(stack).bucket, Key="clock/system/file", Body=b"now")
        stored = s3.head_object(Bucket=described(stack).bucket, Key="clock/system/file")["LastModified"]
        assert abs(stored - real) < timedelta(hours=1)
        for name in described(stack).functions.values():
            variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
            assert variables["PANICROOM_CLOCK_AHEAD_SECONDS"] == str(200 * 86_400), name
    finally:
        assert types("clock", "reset") == {"clock_ahead_seconds": 0}
    assert types("clock") == {"clock_ahead_seconds": 0}
    assert abs(says() - real) < timedelta(hours=1)
    after = functions.get_function_configuration(FunctionName=described(stack).functions["let_go"])
    assert after["Environment"] == before["Environment"]
    result = CliRunner().invoke(
        commands, ["local", "clock", "200d", "--state", str(stack.state_folder)], standalone_mode=True
    )
    assert result.exit_code == 2
    assert "+200d" in result.output


def test_up_deploys_code_that_changed_and_keeps_the_data(stack: LocalStack, project: Path) -> None:
    s3 = aws_of(stack).client("s3")
    s3.put_object(Bucket=described(stack).bucket, Key="kept/system/file", Body=b"kept")
    with (project / "app.py").open("a") as app:
        app.write('\n\n@app.route("/added")\ndef added():\n    return {"added": True}\n')
    description = stack.up()
    assert httpx.get(f"{description.api_url}/added").json() == {"added": True}
    assert s3.get_object(Bucket=description.bucket, Key="kept/system/file")["Body"].read() == b"kept"


def test_a_running_stack_is_not_moved_to_another_port_in_silence(stack: LocalStack) -> None:
    with pytest.raises(OpsError, match="runs already, on port"):
        stack.up(1)
    with pytest.raises(OpsError, match="runs already, with IAM not enforced"):
        stack.up(enforce_iam=True)


def test_an_app_that_cannot_be_packaged_is_one_clear_sentence(stack: LocalStack, project: Path) -> None:
    whole = (project / "app.py").read_text()
    (project / "app.py").write_text("import no_such_package\n")
    try:
        with pytest.raises(OpsError, match=r"`chalice package` failed: .*no_such_package"):
            stack.up()
    finally:
        (project / "app.py").write_text(whole)


def test_a_persons_aws_settings_are_neither_needed_nor_used(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A profile that does not exist makes boto3 and Chalice fail wherever they look at it."""
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    stack = LocalStack(tmp_path, project=project)
    try:
        assert httpx.get(f"{stack.up().api_url}/machine").status_code == 401
    finally:
        stack.down()


def test_after_down_nothing_is_known_of_it(tmp_path: Path, project: Path) -> None:
    stack = LocalStack(tmp_path, project=project)
    stack.up()
    assert stack.down() is True
    assert stack.description() is None
    assert not (tmp_path / "stack.json").exists()
    assert stack.down() is False
