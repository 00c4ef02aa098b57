"""Hash of the code that a job runs: a script and all of ours that it imports."""

import ast
from functools import cache
from pathlib import Path

from rasen.io.hashes import short_hash

SCRIPTS = Path(__file__).resolve().parents[2]
ENVS = SCRIPTS.parents[1] / "envs"
# What a job takes from the registry reaches it by its parameters (environment, options, reader),
# and its family is hashed: so one more entry reruns nothing.
NOT_HASHED = {SCRIPTS / "rasen/study/registry.py"}


def code_hash(script: str, *modules: str) -> str:
    """Hash of a script, of what it imports from this package, and of further named modules.

    Comments, docstrings and layout do not count, so editing them reruns nothing.
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
    """The syntax tree of a file as text, without comments, docstrings and layout.

    Of ast.dump's own text other versions of Python make other texts: fields that are empty, or that
    only some versions have, are left out.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    holders = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    for node in ast.walk(tree):
        if isinstance(node, holders) and ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
    return _text(tree)


def _text(part):
    if isinstance(part, ast.AST):
        fields = (
            f"{name}={_text(value)}"
            for name, value in ast.iter_fields(part)
            if name not in ("ctx", "kind", "type_comment") and value is not None and value != []
        )
        return f"{type(part).__name__}({','.join(fields)})"
    if isinstance(part, list):
        return f"[{','.join(map(_text, part))}]"
    return repr(part)


def pins_hash(env: str) -> str:
    """Hash of what jobs find installed in an environment.

    Comments and the order of lines do not count, nor does Snakemake, which no job imports.
    """
    text = (ENVS / f"{env}.txt").read_text(encoding="utf-8")
    pins = (line.split("#")[0].split() for line in text.splitlines())
    return short_hash(
        "\n".join(
            sorted("".join(pin) for pin in pins if pin and not pin[0].startswith("snakemake"))
        )
    )
