"""Each function can do its work and nothing else: tried with its own role's credentials, IAM enforced."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from ops.functions.policies import policy_document
from ops.stages import LAMBDA_FUNCTIONS, LOCAL
from tests.end_to_end.conftest import Machine
from tests.hostile.conftest import Deployed

SCRATCH = "scratch"
DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "403"}


@dataclass
class Role:
    """A function's role as whoever takes the function over would have it."""

    name: str
    credentials: dict[str, str]
    deployed: Deployed

    def client(self, service: str) -> Any:
        stack = self.deployed.stack
        config = Config(retries={"total_max_attempts": 1})
        return boto3.client(
            service, region_name=stack.region, endpoint_url=stack.endpoint, config=config, **self.credentials
        )


@pytest.fixture(scope="module")
def roles(deployed: Deployed, laptop: Machine) -> dict[str, Role]:
    """A role by its function's short name. Its trust is widened to the owner, who is to put it on."""
    iam, sts, functions = deployed.client("iam"), deployed.client("sts"), deployed.client("lambda")
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    found = {}
    for short_name, name in deployed.stack.functions.items():
        arn = functions.get_function_configuration(FunctionName=name)["Role"]
        iam.update_assume_role_policy(RoleName=arn.rpartition("/")[2], PolicyDocument=document)
        keys = sts.assume_role(RoleArn=arn, RoleSessionName="intruder")["Credentials"]
        credentials = {
            "aws_access_key_id": keys["AccessKeyId"],
            "aws_secret_access_key": keys["SecretAccessKey"],
            "aws_session_token": keys["SessionToken"],
        }
        found[short_name] = Role(arn.rpartition("/")[2], credentials, deployed)
    return found


def test_each_function_has_a_role_of_its_own(roles: dict[str, Role]) -> None:
    assert len({role.name for role in roles.values()}) == len(LAMBDA_FUNCTIONS)


@pytest.mark.parametrize("short_name", LAMBDA_FUNCTIONS)
def test_a_role_carries_its_own_policy_and_no_other(
    deployed: Deployed, roles: dict[str, Role], short_name: str
) -> None:
    iam, role = deployed.client("iam"), roles[short_name].name
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    documents = [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names]
    assert documents == [policy_document(LOCAL, short_name)]
    assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []


# ---------------------------------------------------------------- calls, made as a role

Call = Callable[[Role, "Target"], object]


@dataclass
class Target:
    """What the calls are aimed at: a manifest of the machine's, objects of no worth, and the resources."""

    bucket: str
    key: str
    version: str
    scratch_version: str
    archived: str
    table: str
    queue: str
    functions: dict[str, str]


@pytest.fixture(scope="module")
def target(deployed: Deployed, laptop: Machine) -> Target:
    stack = deployed.stack
    versions = deployed.client("s3").list_object_versions(
        Bucket=stack.bucket, Prefix="anna-laptop/system/meta_"
    )
    scratch = deployed.client("s3").put_object(Bucket=stack.bucket, Key=SCRATCH, Body=b"scratch")["VersionId"]
    archived = "scratch-in-the-archive"
    deployed.client("s3").put_object(
        Bucket=stack.bucket, Key=archived, Body=b"scratch", StorageClass="DEEP_ARCHIVE"
    )
    [newest, *_] = [version for version in versions["Versions"] if ".manifest" in version["Key"]]
    return Target(
        stack.bucket,
        newest["Key"],
        newest["VersionId"],
        scratch,
        archived,
        stack.table,
        stack.queue,
        stack.functions,
    )


def on_object(method: str, **arguments: Any) -> Call:
    def call(role: Role, target: Target) -> object:
        return getattr(role.client("s3"), method)(Bucket=target.bucket, Key=target.key, **arguments)

    return call


