"""What asserts may say, and that no task is begun whom nobody keeps: read from the sources themselves."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from sources import modules

STARTS = {"create_task", "ensure_future"}


def asserts(tree: ast.Module) -> Iterator[ast.Assert]:
    """Return every assert inside a function; one at module level is checked by every test that imports the module."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from (inner for inner in ast.walk(node) if isinstance(inner, ast.Assert))


def says_a_type(test: ast.expr) -> bool:
    """Whether this says only of which type something is: that it is not None, or an instance."""
    match test:
        case ast.BoolOp(values=parts):
            return all(map(says_a_type, parts))
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return says_a_type(inner)
        case ast.Compare(
            left=ast.Name() | ast.Attribute(), ops=[ast.IsNot()], comparators=[ast.Constant(None)]
        ):
            return True
        case ast.Call(func=ast.Name("isinstance"), args=[ast.Name() | ast.Attribute(), _]):
            return True
        case ast.Compare(left=ast.Call(func=ast.Name("type"), args=[ast.Name()]), ops=[ast.Is()]):
            return True
    return False


def unkept(tree: ast.Module) -> Iterator[int]:
    """Return the line of each call that begins a task and keeps it nowhere: its task can vanish before its end."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Expr, ast.Lambda)):
            call = node.value if isinstance(node, ast.Expr) else node.body
            if isinstance(call, ast.Call):
                name = (
                    call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
                )
                if name in STARTS:
                    yield node.lineno


@pytest.mark.parametrize("path", [path for path, _ in modules()], ids=[name for _, name in modules()])
def test_asserts_and_tasks(path: Path) -> None:
    """Asserts are left out of what is shipped, so they only tell the type checker something; each task has an owner."""
    tree = ast.parse(path.read_text("utf-8"))
    assert [ast.unparse(each) for each in asserts(tree) if not says_a_type(each.test)] == []
    assert list(unkept(tree)) == []


@pytest.mark.parametrize(
    "said",
    [
        "a.pop() is not None",
        "a[-1] is b",
        "f(x)",
        "isinstance(f(), int)",
        "a is not None and b == 1",
        "a.b()",
    ],
)
def test_an_assert_that_does_something_is_found(said: str) -> None:
    """What would be missed where asserts are left out is no note to the type checker."""
    (found,) = asserts(ast.parse(f"def f():\n    assert {said}"))
    assert not says_a_type(found.test)


@pytest.mark.parametrize(
    "said", ["asyncio.create_task(f())", "loop().create_task(f())", "g(lambda: ensure_future(f()))"]
)
def test_a_task_without_an_owner_is_found(said: str) -> None:
    """The rule sees a task that begins and is kept nowhere."""
    assert list(unkept(ast.parse(said))) == [1]
