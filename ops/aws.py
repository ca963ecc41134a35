"""Which AWS the owner's commands talk to: an account, by the person's own credentials, or the local stack."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

# The stand-in's root keys: they are no secret and work nowhere else.
STAND_IN_KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}

# Where boto3 would look for a person's profile and files: for the stand-in, nowhere.
_NOTHING_OF_A_PERSON: dict[str, Any] = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}


_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


@dataclass(frozen=True)
class Aws:
    """Makes clients. ``endpoint`` is the stand-in's URL, None for AWS itself."""

    region: str | None = None
    endpoint: str | None = None
    own_keys: bool = False
    """With the person's own credentials at the endpoint too, where they otherwise are the stand-in's root keys."""

    def client(self, service: str, **settings: Any) -> Any:
        """A boto3 client of the service; ``settings`` go into its ``Config``."""
        return self._session().client(  # type: ignore[call-overload]
            service, region_name=self.region, endpoint_url=self.endpoint, config=Config(**settings)
        )

    def environment(self) -> dict[str, str]:
        """This process's environment for a program that is to reach the same AWS with the same credentials."""
        if self.endpoint is None:
            region = {"AWS_DEFAULT_REGION": self.region, "AWS_REGION": self.region} if self.region else {}
            return {**os.environ, **region}
        environment = environment_for_stand_in(str(self.region), self.endpoint)
        if self.own_keys:
            environment |= {name: os.environ[name] for name in _KEYS if name in os.environ}
        return environment

    def _session(self) -> boto3.Session:
        settings = tuple(
            sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_"))
        )
        return _session(self.endpoint is not None and not self.own_keys, settings)


@functools.lru_cache(maxsize=8)
def _session(of_stand_in: bool, _settings: tuple[tuple[str, str], ...]) -> boto3.Session:
    """Kept as long as the environment stays: a new one reads the descriptions of all services anew."""
    if not of_stand_in:
        return boto3.Session()
    session = botocore.session.Session(session_vars=_NOTHING_OF_A_PERSON)
    return boto3.Session(botocore_session=session, **STAND_IN_KEYS)


def environment_for_stand_in(region: str, endpoint: str | None = None) -> dict[str, str]:
    """This process's environment for a program that is to reach the stand-in and no account of a person."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    aimed = {"AWS_ENDPOINT_URL": endpoint} if endpoint else {}
    keys = {name.upper(): value for name, value in STAND_IN_KEYS.items()}
    return {**kept, **keys, **aimed, "AWS_DEFAULT_REGION": region}
