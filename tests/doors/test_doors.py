"""Who may import whom, what a light start loads, and that public things are documented."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import photochrom

pytestmark = pytest.mark.plain

ROOT = Path(photochrom.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))

CORE = {
    *("settings", "draft"),
    *("errors", "color", "photo", "upsample", "render", "exact", "marks", "sheet", "colorizer"),
    *("models", "quality", "sources", "fetch", "whole"),
}
PROTOCOL = "engines.__init__"
ARROWS: dict[str, set[str]] = {
    # Core receives an engine; a model's file may have to be looked into to know its network.
    "core": {"core", PROTOCOL},
    "models": {"core", "networks"},
    "__init__": {"core", "engines"},
    "engines": {"core", "engines", "networks"},
    "networks": {"errors", "networks", "whole"},
    "training": {"core", "networks", "training"},
    "bench": {"core", "engines", "networks", "bench"},
    "cli": {"core", "engines", "networks", "training", "bench", "cli", "__init__"},
    "__main__": {"cli"},
}
"""Room to rooms that it may import from, wherever in its files."""
PACKAGES: dict[str, set[str]] = {
    "core": {"numpy", "PIL"},
    "engines": {"numpy"},
    "networks": {"numpy", "onnx", "torch"},
    "training": {"numpy", "PIL", "torch", "safetensors"},
    "bench": {"numpy", "PIL"},
    "cli": {"typer"},
}
"""Packages that a room's modules load at once; all others wait until they are used."""


class Import(NamedTuple):
    """One import statement of a module."""

    target: str
    at_once: bool
    line: int


def room(name: str) -> str:
    """``photochrom.cli.info`` and ``photochrom`` to ``cli`` and ``__init__``."""
    return [*name.split("."), "__init__"][1]


def kind(name: str) -> str:
    return "core" if name in CORE else name


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[Import]:
    """Every import of a file, those for type checking alone left out."""
    package = module_name(path).split(".")
    if path.name != "__init__.py":
        package.pop()
    tree = ast.parse(path.read_text())
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    inside = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        at_once = id(node) not in inside
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, at_once, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            names = [f"{source}.{alias.name}" for alias in node.names]
            modules = [name for name in names if is_module(name)]
            yield from (Import(name, at_once, node.lineno) for name in modules or [source])


def is_module(name: str) -> bool:
    place = ROOT.parent.joinpath(*name.split("."))
    return place.is_dir() or place.with_suffix(".py").is_file()


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_imports_follow_the_arrows(path: Path) -> None:
    home = room(module_name(path))
    allowed = ARROWS[home] if home in ARROWS else ARROWS[kind(home)]
    for found in imports(path):
        if not found.target.startswith("photochrom"):
            continue
        there = room(found.target)
        protocol = found.target == "photochrom.engines" and PROTOCOL in allowed
        version = found.target == "photochrom" and path.name != "__init__.py"
        assert protocol or version or there == home or {there, kind(there)} & allowed, (
            f"{path.name}:{found.line} imports {found.target}"
        )


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_packages_that_take_time_wait_until_they_are_used(path: Path) -> None:
    home = kind(room(module_name(path)))
    for found in imports(path):
        package = found.target.split(".")[0]
        ours = package in sys.stdlib_module_names or package in ("photochrom", "__future__")
        if found.at_once and not ours:
            assert package in PACKAGES.get(home, set()), f"{path.name}:{found.line} loads {package}"


def test_the_table_of_rooms_has_no_room_too_many() -> None:
    rooms = {room(module_name(path)) for path in MODULES}
    assert rooms - {"__init__", "__main__"} <= CORE | set(ARROWS)


def loaded_by(code: str) -> set[str]:
    """Packages in memory after running ``code`` in a fresh Python."""
    command = f"{code}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=True
    )
    return {name.split(".")[0] for name in done.stdout.splitlines()[-1].split()}


HEAVY = {"torch", "onnxruntime", "openvino", "numpy", "PIL", "rich"}


@pytest.mark.parametrize(
    "code",
    [
        "import photochrom",
        "import photochrom.cli",
        "from photochrom.cli import main; main(['--help'])",
        "from photochrom.cli import main; main(['colorize', '--help'])",
        "from photochrom.cli import main; main(['--version'])",
    ],
)
def test_a_light_start(code: str) -> None:
    assert not loaded_by(code) & HEAVY


@pytest.mark.parametrize(
    "code", ["import photochrom", "from photochrom.cli import main; main(['--help'])"]
)
def test_a_start_takes_a_quarter_of_a_second_at_most(code: str) -> None:
    resource = pytest.importorskip("resource")

    def processor_seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        loaded_by(code)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return float(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)

    assert min(processor_seconds() for _ in range(3)) <= 0.25


def test_core_works_without_the_engines() -> None:
    assert not loaded_by("import photochrom.colorizer") & {"torch", "onnxruntime", "openvino"}


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_public_names_are_sorted(path: Path) -> None:
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names = ast.literal_eval(node.value)
            assert names == sorted(names, key=lambda name: (not name.isupper(), name))


def test_every_public_name_is_there() -> None:
    assert all(hasattr(photochrom, name) for name in photochrom.__all__)


def public(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, bool]]:
    """Public functions, classes and methods with whether they are documented."""
    for node in body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        if any("overload" in ast.unparse(mark) for mark in node.decorator_list):
            continue
        yield prefix + node.name, ast.get_docstring(node) is not None
        if isinstance(node, ast.ClassDef):
            yield from public(node.body, f"{prefix}{node.name}.")


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_what_is_public_is_documented(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree) or not tree.body
    bare = [name for name, told in public(tree.body) if not told]
    # torch documents forward
    assert [name for name in bare if not name.endswith(".forward")] == []
