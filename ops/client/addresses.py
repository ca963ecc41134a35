"""The addresses that a machine enrols at and fetches the client from, and the line to type there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ops.aws import Aws
from ops.client.offer import offered_client
from ops.functions.chalice_record import api_url, find_rest_api
from ops.stages import Stage

URL_SECONDS = 24 * 3600


def addresses_for_machines(aws: Aws, stage: Stage) -> dict[str, str]:
    """``api_url``, where a machine enrols, and ``client_url``, where it fetches the client for a day, with the digest
    that pip then compares; ``client_requirements_url``, the digests of what it needs. Each where there is one."""
    api, client = find_rest_api(aws, stage), offered_client(aws, stage)
    found = {"api_url": api_url(aws, stage, api)} if api else {}
    if client:
        found["client_url"] = f"{_url(aws, stage, client.wheel.key)}#sha256={client.wheel.sha256}"
        found["client_requirements_url"] = _url(aws, stage, client.requirements.key)
    return found


def _url(aws: Aws, stage: Stage, key: str) -> str:
    """A URL that lives for a day, or as long as the credentials that signed it, whichever is shorter."""
    settings: dict[str, Any] = {"signature_version": "s3v4"}
    if aws.endpoint is None:
        settings["s3"] = {"addressing_style": "virtual"}
    url: str = aws.client("s3", **settings).generate_presigned_url(
        "get_object", Params={"Bucket": stage.bucket, "Key": key}, ExpiresIn=URL_SECONDS
    )
    return url


def install_line(addresses: Mapping[str, str]) -> str:
    """What is typed on a machine, with what ``addresses_for_machines`` found: the wheel and every library that it needs
    come by their digests alone. pip does so from 26.1 on, an older one refuses; pipx keeps its pip up to date."""
    by_digest = f"--require-hashes --constraint {addresses['client_requirements_url']}"
    return f"pipx install --force --pip-args='{by_digest}' '{addresses['client_url']}'"
