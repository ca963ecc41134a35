"""Makes the three virtual environments that a clone needs, side by side, and only when they changed.

* ``.venv``: what the owner's commands, the tests and the checks run in.
* ``build/local/venv``: the local stack. Nothing else may be in it: its Lambda workers see its packages,
  which would hide one that is missing from the Lambda functions' requirements.
* ``build/laptop``: the client and duplicity, installed as on a laptop.

It runs before any of them exists, so it needs the standard library only, and it has to be readable by an
old Python for that one to say that it is too old.

    python3 ops/environments.py [--needs gpg | --owner]
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from typing import List, Optional, Tuple

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# What the tests and the checks are locked for; the owner's commands and the client alone do with an older one.
OLDEST_PYTHON = (3, 11)
OLDEST_FOR_OWNER = (3, 10)
PIP = ["-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet", "--no-compile"]
STAMP_NAME = ".installed"

SITE = ".venv"
MINISTACK = os.path.join("build", "local", "venv")
LAPTOP = os.path.join("build", "laptop")

# setuptools leaves its workings beside what it builds, modules that are gone among them: it gets a copy.
CLIENT_COPY = os.path.join("build", "client")

# duplicity declares some forty cloud libraries, of which the tests need none.
DUPLICITY_ALONE = ["--no-deps", "duplicity==3.2.1"]

# Brings along axe-core 4.12.1, which looks for what keeps people from reading a page. The browser driver that it
# declares is 50 MB and not needed: tests/axe.py starts the Chromium that is there.
AXE_ALONE = ["--no-deps", "axe-playwright-python==0.1.8"]

# Its command runs the code as it stands in client/src.
CLIENT_IN_PLACE = ["--no-deps", "--editable", "./client"]

# Enough for `python -m ops` against AWS: a tenth of the whole. Without pip's cache, because the home folder of
# AWS's cloud shell has one gigabyte.
OWNER_ALONE = ["--no-cache-dir", "--require-hashes", "-r", "requirements-owner.txt"]

# folder -> (pip's arguments, in steps; what makes it anew when it changes; what only brings it up to date)
ENVIRONMENTS = {
    SITE: (
        [["--require-hashes", "-r", "requirements-dev.txt"], DUPLICITY_ALONE, AXE_ALONE, CLIENT_IN_PLACE],
        ["requirements-dev.txt"],
        ["client/pyproject.toml"],
    ),
    MINISTACK: ([["--require-hashes", "-r", "requirements-local.txt"]], ["requirements-local.txt"], []),
    LAPTOP: (
        [["--require-hashes", "-r", "client/requirements.txt"], ["--no-deps", CLIENT_COPY]],
        ["client/pyproject.toml", "client/requirements.txt"],
        ["client/src"],
    ),
}


def complaint_about_python(oldest: Tuple[int, int] = OLDEST_PYTHON) -> Optional[str]:
    """A sentence if the running Python is too old, else None."""
    if sys.version_info >= oldest:
        return None
    found = "%d.%d" % sys.version_info[:2]
    wanted = "%d.%d" % oldest
    return (
        "panicroom needs Python %s or newer, and this is %s: type `make PYTHON=python3.12`, or your newer one."
        % (
            wanted,
            found,
        )
    )


def complaint_about_gpg() -> Optional[str]:
    """A sentence if gpg is not on the PATH, else None."""
    if shutil.which("gpg"):
        return None
    command = "brew install gnupg" if sys.platform == "darwin" else "sudo apt-get install gnupg"
    return "gpg is missing, which duplicity encrypts with: install it, for example with `%s`." % command


def fingerprints(folder: str) -> str:
    """Two digests, a line each: of what the environment stands on, and of what was put on top."""
    pip_steps, ground, top = ENVIRONMENTS[folder]
    return "%s\n%s\n" % (_digest((sys.version, sys.base_prefix, pip_steps), ground), _digest((), top))


def installed_fingerprints(folder: str) -> str:
    """What ``fingerprints`` was when the environment was made; empty if there is none."""
    try:
        with open(os.path.join(ROOT, folder, STAMP_NAME)) as stream:
            return stream.read()
    except OSError:
        return ""


def python_of(folder: str) -> str:
    """The path of an environment's interpreter."""
    return os.path.join(ROOT, folder, "bin", "python")


