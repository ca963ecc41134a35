"""Bringing the price tables up to date: from documents of the Price List API's shape, and over HTTP from a stub."""

from __future__ import annotations

import http.server
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from chalicelib.adapters.price_files import FOLDER, price_table
from ops.aws import Aws
from ops.cli import commands
from ops.errors import OpsError
from ops.functions.package import PROJECT
from ops.prices import OFFERS, prices_of, refresh_prices

TODAY = date(2027, 2, 1)


def product(
    usage_type: str, *steps: tuple[str, str], operation: str = "", **attributes: str
) -> dict[str, Any]:
    """One entry of ``PriceList`` as GetProducts gives it (decoded)."""
    sku = f"SKU-{usage_type}-{operation}"
    dimensions = {
        f"{sku}.{number}": {
            "beginRange": start,
            "endRange": "Inf",
            "unit": "GB-Mo",
            "pricePerUnit": {"USD": usd},
        }
        for number, (start, usd) in enumerate(steps)
    }
    return {
        "serviceCode": "AmazonS3",
        "product": {
            "sku": sku,
            "attributes": {"usagetype": usage_type, "operation": operation, **attributes},
        },
        "terms": {"OnDemand": {f"{sku}.JRTCKXETXF": {"priceDimensions": dimensions}}},
    }


def standard(prefix: str, *steps: tuple[str, str]) -> dict[str, Any]:
    usage_type = f"{prefix}TimedStorage-ByteHrs"
    return product(usage_type, *steps, volumeType="Standard", storageClass="General Purpose")


IRELAND = [
    # The steps in no order, as the API gives them.
    standard("EU-", ("512000", "0.0210000000"), ("0", "0.0230000000"), ("51200", "0.0220000000")),
    product(
        "EU-TimedStorage-ByteHrs", ("0", "0.0208"), operation="INTAAS3ObjectOverhead", volumeType="Other"
    ),
    product("EU-Tables-TimedStorage-ByteHrs", ("0", "0.0265")),
    product("EU-TimedStorage-GIR-ByteHrs", ("0", "0.0040000000")),
    product("EU-Requests-Tier1", ("0", "0.0000050000")),
    product("EU-Requests-Tier3", ("0", "0.0000500000"), operation="RestoreObject"),
    product("EU-Requests-Tier3", ("0", "0.0000300000"), operation="S3-GlacierTransition"),
    product("EU-Requests-Tier3", ("0", "0.0000500000"), operation="S3-GDATransition"),
    product("EU-DataTransfer-Out-Bytes", ("0", "0.0000000000")),
    product("EU-DataTransfer-Out-Bytes", ("0", "0.0900000000"), ("10240", "0.0850000000"), operation="x"),
    # Two prices for one thing: not to be guessed.
    product("EU-Retrieval-GIR", ("0", "0.0300000000")),
    product("EU-Retrieval-GIR", ("0", "0.0500000000"), operation="SomethingElse"),
    product("USW2-TimedStorage-GlacierByteHrs", ("0", "9.9")),
]


def test_steps_are_put_in_order() -> None:
    steps = prices_of(IRELAND)["storage/STANDARD"]
    assert [(int(one.start), one.usd) for one in steps] == [
        (0, Decimal("0.023")),
        (51200, Decimal("0.022")),
        (512000, Decimal("0.021")),
    ]


def test_one_usage_type_with_several_prices_is_reported_apart_by_its_operation() -> None:
    found = prices_of(IRELAND)
    assert found["thaw-request/GLACIER/Standard"][0].usd == Decimal("0.00005")
    assert found["transition/GLACIER"][0].usd == Decimal("0.00003")


def test_what_products_disagree_about_is_not_guessed() -> None:
    assert "read/GLACIER_IR" not in prices_of(IRELAND)


def test_a_free_part_is_not_taken_for_the_price() -> None:
    assert prices_of(IRELAND)["transfer-out"][0].usd == Decimal("0.09")


def test_other_regions_are_not_mistaken() -> None:
    assert "storage/GLACIER" not in prices_of(IRELAND)


