"""What goes wrong gives one clear line and a non-zero exit, never a traceback."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Ended, Machine, Service


@pytest.fixture(scope="module")
def machine(service: Service) -> Machine:
    machine = service.machine("error-laptop")
    (machine.source / "file").write_text("content")
    machine.do("backup")
    return machine


@pytest.fixture
def twin(machine: Machine, tmp_path: Path) -> Machine:
    """The same laptop, whose settings a test may spoil."""
    shutil.copytree(machine.folder / "config", tmp_path / "config")
    settings = tmp_path / "config" / "panicroom.toml"
    settings.write_text(settings.read_text().replace(str(machine.source), str(tmp_path / "source")))
    twin = Machine(machine.name, tmp_path, machine.gpg)
    shutil.copytree(machine.source, twin.source)
    return twin


def one_clear_line(ended: Ended, *words: str) -> None:
    assert ended.code not in (0, 1), ended.said
    assert "Traceback" not in ended.said
    lines = [line for line in ended.error.splitlines() if line.startswith("panicroom: ")]
    assert len(lines) == 1, ended.said
    assert ended.error.strip().splitlines()[-1] == lines[0]
    for word in words:
        assert word in lines[0].lower()


def spoil(machine: Machine, old: str, new: str) -> None:
    for file in (machine.folder / "config").rglob("*"):
        if file.is_file() and old in file.read_text():
            mode = file.stat().st_mode
            file.write_text(file.read_text().replace(old, new))
            file.chmod(mode)
            return
    raise AssertionError(f"{old} is in no settings file")


def test_a_revoked_token(service: Service, tmp_path: Path) -> None:
    machine = service.machine("revoked-laptop")
    (machine.source / "file").write_text("content")
    service.admin.call("machine_revoke", name=machine.name)
    for command in (["backup"], ["status"], ["restore", "--to", str(tmp_path / "out")]):
        one_clear_line(machine.run(*command), "token")


def test_a_wrong_passphrase(twin: Machine, tmp_path: Path) -> None:
    twin.passphrase = "wrong"
    one_clear_line(twin.run("restore", "--to", str(tmp_path / "out")), "passphrase")
    one_clear_line(twin.run("backup"), "passphrase")


def test_a_service_that_cannot_be_reached(service: Service, twin: Machine) -> None:
    spoil(twin, service.stack.api_url, "http://127.0.0.1:9/restapis/x/api/_user_request_")
    ended = twin.run("backup")
    one_clear_line(ended)
    assert ended.code == 75


def test_an_empty_or_missing_source(twin: Machine) -> None:
    (twin.source / "file").unlink()
    one_clear_line(twin.run("backup"), "empty")
    twin.source.rmdir()
    one_clear_line(twin.run("backup"), str(twin.source).lower())


def test_a_target_that_is_not_empty(twin: Machine) -> None:
    one_clear_line(twin.run("restore", "--to", str(twin.source)), "empty")
    assert (twin.source / "file").read_text() == "content"


def test_a_machine_that_is_not_enrolled(machine: Machine, tmp_path: Path) -> None:
    one_clear_line(Machine("nobody", tmp_path, machine.gpg).run("backup"), "enrol")


def test_a_used_code(service: Service, machine: Machine, tmp_path: Path) -> None:
    code = service.admin.call("machine_add", name="used-code-laptop")["code"]
    for folder, well in (("one", True), ("two", False)):
        other = Machine("used-code-laptop", tmp_path / folder, machine.gpg)
        other.source.mkdir(parents=True)
        (other.source / "file").write_text("content")
        ended = other.run("enrol", service.stack.api_url, code, "--source", str(other.source), "--yes")
        if well:
            assert ended.code == 0, ended.said
        else:
            one_clear_line(ended, "code")