def delete_in_bulk(role: Role, target: Target) -> None:
    """S3 answers 200 and says of each object whether it was refused."""
    objects = [{"Key": SCRATCH, "VersionId": target.scratch_version}]
    answer = role.client("s3").delete_objects(Bucket=target.bucket, Delete={"Objects": objects})
    for error in answer.get("Errors", []):
        raise ClientError({"Error": error}, "DeleteObjects")


def thaw(role: Role, target: Target) -> object:
    wanted = {"Days": 1, "GlacierJobParameters": {"Tier": "Bulk"}}
    return role.client("s3").restore_object(Bucket=target.bucket, Key=target.archived, RestoreRequest=wanted)


def on_bucket(method: str, **arguments: Any) -> Call:
    return lambda role, target: getattr(role.client("s3"), method)(Bucket=target.bucket, **arguments)


def on_table(method: str, **arguments: Any) -> Call:
    return lambda role, target: getattr(role.client("dynamodb"), method)(TableName=target.table, **arguments)


def on_queue(method: str, **arguments: Any) -> Call:
    return lambda role, target: getattr(role.client("sqs"), method)(QueueUrl=target.queue, **arguments)


def invoke(short_name: str) -> Call:
    def call(role: Role, target: Target) -> object:
        # A dry run: it asks whether the caller may, and starts nothing.
        return role.client("lambda").invoke(
            FunctionName=target.functions[short_name], InvocationType="DryRun", Payload=b"{}"
        )

    return call


def item(pk: str, sk: str) -> dict[str, dict[str, str]]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def send_mail(role: Role, target: Target) -> object:
    return role.client("sesv2").send_email(
        FromEmailAddress=LOCAL.sender,
        Destination={"ToAddresses": [LOCAL.recipients[0]]},
        Content={"Simple": {"Subject": {"Data": "subject"}, "Body": {"Text": {"Data": "text"}}}},
    )


