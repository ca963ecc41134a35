"""The rooms of the code and the one direction of its imports: the table that a test and the figures go by.

A room is a folder; a module at the top of a package is a room of its own where it stands at another height than its
neighbours. Each room imports only from rooms above it in ``ROOMS``, so there can be no circle of rooms. To add a room,
add it here, as high as its imports allow.
"""

from __future__ import annotations

import ast
import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOMS = (
    # The client.
    "panicroom",  # settings, secrets, names, the API's caller, exit codes, the contract
    "panicroom.duplicity_files",
    "panicroom.transfer",
    "panicroom.stored",
    "panicroom.terminal",
    "panicroom.duplicity_run",
    "panicroom.restored_tree",
    "panicroom.duplicity_run.speed",
    "panicroom.duplicity_run.child",
    "panicroom.thaw",
    "panicroom.restore",
    "panicroom.reading",
    "panicroom.restore.several",
    "panicroom.drill",
    "panicroom.backup.preconditions",
    "panicroom.backup",
    "panicroom.setup",
    "panicroom.photos",
    "panicroom.photos.pile",
    "panicroom.recovery",
    "panicroom.recovery.sheet",
    "panicroom.setup.health",
    "panicroom.setup.script",
    "panicroom.commands.stored_job",
    "panicroom.commands.family",
    "panicroom.commands.photos",
    "panicroom.commands",
    "panicroom.cli",
    "panicroom.__main__",
    # The service. The contract is the one thing beyond itself that the domain may import.
    "chalicelib.wire",
    "chalicelib.recovery_code",
    "chalicelib.domain",
    "chalicelib.domain.backups",
    "chalicelib.domain.sealing",
    "chalicelib.domain.recovery",
    "chalicelib.domain.audit.codes",
    "chalicelib.domain.audit",
    "chalicelib.domain.photos",
    "chalicelib.domain.fleet",
    "chalicelib.domain.audit.lifecycle",
    "chalicelib.domain.audit.bucket_audit",
    "chalicelib.domain.retention.limits",
    "chalicelib.domain.retention.let_go",  # when it is final decides what it costs
    "chalicelib.domain.costs",
    "chalicelib.domain.restore",
    "chalicelib.domain.retention",
    "chalicelib.domain.mail",
    "chalicelib.domain.fleet.reasons",  # in the mail's phrases
    "chalicelib.domain.restore.thaw_section",
    "chalicelib.domain.retention.reasons",
    "chalicelib.domain.retention.outlook",
    "chalicelib.domain.retention.section",
    "chalicelib",  # configuration, metrics, templates
    "chalicelib.adapters",
    "chalicelib.adapters.functions",
    "chalicelib.adapters.stores",
    "chalicelib.adapters.stores.retention",
    "chalicelib.adapters.stores.fleet",
    "chalicelib.adapters.stores.recovery",
    "chalicelib.journeys.catalogue",
    "chalicelib.journeys.uploads",
    "chalicelib.journeys.authenticate",
    "chalicelib.journeys.describe_machine",
    "chalicelib.journeys.journal",
    "chalicelib.journeys.retention",
    "chalicelib.journeys",
    "chalicelib.journeys.downloads",
    "chalicelib.journeys.photos",
    "chalicelib.journeys.thaws",
    "chalicelib.journeys.admin",
    "chalicelib.journeys.admin.fleet",
    "chalicelib.journeys.admin.administer",
    "chalicelib.queue_batches",
    "chalicelib.wiring",
    "chalicelib.web",
    "chalicelib.callers",
    "app",
    # What the owner runs.
    "ops",  # which AWS, stages, steps, errors
    "ops.functions",
    "ops.resources",
    "ops.client",
    "ops.local.emulator",
    "ops.local",
    "ops.service",
    "ops.owner_page",
    "ops.buckets",
    "ops.demo",
    "ops.doctor",
    "ops.deploy",
    "ops.commands.arguments",
    "ops.commands.stage",
    "ops.commands.retention",
    "ops.commands.status",
    "ops.commands.thaws",
    "ops.fleet_page",
    "ops.commands",
    "ops.commands.machines",
    "ops.commands.fleet",
    "ops.cli",
    "ops.__main__",
    # What developers run.
    "tools",
    "bench.years",  # its sums are in the documents
    "tools.docs",
    "bench.generated",
    "bench.network",
    "bench",
    "bench.fleet",
    "bench.photos",
    "bench.__main__",
)

