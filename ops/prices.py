"""Brings a region's price table up to date from AWS's Price List API.

The API's answers are the offer files' products. A product is matched by its usage type, exactly and behind the
region's own prefix (``EUC1-``, nothing in Virginia), and by its operation, since one usage type may have several
prices that differ in that alone. What is not found keeps its old price, and is listed.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.adapters.price_files import FOLDER, price_table
from chalicelib.domain.costs.price_table import PriceTable, PriceTier, write_price_table
from ops.aws import Aws
from ops.errors import OpsError

PRICE_LIST_REGION = "us-east-1"
"""The API has a few regions only, which answer for all others."""

STANDARD_STORAGE = "TimedStorage-ByteHrs"


S3 = "AmazonS3"
S3_DEEP_ARCHIVE = "AmazonS3GlacierDeepArchive"


@dataclasses.dataclass(frozen=True)
class Offer:
    """Where AWS lists one of our prices; usage types are those of the S3 user guide, "aws-usage-report-understand".

    ``operation`` is ``None`` where it does not matter. ``dearest``: the free part is a product of its own.
    """

    service: str
    usage_type: str
    operation: str | None = None
    dearest: bool = False


OFFERS: Mapping[str, Offer] = {
    "storage/STANDARD": Offer(S3, STANDARD_STORAGE, ""),
    "storage/STANDARD_IA": Offer(S3, "TimedStorage-SIA-ByteHrs", ""),
    "storage/GLACIER_IR": Offer(S3, "TimedStorage-GIR-ByteHrs", ""),
    "storage/GLACIER": Offer(S3, "TimedStorage-GlacierByteHrs", ""),
    "storage/DEEP_ARCHIVE": Offer(S3_DEEP_ARCHIVE, "TimedStorage-GDA-ByteHrs"),
    "put/STANDARD": Offer(S3, "Requests-Tier1", ""),
    "put/STANDARD_IA": Offer(S3, "Requests-SIA-Tier1", ""),
    "put/GLACIER_IR": Offer(S3, "Requests-GIR-Tier1", ""),
    "put/GLACIER": Offer(S3, "Requests-GLACIER-Tier1", "PutObject"),
    "get/STANDARD": Offer(S3, "Requests-Tier2", ""),
    "get/STANDARD_IA": Offer(S3, "Requests-SIA-Tier2", ""),
    "get/GLACIER_IR": Offer(S3, "Requests-GIR-Tier2", ""),
    "get/GLACIER": Offer(S3, "Requests-GLACIER-Tier2"),
    "get/DEEP_ARCHIVE": Offer(S3_DEEP_ARCHIVE, "Requests-GDA-Tier2"),
    "read/STANDARD_IA": Offer(S3, "Retrieval-SIA"),
    "read/GLACIER_IR": Offer(S3, "Retrieval-GIR"),
    "thaw/GLACIER/Expedited": Offer(S3, "Expedited-Retrieval-Bytes"),
    "thaw/GLACIER/Standard": Offer(S3, "Standard-Retrieval-Bytes", "RestoreObject"),
    "thaw/GLACIER/Bulk": Offer(S3, "Bulk-Retrieval-Bytes", "RestoreObject"),
    "thaw/DEEP_ARCHIVE/Standard": Offer(S3, "Standard-Retrieval-Bytes", "DeepArchiveRestoreObject"),
    "thaw/DEEP_ARCHIVE/Bulk": Offer(S3, "Bulk-Retrieval-Bytes", "DeepArchiveRestoreObject"),
    "thaw-request/GLACIER/Expedited": Offer(S3, "Requests-Tier6"),
    "thaw-request/GLACIER/Standard": Offer(S3, "Requests-Tier3", "RestoreObject"),
    "thaw-request/GLACIER/Bulk": Offer(S3, "Requests-Tier5"),
    "thaw-request/DEEP_ARCHIVE/Standard": Offer(S3_DEEP_ARCHIVE, "Requests-GDA-Tier3"),
    "thaw-request/DEEP_ARCHIVE/Bulk": Offer(S3_DEEP_ARCHIVE, "Requests-GDA-Tier5"),
    "transition/STANDARD_IA": Offer(S3, "Requests-Tier4", "S3-SIATransition"),
    "transition/GLACIER_IR": Offer(S3, "Requests-Tier4", "S3-GIRTransition"),
    "transition/GLACIER": Offer(S3, "Requests-Tier3", "S3-GlacierTransition"),
    "transition/DEEP_ARCHIVE": Offer(S3, "Requests-Tier3", "S3-GDATransition"),
    "tag-month": Offer(S3, "TagStorage-TagHrs"),
    "transfer-out": Offer("AWSDataTransfer", "DataTransfer-Out-Bytes", dearest=True),
    "lambda/request": Offer("AWSLambda", "Request", dearest=True),
    "lambda/gb-second": Offer("AWSLambda", "Lambda-GB-Second", dearest=True),
    "api/request": Offer("AmazonApiGateway", "ApiGatewayRequest", dearest=True),
    "dynamodb/write": Offer("AmazonDynamoDB", "WriteRequestUnits", "PayPerRequestThroughput"),
    "dynamodb/read": Offer("AmazonDynamoDB", "ReadRequestUnits", "PayPerRequestThroughput"),
    "sqs/request": Offer("AWSQueueService", "Requests-RBP", dearest=True),
    "ses/message": Offer("AmazonSES", "Recipients", dearest=True),
    "cloudwatch/alarm": Offer("AmazonCloudWatch", "CW:AlarmMonitorUsage", dearest=True),
    "cloudwatch/metric": Offer("AmazonCloudWatch", "CW:MetricMonitorUsage", dearest=True),
    "logs/gb": Offer("AmazonCloudWatch", "DataProcessing-Bytes", "PutLogEvents"),
}

SAME_AS = {"put/DEEP_ARCHIVE": "transition/DEEP_ARCHIVE"}
"""AWS lists no price of a PUT to Deep Archive; the price page's is that of a transition in every region."""