def make(folder: str) -> None:
    """Makes one environment, from nothing if what it stands on changed, else by installing on top.

    Raises ``SystemExit`` with one sentence where pip cannot.
    """
    path = os.path.join(ROOT, folder)
    wanted = fingerprints(folder)
    steps = [[python_of(folder), *PIP, *step] for step in ENVIRONMENTS[folder][0]]
    if installed_fingerprints(folder).split("\n")[0] != wanted.split("\n")[0]:
        shutil.rmtree(path, ignore_errors=True)
        # The pip that an old Python brings takes several times as long to decide what to install.
        newer_pip = [python_of(folder), *PIP, "--upgrade", "pip"]
        steps = [[sys.executable, "-m", "venv", path], newer_pip, *steps]
    if folder == LAPTOP:
        _copy_client()
    _run_all(steps, folder)
    with open(os.path.join(path, STAMP_NAME), "w") as stamp:
        stamp.write(wanted)


def make_owner() -> None:
    """Makes SITE with what the owner's commands need and nothing else; ``make_missing`` adds the rest one day."""
    if not os.path.exists(python_of(SITE)):
        print("Installing %s" % SITE, flush=True)
        _run_all([[sys.executable, "-m", "venv", os.path.join(ROOT, SITE)]], SITE)
    _run_all([[python_of(SITE), *PIP, *OWNER_ALONE]], SITE)


def _copy_client() -> None:
    target = os.path.join(ROOT, CLIENT_COPY)
    shutil.rmtree(target, ignore_errors=True)
    unwanted = shutil.ignore_patterns("build", "tests", "*.egg-info", "__pycache__")
    shutil.copytree(os.path.join(ROOT, "client"), target, ignore=unwanted)


def _run_all(steps: List[List[str]], folder: str) -> None:
    log_path = os.path.join(ROOT, folder) + ".log"
    os.makedirs(os.path.dirname(log_path), exist_ok=True)
    with open(log_path, "w") as log:
        for step in steps:
            if subprocess.call(step, cwd=ROOT, stdout=log, stderr=log, stdin=subprocess.DEVNULL) != 0:
                raise SystemExit(
                    "%s could not be installed: %s says why." % (folder, os.path.relpath(log_path, ROOT))
                )
    os.remove(log_path)


def make_missing(folders: List[str]) -> None:
    """Makes those of the environments that are not current, all at the same time."""
    os.makedirs(os.path.join(ROOT, "build"), exist_ok=True)
    with open(os.path.join(ROOT, "build", "installing.lock"), "w") as lock:
        # `make demo` and `make test` may be started side by side.
        fcntl.flock(lock, fcntl.LOCK_EX)
        missing = [folder for folder in folders if installed_fingerprints(folder) != fingerprints(folder)]
        for folder in missing:
            print("Installing %s" % folder, flush=True)
        command = [sys.executable, os.path.abspath(__file__), "--make"]
        children = [subprocess.Popen([*command, folder]) for folder in missing]
        codes = [child.wait() for child in children]
        if any(codes):
            raise SystemExit(1)


def main(arguments: List[str]) -> None:
    is_owner = arguments[:1] == ["--owner"]
    complaint = complaint_about_python(OLDEST_FOR_OWNER if is_owner else OLDEST_PYTHON)
    if complaint is None and arguments[:2] == ["--needs", "gpg"]:
        complaint = complaint_about_gpg()
    if complaint:
        raise SystemExit(complaint)
    if arguments[:1] == ["--make"]:
        make(arguments[1])
    elif is_owner:
        make_owner()
    else:
        make_missing(list(ENVIRONMENTS))


def _digest(settings: Tuple[object, ...], sources: List[str]) -> str:
    digest = hashlib.sha256(repr(settings).encode())
    for source in sources:
        for path in sorted(_files_of(os.path.join(ROOT, source))):
            digest.update(os.path.relpath(path, ROOT).encode())
            with open(path, "rb") as stream:
                digest.update(stream.read())
    return digest.hexdigest()


def _files_of(path: str) -> List[str]:
    if os.path.isfile(path):
        return [path]
    return [
        os.path.join(folder, name)
        for folder, _, names in os.walk(path)
        for name in names
        if not name.endswith(".pyc") and not folder.endswith(".egg-info")
    ]


if __name__ == "__main__":
    main(sys.argv[1:])
