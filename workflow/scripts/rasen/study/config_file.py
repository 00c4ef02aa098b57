"""Config files as they are written: plain data in UTF-8, each key once, as large as people write.

Snakemake reads them after this, and would run code in templates, take the last of two equal keys
without a word, and write out anchors that stand for a billion values.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from rasen.errors import raise_all

MOST_BYTES = 2_000_000
MOST_VALUES = 500_000  # anchors written out
DEEPEST = 40
LONGEST = 40  # characters shown of a value
LARGEST = 2**63  # of whole numbers
DEEP = "is nested too deeply for a config"
TEMPLATE = "__use_yte__"
PLAIN_TAGS = ("str", "int", "float", "bool", "null", "seq", "map", "timestamp", "merge")


def require_plain(files: Iterable[Path | str]) -> None:
    """Raise with every mistake of these files; of files that are not there Snakemake tells."""
    problems = []
    for path in map(Path, files):
        if path.exists() and not path.is_file():
            problems.append(f"{path}: is not a file; write the config into one")
            continue
        try:
            with path.open("rb") as stream:
                content = stream.read(MOST_BYTES + 1)
        except OSError:
            continue
        problems += [f"{path}: {problem}" for problem in _problems(content)]
    raise_all(problems)


def _problems(content: bytes) -> Iterator[str]:
    if len(content) > MOST_BYTES:
        yield f"is too large: a config has {MOST_BYTES / 1e6:.0f} MB at most"
        return
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        yield f"is not text in UTF-8 (byte {error.start}); save it as UTF-8"
        return
    try:
        yield from _of_json(text)
    except ValueError:
        yield from _of_yaml(text)
    except RecursionError:
        yield DEEP


def _of_json(text):
    """Mistakes of a JSON file; ValueError where it is none."""
    problems = []

    def once(pairs):
        for place, (key, _) in enumerate(pairs):
            if key in [other for other, _ in pairs[:place]]:
                problems.append(f"{key!r} stands twice in one place; keep one")
        if TEMPLATE in dict(pairs):
            problems.append(_template())
        return dict(pairs)

    content = json.loads(text, object_pairs_hook=once)
    if _too_deep(content):
        return [DEEP]
    return problems


def _too_deep(content, depth=0):
    parts = content.values() if isinstance(content, dict) else content
    inner = parts if isinstance(content, dict | list) else ()
    return depth > DEEPEST or any(_too_deep(part, depth + 1) for part in inner)


def _of_yaml(text):
    """Mistakes of a YAML file, found in its nodes, of which an anchor's is there once."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        if node is None:
            return []
        if _count(node, {}) > MOST_VALUES:
            return [f"its anchors stand for more than {MOST_VALUES:,} values; write plain ones"]
        problems = list(_of_node(node, set(), 0))
        if not problems:
            yaml.SafeLoader("").construct_document(node)  # what only shows when values are made
        return problems
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        at = f"line {mark.line + 1}: " if mark else ""
        what = getattr(error, "problem", None) or str(error).splitlines()[0]
        return [f"{at}{what}{'; indent by spaces' if chr(92) + 't' in what else ''}"]
    except RecursionError:
        return [DEEP]


def _count(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values a node stands for; of one that holds itself without end."""
    if id(node) in known:
        return known[id(node)]
    known[id(node)] = MOST_VALUES + 1  # while it is counted
    known[id(node)] = 1 + sum(_count(part, known) for part in _parts(node))
    return known[id(node)]


def _parts(node):
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _of_node(node: yaml.Node, seen: set[int], depth: int) -> Iterator[str]:
    if id(node) in seen:
        return
    seen.add(id(node))
    if depth > DEEPEST:
        yield DEEP
        return
    line = node.start_mark.line + 1
    kind = node.tag.removeprefix("tag:yaml.org,2002:")
    if kind not in PLAIN_TAGS:
        yield f"line {line}: '!{kind}' is no plain value; write a number, a word or a list"
    elif isinstance(node, yaml.ScalarNode) and kind != "merge":
        try:
            value = yaml.SafeLoader("").construct_object(node)
        except (ValueError, LookupError, AttributeError, TypeError) as error:
            text = node.value[:LONGEST]
            yield f"line {line}: {text} looks like {kind} and is none ({error}); quote it"
        else:
            if isinstance(value, int) and abs(value) >= LARGEST:
                yield f"line {line}: {node.value[:LONGEST]} is too large a number"
    if isinstance(node, yaml.MappingNode):
        lines: dict[Any, int] = {}
        for key, _ in node.value:
            at = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                yield f"line {at}: a key in braces or brackets; write a word, or quote the text"
                continue
            if key.tag.endswith(":merge"):
                continue
            if key.value == TEMPLATE:  # at any depth: a merge (`<<`) brings it up
                yield _template()
            elif key.value in lines:
                yield f"'{key.value}' stands twice (lines {lines[key.value]} and {at}); keep one"
            lines[key.value] = at
    for part in _parts(node):
        yield from _of_node(part, seen, depth + 1)


def _template():
    return (
        f"says `{TEMPLATE}`: such a file runs code when it is read; take that line and the "
        "expressions (`?...`) out and write plain values"
    )
