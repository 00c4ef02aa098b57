"""The package keeps to its plan (docs/architecture.md): layers, contracts, names in one place."""

import ast
import re
from pathlib import Path

import pytest

from rasen.study.registry import FAMILIES
from rasen.study.song_models import SONG_MODELS

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "workflow/scripts"
PACKAGE = SCRIPTS / "rasen"
MODULES = {
    ".".join(path.relative_to(SCRIPTS).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
# The models of songs have a registry of their own; what Rasen also trains has a package.
NAMES = (
    set(FAMILIES) - set(SONG_MODELS) - {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
)
LOOSE = {"command", "errors", "seeds", "device", "stats"}
BELOW = [  # a layer imports only itself and what stands after it
    {"explorer"},
    {"nano", "songbloom"},
    {"songs"},
    {"measure"},
    {"families"},
    {"networks"},
    {"sae", "stimuli", "weights"},
    {"study"},
    {"io"},
    LOOSE,
]
APART = {
    "helix": {"stats", "errors", "seeds"},
    "probes": {"stats", "errors", "seeds"},
    "scores": {"stats", "errors", "seeds"},
    "figures": {"stats"},
    "dictionary": set(),
}  # arrays and tables in
# export names for notebooks
LAZY = ("rasen.helix", "rasen.probes", "rasen.scores", "rasen.sae", "rasen.songbloom")
# The runner of scripts reads JSON, measures know the arithmetic of helix and probes, and the page
# shows the paper's scores.
ALSO = {("command", "io"), ("measure", "helix"), ("measure", "probes"), ("explorer", "scores")}


def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def part_of(module):
    """The package or loose module below rasen that a module belongs to; "" for rasen itself."""
    return [*module.split("."), ""][1]


def imports(path):
    """Modules of ours that a file imports, also inside functions."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("rasen"):
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in MODULES else node.module


def allowed(part):
    """What a package or loose module may import."""
    if part in APART:
        return APART[part] | {part}
    level = next(place for place, layer in enumerate(BELOW) if part in layer)
    below = set().union(*BELOW[level + 1 :])
    own = LOOSE if part in LOOSE else {part}
    return below | own | {other for one, other in ALSO if one == part}


@pytest.mark.parametrize("module", [name for name in MODULES if part_of(name)])
def test_a_layer_imports_only_what_stands_below_it(module):
    for imported in imports(MODULES[module]):
        part = part_of(imported)
        assert not part or part in allowed(part_of(module)), f"{module} imports {imported}"


def test_there_are_five_loose_modules_and_no_more():
    assert {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"} == LOOSE


def test_every_package_has_its_layer():
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert packages == set().union(*BELOW, APART) - LOOSE


def cycle(graph):
    """Modules that import each other in a circle, or nothing."""
    done, path = set(), []

    def visit(module):
        if module in path:
            return path[path.index(module) :]
        if module in done:
            return None
        path.append(module)
        for other in graph[module]:
            if circle := visit(other):
                return circle
        done.add(path.pop())
        return None

    return next((circle for module in graph if (circle := visit(module))), None)


def test_modules_import_in_no_circle():
    graph = {name: sorted({*imports(path)} - {name}) for name, path in MODULES.items()}
    assert cycle(graph) is None


@pytest.mark.parametrize("path", [*MODULES.values(), *SCRIPTS.glob("*.py")], ids=lambda p: p.name)
def test_code_of_ours_imports_from_the_module_that_has_it(path):
    """Not through a package's lazy exports (for notebooks): the code hash follows modules."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module in LAZY:
            names = [alias.name for alias in node.names]
            assert all(f"{node.module}.{name}" in MODULES for name in names), ast.unparse(node)


@pytest.mark.parametrize("path", MODULES.values(), ids=lambda path: path.name)
def test_no_module_but_the_registry_names_a_family(path):
    if path.parent.name == "families" or path.name == "registry.py":
        return
    words = {node.value for node in ast.walk(tree(path)) if isinstance(node, ast.Constant)}
    assert not words & NAMES


@pytest.mark.parametrize("path", ["Snakefile", "workflow/schemas/config.schema.yaml", "rules"])
def test_no_rule_and_no_schema_names_a_family(path):
    files = (ROOT / path).glob("*.smk") if path == "rules" else [ROOT / path]
    for file in files:
        lines = [line.split("#")[0] for line in file.read_text().splitlines()]
        words = set(re.findall(r"[\w-]+", "\n".join(lines)))
        assert not words & NAMES, file.name


def rule_blocks():
    """{name: text} of all rules."""
    text = "".join(path.read_text() for path in (ROOT / "rules").glob("*.smk"))
    blocks = re.split(r"^(?:use rule \w+ as|rule) (?=\w+)", text, flags=re.M)[1:]
    return {re.match(r"\w+", block)[0]: block for block in blocks}


def test_rules_that_open_a_model_say_so_and_run_in_its_environment():
    """`needs` is what is looked for before a run; the environment is the family's."""
    blocks = rule_blocks()
    opening = {name for name, block in blocks.items() if "recipe=recipe" in block}
    assert {"dump_activations", "measure_perplexity", "correct_gradient"} <= opening
    for name in opening | {"check_weights"}:
        needs = re.search(r'needs="([\w ]+)"', blocks[name])
        assert needs, f"{name} has no `needs`"
        assert "models" in needs[1].split(), name
        env = "encoding" if name == "encode_stimuli" else "environment"
        assert f"env={env}" in blocks[name], name
        assert f"{env})," in blocks[name], f"{name}: code(...) without the environment"
        if "shell:" in blocks[name]:
            assert "conda_file" in blocks[name], name
            assert "rasen {params.env} " in blocks[name], name


def test_rules_that_read_the_users_files_say_so():
    blocks = rule_blocks()
    for name, block in blocks.items():
        if re.search(r"song_model_files\(|present_recordings\(\[|named_in_sheet\(\"", block):
            assert re.search(r'needs="songs\b', block), name
        if "sheet_input(" in block:
            assert 'needs="stimuli"' in block, name


# --- types


def public_functions(path):
    """Functions and methods of a module whose names, and whose class's name, begin with no _."""
    for node in tree(path).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for item in node.body:
                special = isinstance(item, ast.FunctionDef) and item.name == "__init__"
                if isinstance(item, ast.FunctionDef) and (special or item.name[0] != "_"):
                    yield item


def lacking(function):
    """Arguments without an annotation, and "return"."""
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    every += [argument for argument in (arguments.vararg, arguments.kwarg) if argument]
    names = [a.arg for a in every if a.annotation is None and a.arg not in ("self", "cls")]
    return names + ["return"] * (function.returns is None)


@pytest.mark.parametrize("path", MODULES.values(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_public_functions_are_annotated(path):
    missing = {f.name: lacking(f) for f in public_functions(path) if lacking(f)}
    assert not missing


# --- the walks of docs/architecture.md


def walks():
    """(path, path of the file that calls it or None) of every line of the page's lists of files."""
    above = []
    for line in (ROOT / "docs/architecture.md").read_text().splitlines():
        if found := re.match(r"( *)- `([\w/.-]+)`", line):
            depth = len(found[1]) // 2
            above = [*above[:depth], found[2]]
            yield found[2], above[depth - 1] if depth else None
        elif line.startswith("#"):
            above = []


def module_of(path):
    name = path.removeprefix("workflow/scripts/").removesuffix(".py").replace("/", ".")
    return name.removesuffix(".__init__")


@pytest.mark.parametrize(("path", "caller"), sorted(set(walks()), key=str))
def test_the_walks_name_files_that_call_each_other(path, caller):
    assert (ROOT / path).is_file()
    if caller is None:
        return
    text = (ROOT / caller).read_text()
    if caller.endswith(".smk"):
        if not path.startswith("workflow/scripts/rasen"):
            assert Path(path).name in text
        else:  # rules/common.smk imports modules of the package
            assert re.search(rf"\b{Path(path).stem}\b", text)
    elif "/families/" in path and "/families/" in caller:  # opened by its name in the registry
        assert module_of(path) in {entry.module for entry in FAMILIES.values()}
    else:
        assert module_of(path) in set(imports(ROOT / caller))
