"""What is said before anything can be installed."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ops import environments

SCRIPT = Path(environments.__file__)


@pytest.mark.parametrize(
    ("words", "found", "sentence"),
    [
        ([], (3, 10, 13), "needs Python 3.11 or newer, and this is 3.10"),
        (["--needs", "gpg"], (3, 10, 13), "needs Python 3.11 or newer, and this is 3.10"),
        (["--owner"], (3, 9, 18), "needs Python 3.10 or newer, and this is 3.9"),
    ],
)
def test_a_python_that_is_too_old_is_one_clear_sentence(
    monkeypatch: pytest.MonkeyPatch, words: list[str], found: tuple[int, int, int], sentence: str
) -> None:
    monkeypatch.setattr(sys, "version_info", found)
    with pytest.raises(SystemExit, match=sentence):
        environments.main(words)


def test_the_owners_commands_are_installed_with_an_older_python(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    monkeypatch.setattr(sys, "version_info", (3, 10, 13))
    monkeypatch.setattr(environments, "make_owner", lambda: made.append("owner"))
    environments.main(["--owner"])
    assert made == ["owner"]


def test_an_old_python_can_read_the_script_that_tells_it_so() -> None:
    ast.parse(SCRIPT.read_text(), feature_version=(3, 7))


def test_a_missing_gpg_is_one_clear_sentence_and_names_the_command(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, str(SCRIPT), "--needs", "gpg"],
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert run.stderr.startswith("gpg is missing")
    assert run.stderr.count("\n") == 1
    assert "install gnupg" in run.stderr


def test_a_changed_requirement_asks_for_a_new_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "ROOT", str(tmp_path))
    (tmp_path / "requirements-local.txt").write_text("one==1\n")
    before = environments.fingerprints(environments.MINISTACK)
    assert environments.fingerprints(environments.MINISTACK) == before
    (tmp_path / "requirements-local.txt").write_text("one==2\n")
    assert environments.fingerprints(environments.MINISTACK) != before


def test_a_changed_client_is_installed_on_top_of_its_dependencies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments, "ROOT", str(tmp_path))
    (tmp_path / "client" / "src").mkdir(parents=True)
    (tmp_path / "client" / "pyproject.toml").write_text("[project]\n")
    before = environments.fingerprints(environments.LAPTOP).splitlines()
    (tmp_path / "client" / "src" / "new.py").write_text("")
    after = environments.fingerprints(environments.LAPTOP).splitlines()
    assert after[0] == before[0]
    assert after[1] != before[1]


def test_the_owners_commands_need_nothing_but_what_the_owner_installs() -> None:
    listed = [
        line.split("=")[0].strip().lower().replace("_", "-")
        for name in ("requirements.in", "requirements-owner.in")
        for line in (Path(environments.ROOT) / name).read_text().splitlines()
        if line and not line.startswith(("#", "-"))
    ]
    in_the_functions = {"aws-lambda-powertools", "jinja2", "tzdata"}
    owners = {"boto3", "botocore", "chalice", "click", "httpx", "pyyaml", "rich"}
    assert set(listed) == in_the_functions | owners
    script = "import sys; import ops.cli; print(*{name.partition('.')[0] for name in sys.modules})"
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=environments.ROOT, capture_output=True, text=True, check=True
    )
    tools = {"pytest", "moto", "hypothesis", "mypy", "ruff", "panicroom", "keyring", "duplicity"}
    assert set(ended.stdout.split()) & tools == set()
