"""RestoreStatus in a listing: which objects are being restored, and until when copies stay."""

from __future__ import annotations

import time
from urllib.parse import unquote
from xml.etree.ElementTree import Element, SubElement, register_namespace, tostring

from defusedxml import ElementTree
from ministack.services import s3

from ops.local.emulator.records import Record, Response, record_of

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
register_namespace("", NAMESPACE)


def with_restore_status(answer: Response, bucket: str) -> Response:
    """MiniStack's answer to ListObjectsV2 with the element that it lacks."""
    status, headers, body = answer
    if status != 200:
        return answer
    root = ElementTree.fromstring(body)
    is_encoded = root.find(_named("EncodingType")) is not None
    for entry in root.iter(_named("Contents")):
        name = entry.findtext(_named("Key"), "")
        record = record_of(bucket, unquote(name) if is_encoded else name)
        _add_status(entry, (record or {}).get("restore"))
    kept = {name: text for name, text in headers.items() if name.lower() != "content-length"}
    return status, kept, b'<?xml version="1.0" encoding="UTF-8"?>' + tostring(root)


def _add_status(entry: Element, restore: Record | None) -> None:
    now = time.time()
    if not restore or restore["expires_at"] <= now:
        return
    is_under_way = now < restore["available_at"]
    status = SubElement(entry, _named("RestoreStatus"))
    SubElement(status, _named("IsRestoreInProgress")).text = "true" if is_under_way else "false"
    if not is_under_way:
        expires_at = s3._restore_expiry_iso(restore["expires_at"])
        SubElement(status, _named("RestoreExpiryDate")).text = expires_at


def _named(element: str) -> str:
    return f"{{{NAMESPACE}}}{element}"
