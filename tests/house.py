"""The figures of the house: how many files, floors and circles each package has, and how long its longest parts are.

    python3 tests/house.py              of this checkout
    python3 tests/house.py FOLDER       of another one
    python3 tests/house.py --circles    and which files are in which circle

Read from the sources alone. A file stands one floor above the highest that it imports, of its own package; files that
import each other in a circle share a floor. Imports for type checkers alone count for circles, not for floors.
"""

from __future__ import annotations

import argparse
import ast
import tomllib
from collections import Counter
from pathlib import Path
from typing import NamedTuple

PACKAGES = (
    "client/masq",
    *(f"store/masq_store/{name}" for name in ("core", "engine", "browser", "native", "ui", "backup")),
    "relay/masq_relay",
)
LONG = 50  # lines that a function may have

Graph = dict[str, set[str]]


class Module(NamedTuple):
    """One source file of a package; its path is relative to the checkout."""

    path: Path
    name: str
    tree: ast.Module
    lines: int


class Figures(NamedTuple):
    """What is printed of one package: sizes in lines, each circle by its modules."""

    folders: Counter[str]
    floors: int
    circles: list[list[str]]
    lines: int
    longest_file: tuple[int, str]
    longest_class: tuple[int, str]
    dicts: int
    long_functions: int
    strict: int


def modules_of(root: Path, package: str) -> list[Module]:
    """Return the modules of a package, given as a path below `root`."""
    found = []
    for file in sorted((root / package).rglob("*.py")):
        path = file.relative_to(root)
        parts = path.with_suffix("").parts[1:]
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        source = file.read_text("utf-8")
        found.append(Module(path, name, ast.parse(source), len(source.splitlines())))
    return found


def _for_checkers(tree: ast.Module) -> set[int]:
    """Return the ids of all that stands below `if TYPE_CHECKING`."""
    return {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for statement in node.body
        for child in ast.walk(statement)
    }


def _named(node: ast.AST, module: Module) -> list[str]:
    """Return the absolute names that an import statement may mean, the longer ones first."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = node.module or ""
    if node.level:
        parts = module.name.split(".")
        parts = parts[: len(parts) - node.level + (module.path.name == "__init__.py")]
        base = ".".join([*parts, *([base] if base else [])])
    return [f"{base}.{alias.name}" for alias in node.names]


def imports(modules: list[Module], *, for_checkers: bool) -> Graph:
    """Return which modules of a package each of them imports; those below `if TYPE_CHECKING` may be left out."""
    names = {module.name for module in modules}
    graph: Graph = {}
    for module in modules:
        left_out = set() if for_checkers else _for_checkers(module.tree)
        found = set()
        for node in ast.walk(module.tree):
            if id(node) not in left_out:
                for name in _named(node, module):
                    found.add(name if name in names else name.rpartition(".")[0])
        graph[module.name] = (found & names) - {module.name}
    return graph


def components(graph: Graph) -> list[list[str]]:
    """Return the strongly connected components, each after those that it imports (Tarjan)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in sorted(graph[name]):
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            at = stack.index(name)
            found.append(sorted(stack[at:]))
            del stack[at:]

    for name in sorted(graph):
        if name not in index:
            visit(name)
    return found


def floors(graph: Graph) -> int:
    """Return how many files the longest chain of imports goes through, a circle counted as one."""
    floor: dict[str, int] = {}
    for component in components(graph):
        below = [floor[other] for name in component for other in graph[name] if other not in component]
        floor.update(dict.fromkeys(component, 1 + max(below, default=0)))
    return max(floor.values(), default=0)


def figures(root: Path, package: str) -> Figures:
    """Return the figures of a package, given as a path below `root`."""
    modules = modules_of(root, package)
    nodes = [(module, node) for module in modules for node in ast.walk(module.tree)]
    classes = [(n.end_lineno - n.lineno + 1, n.name) for _, n in nodes if isinstance(n, ast.ClassDef)]
    functions = [n for _, n in nodes if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]
    everything = imports(modules, for_checkers=True)
    circles = [component for component in components(everything) if len(component) > 1]
    settings = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["tool"]["mypy"]
    strict = settings["files"] if settings.get("strict") else []
    return Figures(
        Counter(module.path.parent.as_posix() for module in modules),
        floors(imports(modules, for_checkers=False)),
        sorted(circles, key=len, reverse=True),
        sum(module.lines for module in modules),
        max((module.lines, module.path.name) for module in modules),
        max(classes, default=(0, "-")),
        sum(isinstance(n, ast.Subscript) and ast.unparse(n) == "dict[str, Any]" for _, n in nodes),
        sum(n.end_lineno - n.lineno >= LONG for n in functions),
        sum(any(module.path.is_relative_to(path) for path in strict) for module in modules),
    )


def main() -> None:
    """Print the figures of a checkout."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).resolve().parents[1])
    parser.add_argument("--circles", action="store_true", help="name the files in each circle")
    chosen = parser.parse_args()
    layout = "{:24} {:>5} {:>7} {:>7} {:>6} {:>12} {:>6} {:>26} {:>26} {:>6} {:>5} {:>7}"
    heads = "package,files,folders,fullest,floors,circles,lines,largest file,largest class,dicts"
    print(layout.format(*heads.split(","), f">{LONG}", "strict"))
    found = {package: figures(chosen.folder, package) for package in PACKAGES}
    for package, all_of in found.items():
        files = sum(all_of.folders.values())
        circles = " ".join(str(len(circle)) for circle in all_of.circles) or "0"
        longest = [f"{name} {size}" for size, name in (all_of.longest_file, all_of.longest_class)]
        print(
            layout.format(
                package.removeprefix("store/"), files, len(all_of.folders), max(all_of.folders.values()),
                all_of.floors, circles, all_of.lines, *longest, all_of.dicts, all_of.long_functions,
                f"{all_of.strict}/{files}",
            )
        )  # fmt: skip
    print(f"\nAll together: {sum(all_of.lines for all_of in found.values()):,} lines.")
    print(
        f"circles: files in each. dicts: `dict[str, Any]`. >{LONG}: functions of more lines. strict: under mypy."
    )
    for package, all_of in found.items() if chosen.circles else ():
        for circle in all_of.circles:
            print(f"\n{package}, {len(circle)} files: " + ", ".join(circle))


if __name__ == "__main__":
    main()
