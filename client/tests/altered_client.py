"""The real command with something around it altered: a failing disk, a wrong clock, or a client as it was before."""

from __future__ import annotations

import sys
from pathlib import Path

_SCRIPT = """\
#!{python}
import sys
sys.path.insert(0, {tests!r})
import altered_client
{alteration}
from panicroom.__main__ import main
main()
"""


def altered(folder: Path, alteration: str) -> Path:
    """An executable ``panicroom`` in ``folder`` that first runs ``alteration``, in duplicity's process too."""
    folder.mkdir(exist_ok=True)
    script = folder / "panicroom"
    script.write_text(
        _SCRIPT.format(
            python=sys.executable, tests=str(Path(__file__).parent), alteration="altered_client." + alteration
        )
    )
    script.chmod(0o755)
    return script


def without_margin() -> None:
    """Tests cannot wait for 20 minutes to have files that did not change shortly before a set."""
    from panicroom.duplicity_run import file_identity

    file_identity.CHANGE_MARGIN_SECONDS = 0.0


def clock_ahead(seconds: float) -> None:
    """This machine's clock, as duplicity dates its sets by it. What the client compares with the service is right."""
    import time

    usual = time.time
    time.time = lambda: usual() + seconds


def without_search() -> None:
    """As a client that knows nothing of changes that duplicity misses."""
    from panicroom.duplicity_run.child.every_change import EveryChange
    from panicroom.transfer.journal import Journal

    EveryChange.install = lambda self: None  # type: ignore[method-assign]
    EveryChange.store_known_files = lambda self: None  # type: ignore[method-assign]
    Journal.begun = lambda self, checked: None  # type: ignore[method-assign]


def failing_disk(failures: dict[str, int]) -> None:
    """Reading fails for files with these names, after so many bytes."""
    from duplicity.path import Path as DuplicityPath

    without_margin()
    usual = DuplicityPath.open

    class Failing:
        def __init__(self, file: object, left: int) -> None:
            self.file, self.left = file, left

        def __enter__(self) -> Failing:
            return self

        def __exit__(self, *_more: object) -> None:
            self.close()

        def read(self, length: int = -1) -> bytes:
            if self.left <= 0:
                raise OSError(5, "Input/output error")
            data: bytes = self.file.read(min(length, self.left))  # type: ignore[attr-defined]
            self.left -= len(data)
            return data

        def close(self) -> None:
            self.file.close()  # type: ignore[attr-defined]

    def failing_open(path: DuplicityPath, mode: str = "rb") -> object:
        file = usual(path, mode)
        name = path.get_filename().decode(errors="replace") if path.index else ""
        return Failing(file, failures[name]) if name in failures and mode == "rb" else file

    DuplicityPath.open = failing_open


def upload_fails_unexpectedly(part: str) -> None:
    """In a way that nobody thought of, in the thread that sends the file with this part in its name."""
    from panicroom.transfer.uploader import Uploader

    usual = Uploader._store

    def failing_store(uploader: Uploader, path: Path, name: str, *more: object) -> None:
        if part in name:
            raise RuntimeError("a defect")
        usual(uploader, path, name, *more)  # type: ignore[arg-type]

    Uploader._store = failing_store  # type: ignore[method-assign,assignment]


def journal_forgets(part: str) -> None:
    """That S3 has confirmed the file with this part in its name: the line was torn."""
    from panicroom.transfer.journal import Journal, StoredFile

    usual = Journal.stored

    def forgetful(journal: Journal, file: StoredFile) -> None:
        if part not in file.name:
            usual(journal, file)

    Journal.stored = forgetful  # type: ignore[method-assign,assignment]
