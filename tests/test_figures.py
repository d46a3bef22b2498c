"""The figures that the package keeps to, beside those that ruff sees to (pyproject.toml).

They are what makes it readable: a module that fits into a few screens, a function whose nesting
can be kept in mind, and few places where a checker was told to look away.
"""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "cronstream"
MODULES = sorted(PACKAGE.rglob("*.py"))
LINES = 300
NESTING = 3
SUPPRESSIONS = 25

_MARK = re.compile(r"#\s*(?:noqa\b|type:\s*ignore|pragma\b)")
_WITH_REASON = re.compile(r"# (?:noqa: [A-Z0-9, ]+|type: ignore\[[a-z, -]+\]) - \S+")
_BLOCKS = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.With, ast.AsyncWith, ast.Try, ast.Match)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
#: An inner generator that is left open hangs when somebody presses Ctrl-C: it is one with its loop.
_NESTED_DEEPER = {"following.changes": 4}


def name_of(module: Path) -> str:
    return str(module.relative_to(PACKAGE))


def test_a_module_fits_into_a_few_screens() -> None:
    lines = {name_of(module): len(module.read_text().splitlines()) for module in MODULES}
    assert {name: number for name, number in lines.items() if number > LINES} == {}


def test_no_block_is_nested_deeper_than_can_be_kept_in_mind() -> None:
    deep = {}
    for module in MODULES:
        for function in ast.walk(ast.parse(module.read_text())):
            if isinstance(function, _FUNCTIONS):
                name = f"{module.stem}.{function.name}"
                if (depth := depth_of(function)) > _NESTED_DEEPER.get(name, NESTING):
                    deep[name] = depth
    assert deep == {}


def depth_of(node: ast.AST) -> int:
    """Return how deep blocks are nested in it; an ``elif`` is as deep as its ``if``."""
    deepest = 0
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (*_FUNCTIONS, ast.ClassDef)):
            continue  # It is looked at by itself.
        is_elif = isinstance(node, ast.If) and isinstance(child, ast.If) and node.orelse == [child]
        is_block = isinstance(child, _BLOCKS) and not is_elif
        deepest = max(deepest, depth_of(child) + is_block)
    return deepest


def test_nothing_that_a_module_keeps_to_itself_is_unused() -> None:
    texts = {name_of(module): module.read_text() for module in MODULES}
    assert [
        f"{module}: {name}"
        for module, text in texts.items()
        for name in private_to(ast.parse(text))
        if len(re.findall(rf"\b{name}\b", text)) == 1
    ] == []


def private_to(module: ast.Module) -> Iterator[str]:
    """Yield the names of functions, classes and values that begin with one underscore."""
    for node in module.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        names = [target.id for target in targets if isinstance(target, ast.Name)]
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef)) and not node.decorator_list:
            names = [node.name]
        yield from (name for name in names if name.startswith("_") and name[1:2] != "_")


def suppressed() -> Iterator[str]:
    for module in MODULES:
        for number, line in enumerate(module.read_text().splitlines(), start=1):
            if _MARK.search(line):
                yield f"{name_of(module)}:{number}: {line.strip()}"


def ignored_in_files() -> list[str]:
    settings = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())
    ignored = settings["tool"]["ruff"]["lint"]["per-file-ignores"]
    return [f"{path}: {code}" for path, codes in ignored.items() for code in codes]


def test_a_checker_is_told_to_look_away_in_few_places() -> None:
    here = [one for one in ignored_in_files() if one.startswith("cronstream/")]
    told = [*suppressed(), *here]
    assert len(told) <= SUPPRESSIONS, "\n".join(told)


def test_where_it_is_told_to_look_away_the_reason_is_beside() -> None:
    assert [one for one in suppressed() if not _WITH_REASON.search(one)] == []
