"""What S3's answer to a GET says of the file, where the service has left it to that."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import base64
import binascii
import dataclasses
from collections.abc import Mapping

from panicroom.names import parse_name
from panicroom.origin import PROOF_HEADER, VOLUMES_HEADER
from panicroom.wire import MOST, DownloadPermit

_DIGEST_HEADER = "x-amz-checksum-sha256"
_DIGEST_BYTES = 32


def with_header_facts(permit: DownloadPermit, headers: Mapping[str, str]) -> DownloadPermit:
    """The permit with digest, volumes and proof of the file; what the service has said of it stays. A digest that
    comes with a part of the file is not taken: where that is a part of the upload too, it is the part's."""
    digest = "" if "content-range" in headers else headers.get(_DIGEST_HEADER, "")
    return dataclasses.replace(
        permit,
        sha256=permit.sha256 or _hex_digest(digest),
        volumes=_number(headers.get(VOLUMES_HEADER, "")) if permit.volumes is None else permit.volumes,
        proof=permit.proof or headers.get(PROOF_HEADER),
    )


def knows_facts(permit: DownloadPermit) -> bool:
    """Whether what is missing in it is missing at S3 too. A proxy may have taken headers away, and a set must not look
    as if a thief had made it for that."""
    if permit.headers is None:
        return True
    file = parse_name(permit.name)
    is_signed = permit.proof is not None or file is None or file.kind != "manifest"
    return permit.sha256 is not None and is_signed


def _hex_digest(checksum: str) -> str | None:
    """S3's checksum in hex. That of a file in parts ends with their number."""
    digest, hyphen, parts = checksum.partition("-")
    try:
        raw = base64.b64decode(digest, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw.hex() + hyphen + parts if len(raw) == _DIGEST_BYTES else None


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(MOST)) else None
