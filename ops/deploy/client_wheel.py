"""The client as a wheel in the owner's own bucket, for machines to install it from."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from ops.aws import Aws
from ops.environments import ROOT
from ops.errors import OpsError
from ops.functions.chalice_record import api_url, find_rest_api
from ops.stages import Stage

FOLDER = "_service/client/"
URL_SECONDS = 24 * 3600
CLIENT = Path(ROOT) / "client"

LOCK = "requirements.txt"
"""Versions and digests of all that the client needs, which ``make lock`` writes."""


def client_digest(client: Path = CLIENT) -> str:
    """Of everything that goes into the wheel, and of what is installed with it."""
    digest = hashlib.sha256()
    files = [client / name for name in ("pyproject.toml", "README.md", LOCK)]
    for path in sorted([*files, *(client / "src").rglob("*")]):
        if path.is_file() and "__pycache__" not in path.parts and ".egg-info" not in str(path):
            digest.update(str(path.relative_to(client)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


@dataclasses.dataclass(frozen=True)
class Wheel:
    """Where the wheel is in the bucket, and the SHA-256 of its bytes in hex, as S3 proved it when it was stored."""

    key: str
    sha256: str


def offered_wheel(aws: Aws, stage: Stage) -> Wheel | None:
    """The wheel of exactly this client, by its very key; None if it is not in the bucket with its digest."""
    key = f"{_prefix()}panicroom-{_version()}-py3-none-any.whl"
    try:
        found = aws.client("s3").head_object(Bucket=stage.bucket, Key=key, ChecksumMode="ENABLED")
    except ClientError as error:
        # 403 where there is no bucket yet, or none that may be listed.
        if error.response["ResponseMetadata"]["HTTPStatusCode"] in (403, 404):
            return None
        raise
    checksum = found.get("ChecksumSHA256")
    return Wheel(key, base64.b64decode(checksum).hex()) if checksum else None


def offer_wheel(aws: Aws, stage: Stage) -> None:
    """Builds the wheel and stores it, and the versions and digests of what it needs. Raises ``OpsError``."""
    with tempfile.TemporaryDirectory(prefix="panicroom-") as folder:
        wheel = build_wheel(Path(folder))
        for path in (CLIENT / LOCK, wheel):
            # The body by itself, not upload_file: a stage with Object Lock asks for a checksum of each PUT.
            aws.client("s3").put_object(
                Bucket=stage.bucket,
                Key=_prefix() + path.name,
                Body=path.read_bytes(),
                ChecksumAlgorithm="SHA256",
            )


def _url(aws: Aws, stage: Stage, key: str) -> str:
    """A URL that lives for a day, or as long as the credentials that signed it, whichever is shorter."""
    settings: dict[str, Any] = {"signature_version": "s3v4"}
    if aws.endpoint is None:
        settings["s3"] = {"addressing_style": "virtual"}
    url: str = aws.client("s3", **settings).generate_presigned_url(
        "get_object", Params={"Bucket": stage.bucket, "Key": key}, ExpiresIn=URL_SECONDS
    )
    return url


def addresses_for_machines(aws: Aws, stage: Stage) -> dict[str, str]:
    """``api_url``, where a machine enrols, and ``client_url``, where it fetches the client for a day, with the digest
    that pip then compares; ``client_requirements_url``, the digests of what it needs. Each where there is one."""
    api, wheel = find_rest_api(aws, stage), offered_wheel(aws, stage)
    found = {"api_url": api_url(aws, stage, api)} if api else {}
    if wheel:
        found["client_url"] = f"{_url(aws, stage, wheel.key)}#sha256={wheel.sha256}"
        found["client_requirements_url"] = _url(aws, stage, _prefix() + LOCK)
    return found


def install_line(addresses: Mapping[str, str]) -> str:
    """What is typed on a machine, with what ``addresses_for_machines`` found: the wheel and every library that it needs
    come by their digests alone. pip does so from 26.1 on, an older one refuses; pipx keeps its pip up to date."""
    by_digest = f"--require-hashes --constraint {addresses['client_requirements_url']}"
    return f"pipx install --force --pip-args='{by_digest}' '{addresses['client_url']}'"


def build_wheel(folder: Path, client: Path = CLIENT) -> Path:
    """The client as a wheel in ``folder``, from a copy: setuptools leaves its workings beside what it builds."""
    source = folder / "source"
    unwanted = shutil.ignore_patterns("build", "tests", "*.egg-info", "__pycache__")
    shutil.copytree(client, source, ignore=unwanted)
    command = ["-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps", "--wheel-dir"]
    run = subprocess.run(
        [sys.executable, *command, str(folder), str(source)],
        # The same wheel from the same files, whenever they were written.
        env={**os.environ, "SOURCE_DATE_EPOCH": "315532800"},
        capture_output=True,
        text=True,
        check=False,
    )
    wheels = list(folder.glob("*.whl"))
    if run.returncode != 0 or not wheels:
        last_words = (run.stderr.strip().splitlines() or ["pip printed nothing"])[-1]
        raise OpsError(f"The client's wheel could not be built: {last_words}")
    return wheels[0]


def _version() -> str:
    text = (CLIENT / "src" / "panicroom" / "__init__.py").read_text(encoding="utf-8")
    return text.partition('__version__ = "')[2].partition('"')[0]


def _prefix() -> str:
    """A folder for each content, so that yesterday's URL still fetches the same file."""
    return f"{FOLDER}{client_digest()[:16]}/"