OPEN_TO_ALL = {
    "Effect": "Allow",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": f"arn:aws:s3:::{LOCAL.bucket}/*",
}

FOR_NONE: dict[str, Call] = {
    "delete a version": lambda role, target: role.client("s3").delete_object(
        Bucket=target.bucket, Key=target.key, VersionId=target.version
    ),
    "delete versions in bulk": delete_in_bulk,
    "open the bucket by a policy": on_bucket(
        "put_bucket_policy", Policy=json.dumps({"Version": "2012-10-17", "Statement": [OPEN_TO_ALL]})
    ),
    "drop the bucket's policy": on_bucket("delete_bucket_policy"),
    "open the bucket to the public": on_bucket("delete_public_access_block"),
    "open the bucket by a list": on_bucket("put_bucket_acl", ACL="public-read"),
    "open an object by a list": on_object("put_object_acl", ACL="public-read"),
    "let the bucket expire": on_bucket(
        "put_bucket_lifecycle_configuration",
        LifecycleConfiguration={
            "Rules": [{"ID": "x", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}]
        },
    ),
    "suspend versioning": on_bucket("put_bucket_versioning", VersioningConfiguration={"Status": "Suspended"}),
    "silence the events": on_bucket("put_bucket_notification_configuration", NotificationConfiguration={}),
    "delete the bucket": on_bucket("delete_bucket"),
    "drop the table": on_table("delete_table"),
    "end the table's recovery": on_table(
        "update_continuous_backups", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    ),
    "read the whole table at once": on_table("scan"),
    "invent events": on_queue("send_message", MessageBody="{}"),
    "throw events away": on_queue("purge_queue"),
    "run other code": lambda role, target: role.client("lambda").update_function_code(
        FunctionName=target.functions["discard"], ZipFile=b"PK"
    ),
    "redirect a function": lambda role, target: role.client("lambda").update_function_configuration(
        FunctionName=target.functions["api_handler"], Environment={"Variables": {}}
    ),
    "let strangers call a function": lambda role, target: role.client("lambda").add_permission(
        FunctionName=target.functions["admin"], StatementId="x", Action="lambda:InvokeFunction", Principal="*"
    ),
    "command as the owner": invoke("admin"),
    "widen its own policy": lambda role, _: role.client("iam").put_role_policy(
        RoleName=role.name,
        PolicyName="more",
        PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
        ),
    ),
    "take the stack down": lambda role, _: role.client("cloudformation").delete_stack(
        StackName=LOCAL.resources_stack
    ),
    "wipe its tracks": lambda role, target: role.client("logs").delete_log_group(
        logGroupName=f"/aws/lambda/{target.functions['api_handler']}"
    ),
    "write another function's log": lambda role, _: role.client("logs").create_log_stream(
        logGroupName="/aws/lambda/somebody-else", logStreamName="x"
    ),
}
"""What no function may do, whoever has taken it over."""


def write_the_wheel(role: Role, target: Target) -> Any:
    key = "_service/client/panicroom-9.9.9-py3-none-any.whl"
    return role.client("s3").put_object(Bucket=target.bucket, Key=key, Body=b"x", IfNoneMatch="*")


MARK_DELETED, STORE, READ, LIST = (
    on_object("delete_object"),
    on_object("put_object", Body=b"x", IfNoneMatch="*"),
    on_object("get_object"),
    on_bucket("list_objects_v2"),
)
LIST_VERSIONS = on_bucket("list_object_versions")
RETAG = on_object("put_object_tagging", Tagging={"TagSet": [{"Key": "panicroom-storage", "Value": "x"}]})
MARK_LET_GO = {"TagSet": [{"Key": "panicroom-let-go", "Value": "yes"}]}


def tag_a_version(role: Role, target: Target) -> Any:
    """The bucket's rule removes old versions that carry this tag."""
    version = {"Bucket": target.bucket, "Key": target.key, "VersionId": target.version}
    return role.client("s3").put_object_tagging(**version, Tagging=MARK_LET_GO)


def tag_a_version_with_what_it_has(role: Role, target: Target) -> Any:
    version = {"Bucket": target.bucket, "Key": target.key, "VersionId": target.version}
    tags = role.client("s3").get_object_tagging(**version)["TagSet"]
    return role.client("s3").put_object_tagging(**version, Tagging={"TagSet": tags})


def mark_nothing_in_bulk(role: Role, target: Target) -> Any:
    objects = [{"Key": f"nothing-is-there-{number}"} for number in range(2)]
    answer = role.client("s3").delete_objects(Bucket=target.bucket, Delete={"Objects": objects})
    assert not answer.get("Errors")
    return answer


FORGET_A_MACHINE = on_table("delete_item", Key=item("MACHINES", "nobody"))
FORGET_A_LEASE = on_table("delete_item", Key=item("LEASES", "nobody/system"))
READ_A_ROW = on_table("get_item", Key=item("MACHINES", "anna-laptop"))
READ_ROWS = on_table(
    "query", KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": {"S": "JOBS"}}
)
WRITE_A_ROW = on_table("put_item", Item=item("TRIED", "x"))
TAKE_EVENTS = on_queue("receive_message")

FORBIDDEN: dict[str, dict[str, Call]] = {
    "api_handler": {
        "write the wheel that laptops install": write_the_wheel,
        "mark deleted": MARK_DELETED,
        "forget a machine": FORGET_A_MACHINE,
        "take events": TAKE_EVENTS,
        "send mail": send_mail,
        "call the catalogue": invoke("catalogue"),
    },
    "authorizer": {
        "read objects": READ,
        "list objects": LIST,
        "store": STORE,
        "mark deleted": MARK_DELETED,
        "write a row": WRITE_A_ROW,
        "forget a machine": FORGET_A_MACHINE,
        "take events": TAKE_EVENTS,
        "send mail": send_mail,
        "ask for discards": invoke("discard"),
    },
    "catalogue": {
        "store": STORE,
        "mark deleted": MARK_DELETED,
        "retag": RETAG,
        "forget a machine": FORGET_A_MACHINE,
        "send mail": send_mail,
    },
    "weekly_report": {
        "read objects": READ,
        "list objects": LIST,
        "store": STORE,
        "mark deleted": MARK_DELETED,
        "forget a machine": FORGET_A_MACHINE,
        "take events": TAKE_EVENTS,
        "ask for discards": invoke("discard"),
    },
    "discard": {
        "store": STORE,
        "retag": RETAG,
        "forget a machine": FORGET_A_MACHINE,
        "take events": TAKE_EVENTS,
        "send mail": send_mail,
        "call itself": invoke("discard"),
    },
    "thaw": {
        "read objects": READ,
        "store": STORE,
        "mark deleted": MARK_DELETED,
        "retag": RETAG,
        "forget a machine": FORGET_A_MACHINE,
        "take events": TAKE_EVENTS,
        "send mail": send_mail,
        "ask for discards": invoke("discard"),
        "call itself": invoke("thaw"),
    },
    "let_go": {
        "store": STORE,
        "retag by name": RETAG,
        "read an old version": lambda role, target: role.client("s3").get_object(
            Bucket=target.bucket, Key=target.key, VersionId=target.version
        ),
        "unlock": on_object("put_object_retention", Retention={"Mode": "GOVERNANCE"}),
        "forget a machine": FORGET_A_MACHINE,
        "take events": TAKE_EVENTS,
        "send mail": send_mail,
        "ask for discards": invoke("discard"),
        "call itself": invoke("let_go"),
    },
    "reconcile": {
        "store": STORE,
        "mark deleted": MARK_DELETED,
        "retag": RETAG,
        "forget a machine": FORGET_A_MACHINE,
        "take events": TAKE_EVENTS,
        "send mail": send_mail,
        "call itself": invoke("reconcile"),
    },
    "weekly_reconcile": {
        "store": STORE,
        "mark deleted": MARK_DELETED,
        "retag": RETAG,
        "forget a machine": FORGET_A_MACHINE,
        "take events": TAKE_EVENTS,
        "send mail": send_mail,
        "call another like it": invoke("reconcile"),
    },
    "admin": {
        "read objects": READ,
        "store": STORE,
        "mark deleted": MARK_DELETED,
        "retag": RETAG,
        "take events": TAKE_EVENTS,
        "ask for discards": invoke("discard"),
    },
    "admin_read": {
        "read objects": READ,
        "store": STORE,
        "mark deleted": MARK_DELETED,
        "retag": RETAG,
        "write a row": WRITE_A_ROW,
        "forget a machine": FORGET_A_MACHINE,
        "take events": TAKE_EVENTS,
        "send mail": send_mail,
        "ask for discards": invoke("discard"),
        "ask for thaws": invoke("thaw"),
        "have chains let go": invoke("let_go"),
        "call itself": invoke("admin_read"),
    },
}
"""What the others may and this one may not."""

ALLOWED: dict[str, dict[str, Call]] = {
    "api_handler": {"read objects": READ, "list objects": LIST, "give a lease back": FORGET_A_LEASE},
    "authorizer": {"read a row": READ_A_ROW},
    "catalogue": {"read objects": READ, "take events": TAKE_EVENTS, "ask for discards": invoke("discard")},
    "weekly_report": {"read rows": READ_ROWS, "write a row": WRITE_A_ROW, "send mail": send_mail},
    "discard": {"list objects": LIST, "read a row": READ_A_ROW},
    "thaw": {"ask for archived volumes": thaw, "list objects": LIST, "write a row": WRITE_A_ROW},
    "let_go": {
        "list versions": LIST_VERSIONS,
        "read objects": READ,
        "tag a version": tag_a_version_with_what_it_has,
        "mark deleted": mark_nothing_in_bulk,
        "read the rules": on_bucket("get_bucket_versioning"),
        "write a row": WRITE_A_ROW,
    },
    "reconcile": {"read objects": READ, "ask for discards": invoke("discard")},
    "weekly_reconcile": {"read objects": READ, "read rows": READ_ROWS, "ask for discards": invoke("discard")},
    "admin": {"list versions": LIST_VERSIONS, "write a row": WRITE_A_ROW, "send mail": send_mail},
    "admin_read": {
        "list versions": LIST_VERSIONS,
        "read rows": READ_ROWS,
        "read the rules": on_bucket("get_bucket_versioning"),
    },
}
"""The control: the credentials work, and what they are refused is refused to them."""


LAXER_THAN_AWS = {
    **{
        (name, "delete versions in bulk"): "it asks for s3:DeleteObject only, where AWS asks for"
        " s3:DeleteObjectVersion of each object that is named with a version"
        for name in ("discard", "let_go")
    },
    **{
        (name, "forget a machine"): "it knows no dynamodb:LeadingKeys; tests/ops reads the condition"
        for name in ("api_handler", "catalogue", "let_go", "reconcile", "weekly_reconcile")
    },
}
"""What MiniStack lets pass, and why. The tests hold it to exactly this."""


def refusal_of(role: Role, target: Target, call: Call) -> str | None:
    try:
        call(role, target)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return None


def check_denied(role: Role, target: Target, short_name: str, action: str, call: Call) -> None:
    refusal = refusal_of(role, target, call)
    if (short_name, action) in LAXER_THAN_AWS:
        assert refusal is None, "no longer laxer than AWS: take this off the list"
    else:
        assert refusal in DENIED


@pytest.mark.parametrize("action", FOR_NONE)
@pytest.mark.parametrize("short_name", LAMBDA_FUNCTIONS)
def test_no_function_may(roles: dict[str, Role], target: Target, short_name: str, action: str) -> None:
    check_denied(roles[short_name], target, short_name, action, FOR_NONE[action])


@pytest.mark.parametrize(
    ("short_name", "action"), [(name, action) for name, calls in FORBIDDEN.items() for action in calls]
)
def test_a_function_may_not(roles: dict[str, Role], target: Target, short_name: str, action: str) -> None:
    check_denied(roles[short_name], target, short_name, action, FORBIDDEN[short_name][action])


@pytest.mark.parametrize("short_name", [name for name in LAMBDA_FUNCTIONS if name != "thaw"])
def test_no_function_but_one_asks_for_archived_volumes(
    roles: dict[str, Role], target: Target, short_name: str
) -> None:
    """It is paid by the GB: whoever takes the API over must not be able to run up a bill."""
    check_denied(roles[short_name], target, short_name, "thaw", thaw)


@pytest.mark.parametrize("short_name", [name for name in LAMBDA_FUNCTIONS if name != "let_go"])
def test_no_function_but_one_tags_a_version_as_let_go(
    roles: dict[str, Role], target: Target, short_name: str
) -> None:
    check_denied(roles[short_name], target, short_name, "tag a version", tag_a_version)


@pytest.mark.parametrize(
    ("short_name", "action"), [(name, action) for name, calls in ALLOWED.items() for action in calls]
)
def test_a_function_may(roles: dict[str, Role], target: Target, short_name: str, action: str) -> None:
    assert refusal_of(roles[short_name], target, ALLOWED[short_name][action]) is None


def test_after_all_this_everything_is_as_it_was(
    deployed: Deployed, laptop: Machine, target: Target, roles: dict[str, Role]
) -> None:
    s3 = deployed.client("s3")
    found = s3.head_object(Bucket=target.bucket, Key=target.key)
    assert found["VersionId"] == target.version
    assert s3.get_bucket_versioning(Bucket=target.bucket)["Status"] == "Enabled"
    laptop.do("backup", "incremental")
    deployed.laptops.wait_for_sets("anna-laptop", 3)
