"""The packaged service on a stack of these tests' own, with IAM enforced."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from ops.aws import Aws
from ops.demo.laptop import gpg_folder
from ops.local.stack import LocalStack
from ops.local.stack_file import StackDescription
from ops.service.admin_client import AdminClient, local_admin_client
from tests.end_to_end.conftest import Machine, Service
from tests.service.conftest import service

__all__ = ["service"]

WITHOUT_A_TOKEN = (
    "/enrolments",
    "/recoveries",
    "/client",
    "/client/requirements.txt",
    "/client/{version}",
    "/client/{version}/requirements.txt",
)
"""Calls that carry a code, or nothing at all."""


@dataclass
class Deployed:
    """The running service, with the owner's rights to look behind it and to act on it."""

    stack: StackDescription
    aws: Aws
    admin: AdminClient
    state_folder: Path
    laptops: Service
    """As the end-to-end tests have it: enrols machines and waits for sets."""

    def client(self, service: str, **settings: Any) -> Any:
        return self.aws.client(service, **settings)

    def call(
        self, method: str, path: str, authorization: str | None = None, body: object = None
    ) -> httpx.Response:
        headers = {} if authorization is None else {"Authorization": authorization}
        return httpx.request(method, self.stack.api_url + path, headers=headers, json=body, timeout=30)

    def rows(self) -> list[dict[str, Any]]:
        """Every row of the table, as DynamoDB writes it."""
        pages = self.client("dynamodb").get_paginator("scan").paginate(TableName=self.stack.table)
        return [row for page in pages for row in page["Items"]]

    def mails(self) -> dict[str, list[dict[str, Any]]]:
        """By account; with subject, text and HTML."""
        messages = httpx.get(f"{self.stack.endpoint}/_ministack/ses/messages").json()["messages"]
        return dict(messages)


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    state_folder = tmp_path_factory.mktemp("enforcing")
    local = LocalStack(state_folder)
    try:
        stack = local.up(enforce_iam=True)
        aws, admin = Aws(stack.region, stack.endpoint), local_admin_client(stack)
        with gpg_folder(is_quick=True) as gpg:
            laptops = Service(stack, admin, aws.client("s3"), tmp_path_factory.mktemp("laptops"), gpg)
            yield Deployed(stack, aws, admin, state_folder, laptops)
    finally:
        local.down()


@pytest.fixture(scope="session")
def laptop(deployed: Deployed) -> Machine:
    """A machine that has enrolled, backed up in full and made an increment, all under enforced IAM."""
    machine = deployed.laptops.machine("anna-laptop")
    (machine.source / "letter.txt").write_text("Dear Ben,\n" * 100)
    machine.do("backup", "full")
    (machine.source / "postcard.txt").write_text("Wish you were here.\n")
    machine.do("backup", "incremental")
    deployed.laptops.wait_for_sets("anna-laptop", 2)
    return machine
