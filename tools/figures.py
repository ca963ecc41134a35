"""The size and shape of the product in numbers, for this checkout or an older commit.

    python -m tools.figures [--at REV]

Product: app.py, chalicelib, ops, tools, bench and the client. Lines are those of its Python files, blank ones and
comments included; a function's lines go from ``def`` to its end.
"""

from __future__ import annotations

import ast
import io
import statistics
import subprocess
import tarfile
import tempfile
from collections import Counter
from pathlib import Path

import click

from tools.rooms import Product, room_of

ROOT = Path(__file__).resolve().parents[1]

MOST_FILES = 14
MOST_APP_LINES = 220
MOST_MEDIAN_LINES = 100
LONG_FUNCTION_LINES = 40
MOST_LONG_FUNCTIONS = 8


def files_by_room(root: Path) -> Counter[str]:
    """Folder of the checkout to its Python files, ``__init__`` left out."""
    product = Product(root)
    names = (path for path in product.files.values() if path.name != "__init__.py")
    return Counter(str(path.parent.relative_to(root)) for path in names)


def long_functions(product: Product) -> list[tuple[int, str]]:
    """Functions of more than 40 lines, the longest first."""
    found = [
        (lines, f"{name}.{node.name}")
        for name, tree in product.trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > LONG_FUNCTION_LINES
    ]
    return sorted(found, reverse=True)


def line_counts(product: Product) -> dict[str, int]:
    """Module to its lines."""
    return {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in product.files.items()}


def median_lines(product: Product) -> float:
    """Of the modules without ``__init__``, which are a docstring mostly."""
    return statistics.median(
        lines for name, lines in line_counts(product).items() if product.files[name].name != "__init__.py"
    )


def report(root: Path) -> list[str]:
    """The figures as lines of text."""
    product = Product(root)
    lines, rooms = line_counts(product), files_by_room(root)
    long = long_functions(product)
    placed = all(room_of(name) for name in product.files)
    upward = len(product.upward_imports()) if placed else "-, as it has other rooms than tools/rooms.py"
    circles, repeated = product.circles(), product.repeated_class_names()
    largest, most = rooms.most_common(1)[0]
    return [
        f"files in the largest room: {most} in {largest} (at most {MOST_FILES})",
        *(f"  {count:3} {room}" for room, count in sorted(rooms.items())),
        f"imports from a room to one below it: {upward}",
        f"circles of modules: {len(circles)}",
        *(f"  {' '.join(circle)}" for circle in circles),
        f"class names that stand twice: {len(repeated)}",
        *(f"  {name}: {' '.join(modules)}" for name, modules in repeated.items()),
        f"lines of app.py: {lines['app']} (at most {MOST_APP_LINES})",
        f"lines of the median module: {median_lines(product):.0f} (at most {MOST_MEDIAN_LINES})",
        f"functions over {LONG_FUNCTION_LINES} lines: {len(long)} (at most {MOST_LONG_FUNCTIONS})",
        *(f"  {count:3} {name}" for count, name in long),
        f"lines of product: {sum(lines.values())} in {len(lines)} modules",
    ]


@click.command()
@click.option("--at", "revision", metavar="REV", help="An older commit instead of this checkout.")
def main(revision: str | None) -> None:
    """Print the figures of the product."""
    if revision is None:
        click.echo("\n".join(report(ROOT)))
        return
    packed = subprocess.run(["git", "-C", ROOT, "archive", revision], capture_output=True, check=False)
    if packed.returncode:
        raise click.ClickException(packed.stderr.decode().strip())
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
            archive.extractall(folder, filter="data")
        click.echo("\n".join(report(Path(folder))))


if __name__ == "__main__":
    main(prog_name="python -m tools.figures")