def test_virginia_has_no_prefix() -> None:
    found = prices_of([standard("", ("0", "0.023")), product("TimedStorage-GIR-ByteHrs", ("0", "0.004"))])
    assert found["storage/GLACIER_IR"][0].usd == Decimal("0.004")


def test_prices_in_another_currency_are_no_prices() -> None:
    beijing = standard("CNN1-", ("0", "0.023"))
    yuan = product("CNN1-TimedStorage-GIR-ByteHrs", ("0", "0.03"))
    for dimension in next(iter(yuan["terms"]["OnDemand"].values()))["priceDimensions"].values():
        dimension["pricePerUnit"] = {"CNY": "0.2"}
    assert set(prices_of([beijing, yuan])) == {"storage/STANDARD"}


def test_entries_without_product_attributes_or_terms_are_passed_over() -> None:
    odd: list[dict[str, Any]] = [
        {"serviceCode": "AmazonS3", "terms": {}},
        {"product": {"sku": "X"}, "terms": {"OnDemand": {}}},
        {"product": {"sku": "Y", "attributes": {"usagetype": "EU-Requests-Tier1", "operation": ""}}},
        {
            "product": {"sku": "Z", "attributes": {"usagetype": "EU-Requests-Tier2", "operation": ""}},
            "terms": {"Reserved": {}},
        },
    ]
    assert prices_of([*odd, *IRELAND]) == prices_of(IRELAND)


def test_a_product_whose_first_step_is_missing_has_no_price() -> None:
    found = prices_of([standard("", ("51200", "0.022"), ("512000", "0.021"))])
    assert found == {}


def test_two_terms_of_one_product_that_disagree_are_not_guessed() -> None:
    """Such a table could not even be read back: its steps would begin at 0 twice."""
    twice = standard("", ("0", "0.023"), ("51200", "0.022"))
    terms = twice["terms"]["OnDemand"]
    terms["later"] = {"priceDimensions": {"x": {"beginRange": "0", "pricePerUnit": {"USD": "0.024"}}}}
    assert prices_of([twice]) == {}


def test_every_thaw_is_found_where_aws_lists_it() -> None:
    """Deep Archive's requests have an offer of their own, its bytes stand beside those of Flexible Retrieval."""
    listed = {
        "thaw/GLACIER/Expedited": ("EUC1-Expedited-Retrieval-Bytes", "", "0.0360000000"),
        "thaw/GLACIER/Standard": ("EUC1-Standard-Retrieval-Bytes", "RestoreObject", "0.0120000000"),
        "thaw/GLACIER/Bulk": ("EUC1-Bulk-Retrieval-Bytes", "RestoreObject", "0.0000000000"),
        "thaw/DEEP_ARCHIVE/Standard": (
            "EUC1-Standard-Retrieval-Bytes",
            "DeepArchiveRestoreObject",
            "0.0240000000",
        ),
        "thaw/DEEP_ARCHIVE/Bulk": ("EUC1-Bulk-Retrieval-Bytes", "DeepArchiveRestoreObject", "0.0050000000"),
        "thaw-request/GLACIER/Expedited": ("EUC1-Requests-Tier6", "", "0.0120000000"),
        "thaw-request/GLACIER/Standard": ("EUC1-Requests-Tier3", "RestoreObject", "0.0000600000"),
        "thaw-request/GLACIER/Bulk": ("EUC1-Requests-Tier5", "", "0.0000000000"),
        "thaw-request/DEEP_ARCHIVE/Standard": ("EUC1-Requests-GDA-Tier3", "", "0.0001200000"),
        "thaw-request/DEEP_ARCHIVE/Bulk": ("EUC1-Requests-GDA-Tier5", "", "0.0000300000"),
    }
    products = [product(usage, ("0", usd), operation=operation) for usage, operation, usd in listed.values()]
    found = prices_of([standard("EUC1-", ("0", "0.0245")), *products])
    assert {name: found[name][0].usd for name in listed} == {
        name: Decimal(usd) for name, (_, _, usd) in listed.items()
    }
    without_bulk = [one for one in products if "Tier5" not in one["product"]["attributes"]["usagetype"]]
    found = prices_of([standard("EUC1-", ("0", "0.0245")), *without_bulk])
    assert "thaw-request/DEEP_ARCHIVE/Bulk" not in found  # missing is not nothing
    assert found["thaw/GLACIER/Bulk"][0].usd == 0


