"""All volumes of a machine are in Deep Archive: a file, a folder as it was, and everything come back byte for byte, and
what plan, mail and statement say of it are the bytes in the bucket and the prices of the rules.

The tests build on each other, in the order in which they stand: what the thaws of a month cost adds up.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from chalicelib.adapters.price_files import price_table
from chalicelib.domain.backups.storage import DEEP_ARCHIVE
from chalicelib.domain.backups.tallies import Tally
from chalicelib.domain.costs.price_table import PriceTable
from chalicelib.domain.costs.pricing import get_cost, read_cost, thaw_cost
from chalicelib.domain.mail.phrases import format_small_money
from chalicelib.domain.restore.plans import LEAST_DAYS, rounded_up
from chalicelib.wire import ThawTier
from ops.aws import Aws
from ops.demo.compare_trees import differences, record_tree
from ops.local.received_mail import received_mails
from ops.local.thaw_hook import ThawHook
from ops.service.lambda_function import LambdaFunction
from tests.end_to_end.api_thaws import hooked
from tests.end_to_end.conftest import Ended, Machine, Service
from tests.end_to_end.test_the_main_job import change, fill

NAME = "deep-laptop"


@pytest.fixture(scope="module")
def machine(service: Service) -> Machine:
    """With a full backup in several volumes and two increments, all in Deep Archive."""
    machine = service.machine(NAME)
    fill(machine.source)
    machine.remember("full")
    machine.do("backup")
    change(machine.source)
    machine.remember("increment")
    machine.do("backup")
    with (machine.source / "2020/wedding/IMG_0.raw").open("ab") as file:
        file.write(b"cropped")
    machine.remember("newest")
    machine.do("backup")
    service.wait_for_sets(NAME, 3)
    assert ThawHook(service.stack.endpoint).freeze(NAME) == len(service.keys(f"{NAME}/system/data_")) > 7
    return machine


@pytest.fixture
def hook(service: Service, machine: Machine) -> Iterator[ThawHook]:
    """Where copies of earlier thaws have lapsed."""
    with hooked(service.stack.endpoint, 0.5) as hook:
        hook.expire(NAME)
        yield hook


@pytest.fixture(scope="module")
def paid() -> list[Decimal]:
    """What the thaws of the tests so far cost."""
    return []


def prices() -> PriceTable:
    table = price_table("us-east-1")
    assert table is not None
    return table


def by_the_rules(volumes: int, size_bytes: int, tier: ThawTier) -> Decimal:
    """All that bringing them back costs, where less than the free 100 GB has left AWS this month."""
    table, tally = prices(), Tally(volumes, size_bytes)
    fetched = get_cost(table, DEEP_ARCHIVE, volumes) + read_cost(table, DEEP_ARCHIVE, size_bytes)
    return rounded_up(thaw_cost(table, DEEP_ARCHIVE, tier, tally, LEAST_DAYS) + fetched)


def planned(service: Service, machine: Machine, *words: str) -> dict[str, int]:
    """The keys that a restore needs, with their sizes; its plan has their bytes and prices."""
    plan: dict[str, Any] = json.loads(machine.do("restore", *words, "--dry-run", "--json").output)
    stored = service.keys(f"{NAME}/system/data_")
    needed = {
        key: stored[key]
        for one in plan["volumes"]
        for number in one["numbers"]
        for key in [f"{NAME}/system/data_duplicity-{one['set']}.vol{number}.difftar.gpg"]
    }
    size_bytes = sum(needed.values())
    assert (plan["thaw"]["archived"], plan["thaw"]["readable"]) == (len(needed), 0)
    assert plan["thaw"]["archived_bytes"] == plan["thaw"]["bytes"] == size_bytes
    assert {offer["tier"]: offer["usd"] for offer in plan["thaw"]["tiers"]} == {
        tier.value: float(by_the_rules(len(needed), size_bytes, tier))
        for tier in (ThawTier.STANDARD, ThawTier.BULK)
    }
    return needed


def asked_for(service: Service, hook: ThawHook) -> dict[str, int]:
    """How often S3 was asked for each key."""
    found = {
        key.removeprefix(f"{service.stack.bucket}/"): count for key, count in hook.calls().by_key.items()
    }
    return {key: count for key, count in found.items() if key.startswith(f"{NAME}/")}


def mail_about(service: Service, subject: str) -> str:
    """The text of the mail that comes within the minute, or already came; the minute's tick is called here."""
    tick = {"id": "", "account": "", "region": "", "time": "", "source": "", "detail": {}, "resources": []}
    function = LambdaFunction(
        Aws(service.stack.region, service.stack.endpoint), service.stack.functions["alerts"]
    )

    def found() -> list[str]:
        function.call({**tick, "version": "0", "detail-type": "Scheduled Event"})
        return [
            mail.text
            for mail in received_mails(service.stack.endpoint)
            if NAME in mail.subject + mail.text and subject in mail.subject + mail.text
        ]

    texts: list[str] = service.wait(found, bool)
    return texts[-1]


