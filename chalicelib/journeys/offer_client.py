"""Hands out the client to a computer that has nothing yet, and the digests of the libraries that it needs."""

from __future__ import annotations

from datetime import timedelta

from chalicelib.adapters.client_folder import ClientFolder
from chalicelib.domain.offered_client import OfferedClient
from chalicelib.domain.refusals import Refusal
from chalicelib.wire import ClientOffer, ErrorCode

URL_LIFE = timedelta(minutes=15)
"""pipx asks for the address first and makes an environment then, which takes an old computer minutes."""


def offer_wheel(folder: ClientFolder) -> ClientOffer:
    """With the digest in the URL, which pip compares with what it has fetched."""
    newest = _newest(folder)
    url = f"{folder.url(newest.wheel, URL_LIFE)}#sha256={newest.wheel.sha256}"
    return ClientOffer(newest.version, newest.wheel.sha256, url)


def offer_requirements(folder: ClientFolder) -> ClientOffer:
    newest = _newest(folder)
    url = folder.url(newest.requirements, URL_LIFE)
    return ClientOffer(newest.version, newest.requirements.sha256, url)


def _newest(folder: ClientFolder) -> OfferedClient:
    newest = folder.newest()
    if newest is None:
        raise Refusal(
            ErrorCode.NOT_FOUND,
            "This service has no client to hand out: its owner's `python -m ops deploy` puts it there. Until then"
            " ask the owner for the wheel, or restore without it: the second half of the recovery sheet.",
        )
    return newest
