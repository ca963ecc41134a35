"""Data goes one way: domain <- journeys <- app; only adapters call AWS; both sides ship the same contract."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

FORBIDDEN = {
    "domain": (
        "chalicelib.journeys",
        "chalicelib.adapters",
        "chalicelib.w",
        "chalicelib.rendering",
        "boto",
        "chalice.",
        "aws_lambda",
    ),
    "journeys": ("boto", "chalice.", "chalicelib.wiring", "chalicelib.web", "aws_lambda"),
}
ALLOWED = ("chalicelib.wire", "chalicelib.domain.weekly")


def imports_of(file: Path) -> list[str]:
    names: list[str] = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(node.module or "")
    return names


@pytest.mark.parametrize("layer", FORBIDDEN)
def test_a_layer_imports_nothing_outward(layer: str) -> None:
    files = sorted((ROOT / "chalicelib" / layer).rglob("*.py"))
    assert files
    for file in files:
        for name in imports_of(file):
            if name not in ALLOWED:
                assert not name.startswith(FORBIDDEN[layer]), f"{file.name} imports {name}"


def test_nothing_but_adapters_and_wiring_calls_aws() -> None:
    for file in (ROOT / "chalicelib").rglob("*.py"):
        if "adapters" not in file.parts and file.name != "wiring.py":
            assert not any(name.startswith("boto") for name in imports_of(file)), file


def test_service_and_client_ship_the_same_contract() -> None:
    service = (ROOT / "chalicelib" / "wire.py").read_bytes()
    assert service == (ROOT / "client" / "src" / "panicroom" / "wire.py").read_bytes()
