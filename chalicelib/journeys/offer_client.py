"""Hands out the client to a computer that has nothing yet, and the digests of the libraries that it needs."""

from __future__ import annotations

from datetime import timedelta
from typing import NoReturn

from chalicelib.adapters.client_folder import ClientFolder
from chalicelib.domain.fleet.client_versions import is_version, newest_first
from chalicelib.domain.offered_client import OfferedClient
from chalicelib.domain.refusals import Refusal
from chalicelib.wire import ClientOffer, ErrorCode

URL_LIFE = timedelta(minutes=15)
"""pipx asks for the address first and makes an environment then, which takes an old computer minutes."""


VERSIONS_NAMED = 20


def offer_wheel(folder: ClientFolder, version: str | None = None) -> ClientOffer:
    """The newest, or that version; with the digest in the URL, which pip compares with what it has fetched.

    This and ``offer_requirements`` raise ``Refusal``.
    """
    offered = _offered(folder, version)
    url = f"{folder.url(offered.wheel, URL_LIFE)}#sha256={offered.wheel.sha256}"
    return ClientOffer(offered.version, offered.wheel.sha256, url)


def offer_requirements(folder: ClientFolder, version: str | None = None) -> ClientOffer:
    offered = _offered(folder, version)
    url = folder.url(offered.requirements, URL_LIFE)
    return ClientOffer(offered.version, offered.requirements.sha256, url)


def _offered(folder: ClientFolder, version: str | None) -> OfferedClient:
    if version is None:
        return _newest(folder)
    if not is_version(version):
        raise Refusal(ErrorCode.BAD_REQUEST, "A version of the client is three numbers, as in /client/0.2.0.")
    return folder.of_version(version) or _unknown(folder, version)


def _newest(folder: ClientFolder) -> OfferedClient:
    newest = folder.newest()
    if newest is None:
        raise Refusal(
            ErrorCode.NOT_FOUND,
            "This service has no client to hand out: its owner's `python -m ops deploy` puts it there. Until then"
            " ask the owner for the wheel, or restore without it: the second half of the recovery sheet.",
        )
    return newest


def _unknown(folder: ClientFolder, version: str) -> NoReturn:
    """Names the versions that there are, which are no secret: anybody may fetch them."""
    there = newest_first(folder.versions())
    known = f"It has {', '.join(there[:VERSIONS_NAMED])}." if there else "It has none by its version yet."
    raise Refusal(
        ErrorCode.NOT_FOUND,
        f"This service has no client {version}. {known} A version stays from the deploy on that brought it"
        " (`python -m ops deploy`).",
    )
