"""The code of the Lambda functions, unpacked once and compiled by the first worker that imports it.

MiniStack unpacks the package anew for each worker, which then compiles all of it: two thirds of a cold start.
"""

from __future__ import annotations

import hashlib
import tempfile
import threading
import zipfile
from os import PathLike
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ministack.core import lambda_runtime

CODE_FOLDER = "code"
"""What MiniStack calls the folder of a worker's code; layers have others."""

_unpacking = threading.Lock()


class _SharedZip(zipfile.ZipFile):
    def extractall(self, path: str | PathLike[str] | None = None, *rest: Any, **options: Any) -> None:
        """Puts a link to the code in the place of a worker's empty folder."""
        folder = Path(path or ".")
        if folder.name != CODE_FOLDER:
            super().extractall(path, *rest, **options)
            return
        folder.rmdir()
        folder.symlink_to(self._unpacked(), target_is_directory=True)

    def _unpacked(self) -> Path:
        digest = hashlib.sha256(Path(str(self.filename)).read_bytes()).hexdigest()
        shared = Path(tempfile.gettempdir()) / f"code-{digest}"
        with _unpacking:
            if not shared.exists():
                unfinished = Path(tempfile.mkdtemp())
                super().extractall(unfinished)
                unfinished.rename(shared)
        return shared


def install() -> None:
    """Raises ``AttributeError`` for a MiniStack that is made in another way."""
    lambda_runtime.zipfile = SimpleNamespace(**{**vars(lambda_runtime.zipfile), "ZipFile": _SharedZip})
