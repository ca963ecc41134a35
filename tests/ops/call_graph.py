"""Which calls to AWS each Lambda function can reach, read from the code: from a handler in ``app.py`` through
journeys and adapters to the operations of the boto3 clients.

mypy resolves the names: it knows the type of each expression. What may be reached counts as reached, also where a
condition keeps it from being so.
"""

from __future__ import annotations

import ast
import dataclasses
import gc
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import boto3
from mypy import build
from mypy.modulefinder import BuildSource
from mypy.nodes import Decorator, Expression, FuncDef, MemberExpr, MypyFile, RefExpr, Statement, TypeInfo
from mypy.options import Options
from mypy.types import CallableType, Instance, Type, TypeType, UnionType, get_proper_type

CLIENTS = {
    "Table": "dynamodb",
    "Buckets": "s3",
    "Mailer": "sesv2",
    "DiscardFunction": "lambda",
    "SettingsReader": "s3",
    "DeadLetters": "sqs",
}
"""The service whose client each adapter holds as ``self._client``."""

NAMED_BY_TEXT = {"get_paginator", "get_waiter", "generate_presigned_url"}
BY_ITSELF = ("__init__", "__post_init__", "__call__", "__enter__", "__exit__", "__iter__")
"""What an object can do without being asked by name."""

IN_ARGUMENTS = {
    ("Table", "Put"): "dynamodb:PutItem",
    ("Table", "Update"): "dynamodb:UpdateItem",
    ("Table", "Delete"): "dynamodb:DeleteItem",
    ("Table", "ConditionCheck"): "dynamodb:ConditionCheckItem",
    ("Buckets", "Tagging"): "s3:PutObjectTagging",
    ("Mailer", "Raw"): "ses:SendRawEmail",
}
"""Keys of arguments that ask for a right besides the call's own: a transaction's parts, a PUT's tags."""


@dataclasses.dataclass
class Body:
    """What one function or module variable mentions."""

    names: set[str] = dataclasses.field(default_factory=set)
    calls: set[str] = dataclasses.field(default_factory=set)
    """``"s3:PutObject"``, by the service's and the operation's own names."""


def reachable_calls(root: Path) -> dict[str, set[str]]:
    """The calls, by the name of each function in ``app.py``."""
    bodies: dict[str, Body] = defaultdict(Body)
    paths = {_module(path, root): path for path in [root / "app.py", *(root / "chalicelib").rglob("*.py")]}
    checked = _check(paths, root)
    for module, path in paths.items():
        tree = ast.parse(path.read_text())
        places = _places(module, tree)
        for line, name in _names(checked, module):
            bodies[_place_of(places, line, module)].names.add(name)
        for line, call in _calls(tree):
            bodies[_place_of(places, line, module)].calls.add(call)
    return {
        place.removeprefix("app."): _reach(bodies, place)
        for place in _places("app", ast.parse((root / "app.py").read_text())).values()
    }


def _reach(bodies: dict[str, Body], start: str) -> set[str]:
    seen, waiting, calls = set[str](), [start], set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in bodies:
            continue
        seen.add(name)
        calls |= bodies[name].calls
        waiting += bodies[name].names
    return calls


def _check(paths: dict[str, Path], root: Path) -> build.BuildResult:
    options = Options()
    options.export_types = options.preserve_asts = True
    options.incremental = False
    options.no_site_packages = options.ignore_missing_imports = True
    options.mypy_path = [str(root)]
    options.explicit_package_bases = options.namespace_packages = True
    sources = [BuildSource(str(path), module) for module, path in paths.items()]
    gc.disable()  # as mypy's own command nearly does: there is little to collect and much to look through
    try:
        return build.build(sources, options)
    finally:
        gc.enable()


def _module(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


# ---------------------------------------------------------------- where a line belongs


def _places(module: str, tree: ast.Module) -> dict[tuple[int, int], str]:
    """First and last line of each function, method and variable of a module, and its full name."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            found[_lines(node)] = f"{module}.{node.name}"
        elif isinstance(node, ast.ClassDef):
            methods = [one for one in node.body if isinstance(one, ast.FunctionDef)]
            found |= {_lines(one): f"{module}.{node.name}.{one.name}" for one in methods}
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name):
                found[_lines(node)] = f"{module}.{target.id}"
    return found


def _lines(node: ast.stmt) -> tuple[int, int]:
    return node.lineno, node.end_lineno or node.lineno


def _place_of(places: dict[tuple[int, int], str], line: int, module: str) -> str:
    return next((name for (first, last), name in places.items() if first <= line <= last), module)


# ---------------------------------------------------------------- what is mentioned


def _names(checked: build.BuildResult, module: str) -> Iterator[tuple[int, str]]:
    for expression in _expressions(checked.graph[module].tree):
        if expression.fullname:
            yield expression.line, expression.fullname
        if isinstance(expression.node, TypeInfo):
            for name in BY_ITSELF:
                yield from _method(expression.node, name, expression.line)
        if isinstance(expression, MemberExpr):
            for owner in _classes_of(checked.types.get(expression.expr)):
                yield from _method(owner, expression.name, expression.line)


def _expressions(tree: object) -> Iterator[RefExpr]:
    """Every name in a module. (mypy's own visitors are compiled, and cannot be subclassed from here.)"""
    waiting, seen = [tree], set[int]()
    while waiting:
        node = waiting.pop()
        if isinstance(node, (list, tuple)):
            waiting += node
        elif isinstance(node, (MypyFile, Statement, Expression)) and id(node) not in seen:
            seen.add(id(node))
            if isinstance(node, RefExpr):
                yield node
            parts = {name for kind in type(node).__mro__ for name in getattr(kind, "__mypyc_attrs__", ())}
            # What a name stands for is no part of it.
            waiting += [getattr(node, name, None) for name in parts - {"node", "info"}]


def _method(owner: TypeInfo, name: str, line: int) -> Iterator[tuple[int, str]]:
    symbol = owner.get(name)
    if symbol is not None and isinstance(symbol.node, (FuncDef, Decorator)):
        yield line, symbol.node.fullname


def _classes_of(kind: Type | None) -> list[TypeInfo]:
    proper = get_proper_type(kind)
    if isinstance(proper, Instance):
        return [proper.type]
    if isinstance(proper, UnionType):
        return [found for item in proper.items for found in _classes_of(item)]
    if isinstance(proper, TypeType):
        return _classes_of(proper.item)
    if isinstance(proper, CallableType) and proper.is_type_obj():
        return _classes_of(proper.ret_type)
    return []


def _calls(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for adapter in tree.body:
        if not isinstance(adapter, ast.ClassDef) or adapter.name not in CLIENTS:
            continue
        service = CLIENTS[adapter.name]
        operations = _operations(service)
        for node in ast.walk(adapter):
            for method in _methods_of_a_client(node):
                if method in operations:
                    yield node.lineno, f"{service}:{operations[method]}"  # type: ignore[attr-defined]
            if (adapter.name, _text(node)) in IN_ARGUMENTS:
                yield node.lineno, IN_ARGUMENTS[adapter.name, _text(node)]  # type: ignore[attr-defined]


def _methods_of_a_client(node: ast.AST) -> Iterator[str]:
    if (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "_client"
    ):
        yield node.attr
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in NAMED_BY_TEXT
    ):
        yield _text(node.args[0])


def _text(node: ast.AST) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else ""


def _operations(service: str) -> dict[str, str]:
    """The operation behind each method of the service's client."""
    client = boto3.client(  # type: ignore[call-overload]
        service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    return dict(client.meta.method_to_api_mapping)