@contextmanager
def price_list(products: list[dict[str, Any]]) -> Iterator[str]:
    """A stub of the API that answers the first service with the products, three a page, and the others with nothing."""
    asked: list[str] = []
    pages = [products[start : start + 3] for start in range(0, len(products), 3)]

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.headers["X-Amz-Target"] == "AWSPriceListService.GetProducts"
            asked.append(request["ServiceCode"])
            answer: dict[str, Any] = {"FormatVersion": "aws_v1", "PriceList": []}
            number = int(request.get("NextToken", "0"))
            if set(asked) == {request["ServiceCode"]} and number < len(pages):
                answer["PriceList"] = [json.dumps(one) for one in pages[number]]
                answer["NextToken"] = str(number + 1)
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert set(asked) == {offer.service for offer in OFFERS.values()}


def test_a_new_region_gets_a_table_of_what_aws_lists(tmp_path: Path) -> None:
    with price_list(IRELAND) as endpoint:
        found = refresh_prices(Aws(None, endpoint), "eu-west-1", TODAY, tmp_path)
    table = price_table("eu-west-1", tmp_path)
    assert table == found.table
    assert table is not None
    assert (table.as_of, table.first("storage/GLACIER_IR")) == (TODAY, Decimal("0.004"))
    assert "read/GLACIER_IR" in found.kept


def test_a_refresh_keeps_what_is_not_listed_and_tells_what_changed(tmp_path: Path) -> None:
    shutil.copy(FOLDER / "us-east-1.json", tmp_path)
    products = [standard("", ("0", "0.023")), product("TimedStorage-GIR-ByteHrs", ("0", "0.005"))]
    words = ["prices", "refresh", "--region", "us-east-1", "--folder", str(tmp_path)]
    with price_list(products) as endpoint:
        result = CliRunner().invoke(commands, [*words, "--endpoint", endpoint])
    assert result.exit_code == 0, result.output
    assert "us-east-1 storage/GLACIER_IR: $0.004 -> $0.005" in result.output
    assert "left as it was" in result.output
    table = price_table("us-east-1", tmp_path)
    assert table is not None
    assert table.first("thaw/DEEP_ARCHIVE/Bulk") == Decimal("0.0025")


def test_a_refresh_for_programs(tmp_path: Path) -> None:
    words = ["prices", "refresh", "--region", "eu-west-1", "--folder", str(tmp_path), "--json"]
    with price_list(IRELAND) as endpoint:
        result = CliRunner().invoke(commands, [*words, "--endpoint", endpoint])
    [answer] = json.loads(result.stdout)
    assert answer["region"] == "eu-west-1"
    assert {"price": "storage/GLACIER_IR", "before": None, "after": "0.0040000000"} in answer["changes"]


def test_a_region_that_is_none_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with (
        price_list([]) as endpoint,
        pytest.raises(OpsError, match=r"no S3 prices for eu-middle-9.*such as eu-west-1"),
    ):
        refresh_prices(Aws(None, endpoint), "eu-middle-9", TODAY, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_an_answer_the_sentence_says_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(OpsError, match="pricing:GetProducts"):
        refresh_prices(Aws(None, "http://127.0.0.1:9"), "us-east-1", TODAY, tmp_path)


def test_the_command_that_the_document_names_shows_each_part() -> None:
    command = "-m tools.docs.price_examples"
    assert f"`.venv/bin/python {command}` shows each part" in (PROJECT / "docs" / "prices.md").read_text()
    printed = subprocess.run(
        [sys.executable, *command.split()], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout
    assert "us-east-1, 1,000 machine(s), in full and after allowances:" in printed
    assert printed.count("all of it") == 6