def restored(machine: Machine, target: Path, *words: str) -> Ended:
    return machine.run("restore", *words, "--to", str(target), "--yes")


def test_one_file_comes_back_by_the_one_volume_that_has_it(
    service: Service, machine: Machine, hook: ThawHook, paid: list[Decimal], tmp_path: Path
) -> None:
    file, target = "2019/harbour/IMG_2.raw", tmp_path / "one"
    needed = planned(service, machine, file)
    assert len(needed) <= 2 < len(service.keys(f"{NAME}/system/data_"))
    ended = restored(machine, target, file)
    assert ended.code == 75, ended.said
    assert "then run again: panicroom restore" in ended.said
    assert not target.exists()
    thaws = [row for row in service.admin.call("thaws")["thaws"] if row["machine"] == NAME]
    assert [row["bytes"] for row in thaws] == [sum(needed.values())]
    service.wait(
        lambda: [row["state"] for row in service.admin.call("thaws")["thaws"] if row["machine"] == NAME],
        lambda states: states == ["ready"],
    )
    ended = restored(machine, target, file)
    assert ended.code == 0, ended.said
    assert (target / file).read_bytes() == (machine.source / file).read_bytes()
    assert asked_for(service, hook) == dict.fromkeys(needed, 1)
    price = by_the_rules(len(needed), sum(needed.values()), ThawTier.BULK)
    assert [row["usd"] for row in thaws] == [float(price)]
    count = "1 volume" if len(needed) == 1 else f"{len(needed)} volumes"
    assert f"A thaw of {count} (" in mail_about(service, "can be downloaded")
    paid.append(price)


def test_a_folder_comes_back_as_it_was_while_the_command_waits(
    service: Service, machine: Machine, hook: ThawHook, paid: list[Decimal], tmp_path: Path
) -> None:
    full = service.sets(NAME)[0]["set"].removeprefix("full.")
    words, target = ("2020/wedding", "--time", full), tmp_path / "folder"
    needed = planned(service, machine, *words)
    ended = restored(machine, target, *words, "--wait", "--tier", "standard")
    assert ended.code == 0, ended.said
    before = {
        path: entry for path, entry in machine.snapshots["full"].items() if path.startswith("2020/wedding")
    }
    found = {path: entry for path, entry in record_tree(target).items() if path.startswith("2020/wedding")}
    assert differences(before, found) == []
    assert asked_for(service, hook) == dict.fromkeys(needed, 1)
    paid.append(by_the_rules(len(needed), sum(needed.values()), ThawTier.STANDARD))


def test_everything_comes_back_once_the_owner_has_approved_its_price(
    service: Service, machine: Machine, hook: ThawHook, paid: list[Decimal], tmp_path: Path
) -> None:
    service.admin.call("machine_set", name=NAME, thaw_budget_usd=0)
    needed, target = planned(service, machine), tmp_path / "everything"
    ended = restored(machine, target)
    assert ended.code != 0
    assert "thaw approve" in ended.said
    assert asked_for(service, hook) == {}
    thaws = service.admin.call("thaws")["thaws"]
    [waiting] = [row for row in thaws if (row["machine"], row["state"]) == (NAME, "waiting")]
    price = by_the_rules(len(needed), sum(needed.values()), ThawTier.BULK)
    text = mail_about(service, "waits for you")
    assert f"This thaw costs ${price}" in text
    assert f"python -m ops thaw approve {waiting['thaw'][:4]}" in text
    service.admin.call("thaw_approve", thaw=waiting["thaw"])
    ended = restored(machine, target, "--wait")
    assert ended.code == 0, ended.said
    assert differences(machine.snapshots["newest"], record_tree(target)) == []
    assert asked_for(service, hook) == dict.fromkeys(needed, 1)
    paid.append(price)


def test_the_statement_has_the_prices_that_were_agreed_to(
    service: Service, machine: Machine, paid: list[Decimal]
) -> None:
    assert len(paid) == 3
    budgets = service.admin.call("thaws")["budgets"]
    [month] = [row for row in budgets if row["machine"] == NAME]
    assert month["reserved_usd"] == pytest.approx(float(paid[0] + paid[1]), abs=1e-9)
    assert month["approved_usd"] == pytest.approx(float(paid[2]), abs=1e-9)
    statement = service.admin.call("report_preview")["text"]
    [line] = [line for line in statement.splitlines() if "Of that for thaws" in line]
    sums = ("reserved_usd", "approved_usd", "drills_usd")
    amounts = [Decimal(str(row[name])) for row in budgets for name in sums]
    assert f" {format_small_money(sum(amounts, Decimal(0)))}" in line