@dataclasses.dataclass(frozen=True)
class Change:
    """``before`` and ``after`` are of the first step, in USD a unit."""

    price: str
    before: Decimal | None
    after: Decimal


@dataclasses.dataclass(frozen=True)
class Refreshed:
    """``kept`` are prices that AWS did not list where they were looked for."""

    table: PriceTable
    changes: tuple[Change, ...]
    kept: tuple[str, ...]
    path: Path


def refresh_prices(aws: Aws, region: str, today: date, folder: Path = FOLDER) -> Refreshed:
    """Asks AWS, and writes the region's table. Raises ``OpsError`` where AWS cannot be asked, or knows nothing."""
    client = Aws(PRICE_LIST_REGION, aws.endpoint).client("pricing")
    products: list[Mapping[str, Any]] = []
    try:
        for service in sorted({offer.service for offer in OFFERS.values()}):
            products += _products(client, service, region)
    except (BotoCoreError, ClientError) as error:
        raise OpsError(
            f"AWS's price list could not be read: {error}. It needs credentials that may do pricing:GetProducts."
        ) from error
    listed = prices_of(products)
    if "storage/STANDARD" not in listed:
        raise OpsError(
            f"AWS lists no S3 prices for {region}. Is that the name of a region, such as eu-west-1?"
        )
    known = price_table(region, folder)
    old = dict(known.steps) if known else {}
    table = PriceTable(region, today, f"AWS Price List API, {today.isoformat()}", {**old, **listed})
    path = folder / f"{region}.json"
    path.write_text(as_json(table), encoding="utf-8")
    changes = tuple(
        Change(name, old[name][0].usd if name in old else None, steps[0].usd)
        for name, steps in sorted(listed.items())
        if old.get(name) != steps
    )
    return Refreshed(table, changes, tuple(sorted({*OFFERS, *old} - {*listed})), path)


def prices_of(products: Iterable[Mapping[str, Any]]) -> dict[str, tuple[PriceTier, ...]]:
    """Our prices from the products of one region; a price that products disagree about is left out, never guessed."""
    products = list(products)
    prefix = region_prefix(products)
    found: dict[str, tuple[PriceTier, ...]] = {}
    for name, offer in OFFERS.items():
        listed = {_steps(one) for one in products if _is(one, offer, prefix)} - {()}
        if listed and (offer.dearest or len(listed) == 1):
            found[name] = max(listed, key=lambda steps: steps[0].usd)
    found.update({name: found[other] for name, other in SAME_AS.items() if other in found})
    return found


def region_prefix(products: Iterable[Mapping[str, Any]]) -> str:
    """``EUC1-`` and the like, from the product of Standard storage, which every region has; "" for Virginia."""
    for product in products:
        attributes = _attributes(product)
        usage_type = attributes.get("usagetype", "")
        is_standard = (attributes.get("volumeType"), attributes.get("storageClass")) == (
            "Standard",
            "General Purpose",
        )
        if is_standard and usage_type.endswith(STANDARD_STORAGE):
            return str(usage_type.removesuffix(STANDARD_STORAGE))
    return ""


def as_json(table: PriceTable) -> str:
    """One line a price, so that a change is seen in a diff."""
    document = write_price_table(table)
    prices = document.pop("prices")
    head = json.dumps(document, indent=2).removesuffix("\n}")
    lines = ",\n".join(f"    {json.dumps(name)}: {json.dumps(steps)}" for name, steps in prices.items())
    return f'{head},\n  "prices": {{\n{lines}\n  }}\n}}\n'


def _products(client: Any, service: str, region: str) -> Iterator[Mapping[str, Any]]:
    field = "fromRegionCode" if service == "AWSDataTransfer" else "regionCode"
    filters = [{"Type": "TERM_MATCH", "Field": field, "Value": region}]
    if service == "AWSDataTransfer":
        filters.append({"Type": "TERM_MATCH", "Field": "transferType", "Value": "AWS Outbound"})
    pages = client.get_paginator("get_products").paginate(ServiceCode=service, Filters=filters)
    for page in pages:
        for text in page["PriceList"]:
            product: Mapping[str, Any] = json.loads(text)
            yield product


def _attributes(product: Mapping[str, Any]) -> Mapping[str, str]:
    """What the product is; some entries of the list have a price and no product, or none of the usual attributes."""
    found: Mapping[str, str] = product.get("product", {}).get("attributes", {})
    return found


def _is(product: Mapping[str, Any], offer: Offer, prefix: str) -> bool:
    attributes = _attributes(product)
    if offer.usage_type == STANDARD_STORAGE and attributes.get("volumeType") != "Standard":
        return False  # overheads of other classes have the same usage type
    if offer.operation is not None and attributes.get("operation", "") != offer.operation:
        return False
    return bool(attributes.get("usagetype") == f"{prefix}{offer.usage_type}")


def _steps(product: Mapping[str, Any]) -> tuple[PriceTier, ...]:
    """The steps in order; () where the product has no price in USD, or two prices from one amount on."""
    steps = [
        PriceTier(Decimal(dimension.get("beginRange") or "0"), Decimal(dimension["pricePerUnit"]["USD"]))
        for term in product.get("terms", {}).get("OnDemand", {}).values()
        for dimension in term["priceDimensions"].values()
        if "USD" in dimension["pricePerUnit"]
    ]
    ordered = tuple(sorted(steps, key=lambda step: step.start))
    starts = [step.start for step in ordered]
    return ordered if starts and starts[0] == 0 and len(set(starts)) == len(starts) else ()
