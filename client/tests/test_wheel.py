"""The client as people install it: a wheel in an environment of its own, on every Python that it is made for."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from laptop import Laptop
from trees import differences, make_tree, snapshot

CLIENT = Path(__file__).parents[1]
SUPPORTED = [(3, minor) for minor in range(10, 15)]


def pip(python: Path | str, *arguments: str) -> None:
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: setuptools leaves its workings beside what it builds."""
    folder = tmp_path_factory.mktemp("wheel")
    unwanted = shutil.ignore_patterns("build", "tests", "*.egg-info", "__pycache__")
    shutil.copytree(CLIENT, folder / "client", ignore=unwanted)
    pip(sys.executable, "wheel", "--no-deps", "--wheel-dir", str(folder), str(folder / "client"))
    (built,) = folder.glob("panicroom-*.whl")
    return built


def test_the_wheel_holds_the_client_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = archive.read(next(name for name in names if name.endswith("/METADATA"))).decode()
    source = CLIENT / "src"
    modules = {str(path.relative_to(source)) for path in (source / "panicroom").rglob("*.py")}
    shared = {name.partition("/data/")[2] for name in names if ".data/data/" in name}
    assert shared == {
        "share/man/man1/panicroom.1",
        "share/bash-completion/completions/panicroom",
        "share/zsh/site-functions/_panicroom",
        "share/fish/vendor_completions.d/panicroom.fish",
    }
    inside = {name for name in names if ".dist-info/" not in name and ".data/data/" not in name}
    assert inside == modules | {"panicroom/py.typed"}
    assert any(name.endswith("LICENSE") for name in names)
    assert "Requires-Python: >=3.10" in metadata
    assert "Requires-Dist: duplicity==3.2.1" in metadata


def its_main_job(laptop: Laptop, environment: Path) -> None:
    """Enrol, back up, restore, with nothing but that environment's own command."""
    laptop = dataclasses.replace(laptop, command=environment / "bin" / "panicroom")
    assert "Exit codes" in laptop.succeed("--help")
    make_tree(laptop.source, files=3)
    laptop.enrol_by_command()
    laptop.succeed("backup")
    (laptop.source / "d1" / "script").write_text("changed")
    laptop.succeed("backup")
    assert differences(snapshot(laptop.source), snapshot(laptop.restore())) == []
    assert "ok    gpg" in laptop.succeed("doctor")


def test_installed_into_an_empty_environment_it_does_its_main_job(
    laptop: Laptop, wheel: Path, tmp_path: Path
) -> None:
    """What it depends on is taken from this environment; the soak installs that as well."""
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    target = next((environment / "lib").glob("python*/site-packages"))
    pip(sys.executable, "--python", str(environment / "bin" / "python"), "install", "--no-deps", str(wheel))
    assert (target / "panicroom").is_dir()
    # Searched last, so that the wheel's own modules are the ones that run.
    (target / "dependencies.pth").write_text(
        next(path for path in sys.path if path.endswith("site-packages"))
    )
    said = subprocess.run(
        [environment / "bin" / "python", "-c", "import panicroom; print(panicroom.__file__)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(said.stdout.strip()).is_relative_to(environment)
    its_main_job(laptop, environment)


def pythons() -> Iterator[Path]:
    """The interpreters of this machine, one of each version that the client supports."""
    for major, minor in SUPPORTED:
        name = f"python{major}.{minor}"
        found = shutil.which(name)
        ours = sorted((Path.home() / ".pyenv" / "versions").glob(f"{major}.{minor}.*/bin/{name}"))
        if ours or found:
            yield ours[-1] if ours else Path(str(found))


@pytest.mark.soak
@pytest.mark.parametrize("python", list(pythons()), ids=lambda path: path.name)
def test_with_all_that_it_depends_on_it_does_its_main_job_on(
    laptop: Laptop, wheel: Path, tmp_path: Path, python: Path
) -> None:
    environment = tmp_path / "environment"
    subprocess.run([str(python), "-m", "venv", str(environment)], check=True)
    # The pip that an old Python brings searches for a quarter of an hour among duplicity's forty cloud libraries.
    pip(environment / "bin" / "python", "install", "--upgrade", "pip")
    pip(environment / "bin" / "python", "install", str(wheel))
    its_main_job(laptop, environment)