PACKAGES: Mapping[str, tuple[str, ...]] = {
    "panicroom": (),
    "chalicelib": (),
    "app": ("chalicelib",),
    "ops": ("chalicelib",),
    "tools": ("panicroom", "chalicelib", "ops", "bench"),
    "bench": ("panicroom", "app", "chalicelib", "ops"),
}
"""Which other packages a package may import: the client and the service are packed and shipped alone."""

CLIENT = Path("client", "src")


@dataclasses.dataclass(frozen=True)
class Import:
    """Dotted names of modules of the product."""

    importer: str
    imported: str


class Product:
    """The product's modules below a checkout: dotted name to syntax tree."""

    def __init__(self, root: Path) -> None:
        self.files = {_dotted(path, root): path for path in _files(root)}
        self.trees = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in self.files.items()}

    def imports(self) -> Iterator[Import]:
        """Every import of a product's module by another, those inside of functions as well."""
        for name, tree in self.trees.items():
            for target in _imported(tree):
                while target and target not in self.files:
                    target = target.rpartition(".")[0]
                if target and target != name:
                    yield Import(name, target)

    def upward_imports(self) -> list[str]:
        """Sentences about imports against the table, and about modules that are in none of its rooms."""
        found = [f"{name} is in no room of tools/rooms.py" for name in self.files if room_of(name) is None]
        for each in self.imports():
            importing, imported = room_of(each.importer), room_of(each.imported)
            if importing is None or imported is None:
                continue
            package, other = each.importer.split(".")[0], each.imported.split(".")[0]
            if package != other and other not in PACKAGES[package]:
                found.append(f"{each.importer} imports {each.imported}: {package} must not use {other}")
            elif ROOMS.index(imported) > ROOMS.index(importing):
                found.append(f"{each.importer} imports {each.imported}: {imported} is below {importing}")
        return sorted(set(found))

    def circles(self) -> list[list[str]]:
        """Groups of modules each of which imports the others, by a way however long."""
        edges: dict[str, set[str]] = {name: set() for name in self.files}
        for each in self.imports():
            edges[each.importer].add(each.imported)
        reach = {name: _reachable(name, edges) for name in edges}
        groups = {tuple(sorted(other for other in reach[name] if name in reach[other])) for name in edges}
        return [list(group) for group in sorted(groups) if group]

    def repeated_class_names(self) -> dict[str, list[str]]:
        """Names that several classes have, and the modules of each; the contract is there twice on purpose."""
        classes = [
            (node.name, name)
            for name, tree in self.trees.items()
            if not name.endswith((".wire", ".recovery_code"))
            for node in ast.walk(tree)
            if isinstance(node, ast.ClassDef)
        ]
        often = {name for name, count in Counter(name for name, _ in classes).items() if count > 1}
        ordered = sorted(found for found in classes if found[0] in often)
        return {
            name: [module for _, module in group]
            for name, group in itertools.groupby(ordered, key=lambda found: found[0])
        }


def room_of(module: str) -> str | None:
    """The longest entry of the table that the module is, or lies directly in."""
    if module in ROOMS:
        return module
    parent = module.rpartition(".")[0]
    return parent if parent in ROOMS else None


def _files(root: Path) -> list[Path]:
    folders = [root / name for name in ("chalicelib", "ops", "tools", "bench")] + [root / CLIENT]
    return [root / "app.py", *sorted(path for folder in folders for path in folder.rglob("*.py"))]


def _dotted(path: Path, root: Path) -> str:
    relative = path.relative_to(root)
    if relative.is_relative_to(CLIENT):
        relative = relative.relative_to(CLIENT)
    return ".".join(relative.with_suffix("").parts).removesuffix(".__init__")


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _reachable(name: str, edges: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        fresh = edges[waiting.pop()] - found
        found |= fresh
        waiting += fresh
    return found
