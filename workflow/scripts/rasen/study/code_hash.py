"""Hash of the code that a job runs: a script and all of ours that it imports."""

import ast
import io
import tokenize
from functools import cache
from pathlib import Path

from rasen.io.hashes import short_hash

SCRIPTS = Path(__file__).resolve().parents[2]
# What a job takes from the registry reaches it by its parameters (environment, options, reader),
# and its family is hashed: so one more entry reruns nothing.
NOT_HASHED = {SCRIPTS / "rasen/study/registry.py"}


def code_hash(script: str, *modules: str) -> str:
    """Hash of a script, of what it imports from this package, and of further named modules.

    Comments, docstrings and blank lines do not count, so editing them reruns nothing.
    """
    files = _closure([SCRIPTS / script, *(_module_file(name) for name in modules)])
    lines = (f"{path.relative_to(SCRIPTS).as_posix()}\n{_bare(path)}" for path in sorted(files))
    return short_hash("\n".join(lines))


def _closure(paths):
    """These files and all of ours that they import, directly or not."""
    seen, todo = set(), [Path(path) for path in paths]
    while todo:
        path = todo.pop()
        if path not in seen | NOT_HASHED:
            seen.add(path)
            todo += _imports(path)
    return seen


@cache
def _imports(path):
    """Files of this package that one file imports, functions' own imports included."""
    files = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        ours = (name for name in names if name and name.split(".")[0] == "rasen")
        for name in ours:
            parents = name.split(".")
            steps = (".".join(parents[: end + 1]) for end in range(len(parents)))
            files += [file for step in steps if (file := _module_file(step))]
    return files


def _module_file(name):
    """The file of module `name`, or None when the name is a function or variable."""
    base = SCRIPTS.joinpath(*name.split("."))
    candidates = (base.with_suffix(".py"), base / "__init__.py")
    return next((path for path in candidates if path.is_file()), None)


@cache
def _bare(path):
    """Source text without comments, docstrings and blank lines (stable across Python versions)."""
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(source)):
        holders = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        if isinstance(node, holders) and ast.get_docstring(node, clean=False) is not None:
            doc = node.body[0]
            for row in range(doc.lineno - 1, doc.end_lineno):
                lines[row] = ""
    return "\n".join(line.rstrip() for line in lines if line.strip())
