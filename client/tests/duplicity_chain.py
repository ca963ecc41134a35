"""A chain of sets made by real duplicity with the patch for changes in, and without the service: quick.

Run as a program: ``duplicity_chain.py FOLDER SEED SETS``. Each set is restored and compared; prints as JSON what
differs.
Every duplicity is a fork of one process, since importing it takes longer than a small set.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import stat
import sys
import time
import traceback
from pathlib import Path

from changing_tree import ChangingTree


def look(root: Path) -> dict[str, tuple[object, ...]]:
    """All of a restored tree that duplicity stores: kind, content, mode, owner, whole-second time."""
    found: dict[str, tuple[object, ...]] = {}
    for path in [root, *root.rglob("*")]:
        status = path.lstat()
        kind, key = stat.S_IFMT(status.st_mode), str(path.relative_to(root))
        if stat.S_ISLNK(status.st_mode):
            found[key] = kind, str(path.readlink())
            continue
        content = hashlib.sha256(path.read_bytes()).hexdigest() if stat.S_ISREG(status.st_mode) else ""
        owner = status.st_uid, status.st_gid
        found[key] = kind, content, stat.S_IMODE(status.st_mode), owner, max(0, int(status.st_mtime))
    return found


def run_duplicity(work: Path, *arguments: str) -> None:
    """Ends with an ``AssertionError`` if duplicity fails."""
    child = os.fork()
    if child == 0:
        _duplicity(work, [*arguments, "--no-encryption", "--archive-dir", str(work / "archive"), "-v2"])
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code == 0, f"{arguments[0]}: {code}\n{(work / 'log').read_text()[-3000:]}"


def _duplicity(work: Path, arguments: list[str]) -> None:
    code = 1
    try:
        log = os.open(work / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        sys.argv = ["duplicity", *arguments, "--no-print-statistics"]
        duplicity_main.dup_run()
        if known_file and arguments[0] != "restore":
            change.store_known_files()
            adopt(known_file, resumed=False)
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    os._exit(code)


def differences_of_chain(work: Path, seed: int, sets: int) -> list[str]:
    """Changes a tree at random and makes as many sets; what a restore after each of them gives wrong."""
    chance = random.Random(seed)
    source, target = work / "source", f"file://{work}/target"
    tree = ChangingTree(source, chance)
    for number in range(sets):
        if number:
            for _ in range(chance.randint(1, 8)):
                tree.change()
        time.sleep(1 - time.time() % 1 + 0.01)  # just after a second has begun
        tree.write_now()
        run_duplicity(work, "incremental" if number else "full", str(source), target)
        expected = look(source)
        tree.write_now()  # mostly within the second that was backed up
        shutil.rmtree(work / "restored", ignore_errors=True)
        run_duplicity(work, "restore", target, str(work / "restored"))
        restored = look(work / "restored")
        wrong = sorted(
            path
            for path in {*expected, *restored}
            if expected.get(path) != restored.get(path) and path != "."
        )
        if wrong:
            return [
                f"set {number}: {path}: {restored.get(path)}, not {expected.get(path)}" for path in wrong
            ] + [*tree.done]
    return []


if __name__ == "__main__":
    from duplicity import __main__ as duplicity_main
    from duplicity import backend, dup_time
    from panicroom.duplicity_run.child.every_change import EveryChange
    from panicroom.duplicity_run.file_identity import CHANGE_MARGIN_SECONDS, ChangeRule

    backend.import_backends = lambda: None
    import duplicity.backends.localbackend  # noqa: F401  # registers itself
    from panicroom.duplicity_run.known_files import adopt

    margin = float(os.environ.get("MARGIN", CHANGE_MARGIN_SECONDS))

    def unreadable(path: object, error: OSError) -> None:
        raise error

    known_file = Path(sys.argv[1], "known-files") if "KNOWN" in os.environ else None

    def rule() -> ChangeRule:
        """With the files of the set before alone, no time has one read."""
        return ChangeRule(2.0**60 if known_file else dup_time.prevtime - margin, time.time())

    change = EveryChange(rule, unreadable, known_file=known_file)
    if "STOCK" not in os.environ:
        change.install()
    print(json.dumps(differences_of_chain(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
