"""Nothing in the package can run what a file, a config or a download says; nothing phones home."""

import ast
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "workflow/scripts").rglob("*.py"))
RUNS_TEXT = {"eval", "exec", "compile", "__import__"}
UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
TELEMETRY = {"wandb", "sentry_sdk", "posthog", "mixpanel", "opentelemetry", "analytics"}


def name_of(function):
    """`torch.load` of the node of that call."""
    return ast.unparse(function)


def complaints(path, source=None):
    """Lines of one file that may run foreign code or send anything away."""
    tree = ast.parse(path.read_text() if source is None else source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names]
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if {name.split(".")[0] for name in names} & (UNSAFE_MODULES | TELEMETRY):
                yield node.lineno, ast.unparse(node)
        if not isinstance(node, ast.Call):
            continue
        called = name_of(node.func)
        options = {word.arg: ast.unparse(word.value) for word in node.keywords}
        nodes_alone = called == "yaml.compose" and options.get("Loader") == "yaml.SafeLoader"
        safe_loader = called.startswith("yaml.SafeLoader(") or called == "yaml.SafeLoader"
        plain_yaml = called in ("yaml.safe_load", "yaml.safe_dump") or nodes_alone or safe_loader
        unsafe = (
            called in RUNS_TEXT
            or called in ("os.system", "os.popen")
            or (called == "torch.load" and options.get("weights_only") != "True")
            or (called.startswith("yaml.") and not plain_yaml)
            or (called.endswith("np.load") and options.get("allow_pickle", "False") != "False")
            or options.get("shell") == "True"
            or options.get("trust_remote_code", "False") != "False"
            or called.endswith("read_pickle")
        )
        if unsafe:
            yield node.lineno, ast.unparse(node)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_no_source_runs_foreign_code(path):
    assert list(complaints(path)) == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle", "from joblib import load", "import wandb", "eval(x)", "exec('x')",
        "torch.load(f)", "torch.load(f, weights_only=False)", "yaml.load(f)",
        "yaml.compose(f)", "yaml.Loader(f)", "yaml.UnsafeLoader('').construct_document(node)",
        "np.load(f, allow_pickle=True)", "subprocess.run(x, shell=True)", "os.system(x)",
        "AutoModel.from_pretrained(x, trust_remote_code=True)", "pd.read_pickle(f)",
    ],
)  # fmt: skip
def test_the_net_has_no_holes(line):
    assert list(complaints(None, line))


def test_rule_files_hold_no_shell_tricks():
    """Settings reach a shell quoted; nothing is fetched by a shell command."""
    for path in [ROOT / "Snakefile", *(ROOT / "rules").glob("*.smk")]:
        text = path.read_text()
        for word in ("eval ", "curl ", "wget ", "pickle", "run:"):
            assert word not in text, f"{path.name}: {word}"


def test_jobs_are_told_to_send_no_telemetry(tmp_path):
    """The launcher sets what libraries listen to, whatever the shell says."""
    names = ["HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK", "PYANNOTE_METRICS_ENABLED"]
    script = tmp_path / "show.py"
    script.write_text(f"import os\nprint({{name: os.environ.get(name) for name in {names}}})")
    relative = os.path.relpath(script, ROOT / "workflow/scripts")
    done = subprocess.run(
        [ROOT / "workflow/py", "core", relative], text=True, capture_output=True, check=True
    )
    found = ast.literal_eval(done.stdout)
    assert found == {names[0]: "1", names[1]: "1", names[2]: "0"}
