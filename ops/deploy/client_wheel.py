"""The client as a wheel in the owner's own bucket, for machines to install it from."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
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


def client_digest(client: Path = CLIENT) -> str:
    """Of everything that goes into the wheel."""
    digest = hashlib.sha256()
    for path in sorted([client / "pyproject.toml", client / "README.md", *(client / "src").rglob("*")]):
        if path.is_file() and "__pycache__" not in path.parts and ".egg-info" not in str(path):
            digest.update(str(path.relative_to(client)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def offered_wheel(aws: Aws, stage: Stage) -> str | None:
    """The key of the wheel of exactly this client; None if it is not in the bucket."""
    s3 = aws.client("s3")
    try:
        found = s3.list_objects_v2(Bucket=stage.bucket, Prefix=_prefix()).get("Contents", [])
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchBucket":
            return None
        raise
    return str(found[0]["Key"]) if found else None


def offer_wheel(aws: Aws, stage: Stage) -> str:
    """Builds the wheel and stores it; its key. Raises ``OpsError``."""
    with tempfile.TemporaryDirectory(prefix="panicroom-") as folder:
        wheel = build_wheel(Path(folder))
        key = _prefix() + wheel.name
        # The body by itself, not upload_file: a stage with Object Lock asks for a checksum of each PUT.
        aws.client("s3").put_object(
            Bucket=stage.bucket, Key=key, Body=wheel.read_bytes(), ChecksumAlgorithm="SHA256"
        )
    return key


def wheel_url(aws: Aws, stage: Stage, key: str) -> str:
    """A URL that lives for a day, or as long as the credentials that signed it, whichever is shorter."""
    settings: dict[str, Any] = {"signature_version": "s3v4"}
    if aws.endpoint is None:
        settings["s3"] = {"addressing_style": "virtual"}
    url: str = aws.client("s3", **settings).generate_presigned_url(
        "get_object", Params={"Bucket": stage.bucket, "Key": key}, ExpiresIn=URL_SECONDS
    )
    return url


def addresses_for_machines(aws: Aws, stage: Stage) -> dict[str, str]:
    """``api_url``, where a machine enrols, and ``client_url``, where it fetches the client for a day; each where
    there is one."""
    api, key = find_rest_api(aws, stage), offered_wheel(aws, stage)
    return {
        **({"api_url": api_url(aws, stage, api)} if api else {}),
        **({"client_url": wheel_url(aws, stage, key)} if key else {}),
    }


def build_wheel(folder: Path, client: Path = CLIENT) -> Path:
    """The client as a wheel in ``folder``, from a copy: setuptools leaves its workings beside what it builds."""
    source = folder / "source"
    unwanted = shutil.ignore_patterns("build", "tests", "*.egg-info", "__pycache__")
    shutil.copytree(client, source, ignore=unwanted)
    command = ["-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps", "--wheel-dir"]
    run = subprocess.run(
        [sys.executable, *command, str(folder), str(source)],
        capture_output=True,
        text=True,
        check=False,
    )
    wheels = list(folder.glob("*.whl"))
    if run.returncode != 0 or not wheels:
        last_words = (run.stderr.strip().splitlines() or ["pip printed nothing"])[-1]
        raise OpsError(f"The client's wheel could not be built: {last_words}")
    return wheels[0]


def _prefix() -> str:
    """A folder for each content, so that yesterday's URL still fetches the same file."""
    return f"{FOLDER}{client_digest()[:16]}/"
