"""Data goes one way: each room imports only from those above it in ``tools/rooms.py``; only adapters call AWS; both
sides ship the same contract; the names and sizes of things stay such that a reader finds them."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.figures import MOST_FILES, files_by_room
from tools.rooms import ROOMS, Product, room_of

ROOT = Path(__file__).resolve().parents[2]

OUTSIDE = ("boto", "botocore", "chalice", "aws_lambda_powertools")
"""What only adapters, wiring and the edge of the service may use."""


@pytest.fixture(scope="module")
def product() -> Product:
    return Product(ROOT)


def libraries_of(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found


def test_every_room_imports_only_from_rooms_above_it(product: Product) -> None:
    assert product.upward_imports() == []


def test_no_modules_import_each_other(product: Product) -> None:
    assert product.circles() == []


def test_every_room_of_the_table_is_there(product: Product) -> None:
    assert set(ROOMS) - {room_of(name) for name in product.files} == set()


def test_the_domain_imports_the_contract_and_nothing_else_of_the_service(product: Product) -> None:
    for each in product.imports():
        if each.importer.startswith("chalicelib.domain"):
            allowed = ("chalicelib.domain", "chalicelib.wire", "chalicelib.recovery_code")
            assert each.imported.startswith(allowed), each


def test_the_owners_commands_take_the_contract_and_rules_of_the_service_and_none_of_its_work(
    product: Product,
) -> None:
    """They would start in twice the time with it."""
    for each in product.imports():
        if each.importer.startswith("ops."):
            assert not each.imported.startswith(("chalicelib.journeys", "chalicelib.adapters.stores")), each


@pytest.mark.parametrize("layer", ["domain", "journeys"])
def test_rules_and_journeys_call_neither_aws_nor_the_framework(product: Product, layer: str) -> None:
    modules = [name for name in product.trees if name.startswith(f"chalicelib.{layer}.")]
    assert modules
    for name in modules:
        assert not libraries_of(product.trees[name]) & set(OUTSIDE), name


def test_nothing_but_adapters_and_wiring_calls_aws(product: Product) -> None:
    for name, tree in product.trees.items():
        if name.startswith("chalicelib.") and not name.startswith(
            ("chalicelib.adapters.", "chalicelib.wiring")
        ):
            assert not libraries_of(tree) & {"boto3", "botocore"}, name


def test_no_class_name_stands_twice(product: Product) -> None:
    assert product.repeated_class_names() == {}


def test_a_room_is_small_enough_to_see_at_a_glance() -> None:
    assert {room: count for room, count in files_by_room(ROOT).items() if count > MOST_FILES} == {}


@pytest.mark.parametrize("module", ["wire.py", "recovery/recovery_code.py"])
def test_service_and_client_ship_the_same_contract(module: str) -> None:
    service = (ROOT / "chalicelib" / Path(module).name).read_bytes()
    assert service == (ROOT / "client" / "src" / "panicroom" / module).read_bytes()


# ---------------------------------------------------------------- what the rules above would catch


def write(root: Path, **modules: str) -> Product:
    """A checkout of a few modules; ``__`` in a name stands for a folder."""
    for folder in ("chalicelib", "ops", "tools", "bench", "client/src/panicroom"):
        (root / folder).mkdir(parents=True)
    (root / "app.py").touch()
    for name, text in modules.items():
        path = root.joinpath(*name.split("__")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Product(root)


PLANTED: dict[str, tuple[dict[str, str], Callable[[Product], object], object]] = {
    "an import from a lower room": (
        {
            "chalicelib__domain__sets": "from chalicelib.adapters import rows",
            "chalicelib__adapters__rows": "",
        },
        Product.upward_imports,
        [
            "chalicelib.domain.sets imports chalicelib.adapters.rows: chalicelib.adapters is below chalicelib.domain"
        ],
    ),
    "an import inside of a function": (
        {"ops__aws": "def late():\n    import ops.cli", "ops__cli": ""},
        Product.upward_imports,
        ["ops.aws imports ops.cli: ops.cli is below ops"],
    ),
    "a package that is shipped alone": (
        {"chalicelib__web": "import ops.aws", "ops__aws": ""},
        Product.upward_imports,
        ["chalicelib.web imports ops.aws: chalicelib must not use ops"],
    ),
    "a room that nobody has entered in the table": (
        {"ops__attic__box": ""},
        Product.upward_imports,
        ["ops.attic.box is in no room of tools/rooms.py"],
    ),
    "a circle": (
        {"ops__aws": "import ops.steps", "ops__steps": "from ops import aws"},
        Product.circles,
        [["ops.aws", "ops.steps"]],
    ),
    "a class name twice": (
        {"ops__aws": "class Place: ...", "ops__steps": "class Place: ..."},
        Product.repeated_class_names,
        {"Place": ["ops.aws", "ops.steps"]},
    ),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_what_is_planted_is_found(tmp_path: Path, planted: str) -> None:
    modules, found, expected = PLANTED[planted]
    assert found(write(tmp_path, **modules)) == expected


def test_a_statement_that_nothing_reaches_fails_the_check_of_types(tmp_path: Path) -> None:
    """``make check`` runs mypy with these settings over all of the product."""
    planted = tmp_path / "planted.py"
    planted.write_text("def endless() -> None:\n    while True:\n        pass\n    print('never')\n")
    check = [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", str(planted)]
    checked = subprocess.run(check, cwd=ROOT, capture_output=True, text=True)
    assert checked.returncode == 1
    assert "planted.py:4: error: Statement is unreachable" in checked.stdout
