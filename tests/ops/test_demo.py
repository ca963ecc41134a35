"""The whole demonstration on small data, and what it says when something is wrong."""

from __future__ import annotations

import dataclasses
import email
import email.policy
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.aws import Aws
from ops.demo.compare_trees import record_tree
from ops.demo.run import DemoResult, bucket_differences, failure_sentence, run_demo
from ops.demo.source_trees import make_photo_tree
from ops.local.received_mail import received_mails
from ops.local.stack import LocalStack
from ops.local.thaw_hook import ThawHook
from ops.service.admin_client import local_admin_client
from ops.steps import silent_steps


@dataclasses.dataclass(frozen=True)
class Finished:
    summary: DemoResult
    folder: Path
    source: Path
    local: LocalStack


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    folder = tmp_path_factory.mktemp("demo")
    source = folder / "mine"
    make_photo_tree(source, {"2023/one": (1, 1), "2024/two": (1, 1)})
    local = LocalStack(folder / "stack")
    try:
        summary = run_demo(
            source,
            silent_steps(),
            local=local,
            folder=folder / "results",
            photo_sizes_mb={"2025/a": (1, 2, 1)},
        )
        yield Finished(summary, folder / "results", source, local)
    finally:
        local.down()


def test_it_finds_no_difference(finished: Finished) -> None:
    assert finished.summary.differences == []
    assert failure_sentence(finished.summary) is None


def test_its_summary_says_what_was_done(finished: Finished) -> None:
    summary = json.loads((finished.folder / "summary.json").read_text())
    assert summary == dataclasses.asdict(finished.summary)
    assert summary["machines"] == ["laptop", "studio"]
    assert summary["jobs"] == ["laptop/system", "studio/system"]
    assert [name.split("/")[1].split(".")[0] for name in summary["sets"]] == ["full", "inc", "full", "inc"]
    assert summary["volumes"] >= len(summary["sets"])
    assert summary["bytes"] > 8 * 2**20
    assert summary["files_restored"] > 10
    assert all(seconds >= 0 for seconds in summary["seconds"].values())


def test_one_file_came_back_from_deep_archive_by_its_own_volumes_and_for_a_price(finished: Finished) -> None:
    thawed = finished.summary.thawed
    original = finished.folder / "laptop" / "source" / thawed.path
    restored = finished.folder / "laptop" / "thawed" / thawed.path
    assert restored.read_bytes() == original.read_bytes()
    stack = finished.local.description()
    assert stack is not None
    calls = ThawHook(stack.endpoint).calls()
    assert sorted(calls.by_key.values()) == [1] * thawed.volumes
    assert thawed.volumes <= thawed.archived_volumes
    assert 0 < thawed.usd < 0.01
    volumes = (
        Aws(stack.region, stack.endpoint)
        .client("s3")
        .list_objects_v2(Bucket=stack.bucket, Prefix="laptop/system/data_")["Contents"]
    )
    assert {item["StorageClass"] for item in volumes} == {"DEEP_ARCHIVE"}
    assert len(volumes) == thawed.archived_volumes


def test_the_mail_is_there_as_it_was_received(finished: Finished) -> None:
    stack = finished.local.description()
    assert stack is not None
    [received] = [
        mail for mail in received_mails(stack.endpoint) if mail.subject == finished.summary.mail_subject
    ]
    raw = (finished.folder / "mail.eml").read_bytes()
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert message["Subject"] == received.subject
    text_part, html_part = message.get_body(("plain",)), message.get_body(("html",))
    assert text_part is not None
    assert html_part is not None
    assert text_part.get_content().strip() == received.text.strip()
    assert html_part.get_content().strip() == received.html.strip()
    assert (finished.folder / "mail.html").read_text(encoding="utf-8") == received.html
    assert (finished.folder / "mail.txt").read_text(encoding="utf-8") == received.text


def test_the_persons_own_folder_was_only_read(finished: Finished) -> None:
    tree = record_tree(finished.source)
    assert sorted(path for path, entry in tree.items() if entry.kind == "file") == [
        "2023/one/DSC_0001.NEF",
        "2023/one/DSC_0002.NEF",
        "2024/two/DSC_0001.NEF",
        "2024/two/DSC_0002.NEF",
    ]


def test_an_object_that_belongs_to_nobody_is_a_failure(finished: Finished) -> None:
    stack = finished.local.description()
    assert stack is not None
    aws = Aws(stack.region, stack.endpoint)
    aws.client("s3").put_object(Bucket=stack.bucket, Key="holiday.jpg", Body=b"not a backup")
    found = bucket_differences(stack, local_admin_client(stack), ["laptop", "studio"], wait_seconds=1)
    assert any("holiday.jpg" in text for text in found)


def test_a_difference_is_reported_in_a_few_lines(finished: Finished) -> None:
    broken = dataclasses.replace(finished.summary, differences=[f"file {n} is missing" for n in range(25)])
    sentence = failure_sentence(broken)
    assert sentence is not None
    assert sentence.startswith("Something differs (25):\n  file 0 is missing\n")
    assert sentence.endswith("and 15 more")
