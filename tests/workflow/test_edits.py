"""What reruns after an edit of the code, the pins or the data: exactly what depends on it."""

import os
import shutil
import subprocess
import time

import pytest
from study import ROOT, Study

PERPLEXITY = {"measure_perplexity": 8, "gather_perplexity": 1, "plot_perplexity": 2}
HELIX = {"fit_helix": 5, "fit_baselines": 1, "gather_helix": 1, "align_helix": 1, "plot_helix": 1}
CORRECTED_AGAIN = {"correct_gradient": 1, "gather_gradient": 1}  # temporary: made for its readers


@pytest.fixture(scope="module")
def copy(finished, tmp_path_factory):
    """The finished study beside a checkout of its own, both free to be changed."""
    folder = tmp_path_factory.mktemp("copy")
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.check_output(listed, cwd=ROOT, text=True).splitlines():
        if (ROOT / name).is_file():
            (folder / "checkout" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / "checkout" / name)
    shutil.copytree(finished.folder, folder / "study", symlinks=True)
    study = Study(folder / "study", folder / "checkout")
    assert study.planned() == {}
    return study


@pytest.fixture
def edit(copy):
    """A function that changes a file, found in the checkout or the study; undone afterwards."""
    undo = []

    def change(name, old, new):
        path = next(p for p in (copy.checkout / name, copy.folder / name) if p.exists())
        before = path.read_text()
        assert old in before, f"{name} has changed; this test has to follow"
        undo.append(lambda: path.write_text(before))
        path.write_text(before.replace(old, new, 1))

    yield change
    for each in undo:
        each()
    assert copy.planned() == {}, "an edit that is taken back reruns nothing"


PACKAGE = "workflow/scripts/rasen"


@pytest.mark.parametrize(
    ("name", "old", "new", "jobs"),
    [
        ("workflow/scripts/gather_perplexity.py", "from", "# why\nfrom", {}),
        (f"{PACKAGE}/measure/perplexity.py", '"""', '"""In other words: ', {}),
        (f"{PACKAGE}/measure/perplexity.py", "def ", "def new():\n    pass\n\n\ndef ",
         PERPLEXITY | CORRECTED_AGAIN | {"dump_activations": 2, "fit_helix": 1,
                                         "gather_helix": 1, "align_helix": 1, "plot_helix": 1}),
        (f"{PACKAGE}/families/causal_lm.py", "\n\ndef ", "\n\nX = 1\n\n\ndef ", "llama"),
        (f"{PACKAGE}/helix/octave.py", "TURNS = 1.5", "TURNS = 1.6", HELIX),
        (f"{PACKAGE}/figures/perplexity.py", "def ", "X = 1\n\n\ndef ", {"plot_perplexity": 2}),
        (f"{PACKAGE}/nano/decoder.py", "def ", "X = 1\n\n\ndef ", "nano"),
        (f"{PACKAGE}/study/registry.py", "FAMILIES = {", "FAMILIES = {  # one more\n    **{},", {}),
        (f"{PACKAGE}/study/registry.py", 'layer_keys=("num_hidden_layers", "n_layer"),',
         'layer_keys=("num_hidden_layers", "n_layer"), environment="songs",', "llama"),
        (f"{PACKAGE}/helix/bound.py", "CELLS = ", "CELLS = 1 + ", {}),
        ("envs/core.txt", "==", "==9", "all"),
        ("envs/core.txt", "==", " == ", {}),
        (f"{PACKAGE}/measure/perplexity.py", " = ", "   =  ", {}),
        ("envs/test.txt", "==", "==9", {}),
        ("envs/pins.sha256", "--hash", "--hash=sha256:0 --hash", {}),
        ("README.md", "#", "##", {}),
    ],
)  # fmt: skip
def test_an_edit_of_the_code_reruns_exactly_its_dependants(copy, edit, name, old, new, jobs):
    everything = copy.planned("--forceall")
    edit(name, old, new)
    planned = copy.planned()
    if jobs == "all":
        assert planned == everything
    elif jobs == "nano":
        assert planned["train_nano"] == 1
        assert planned["measure_perplexity"] == 5
        assert planned["dump_activations"] == 10
    elif jobs == "llama":
        assert planned == {
            "encode_stimuli": 1, "check_weights": 1, "dump_activations": 3,
            "measure_perplexity": 3, "guess_tokens": 1, "gather_perplexity": 1,
            "plot_perplexity": 2,
        }  # fmt: skip
    else:
        assert planned == jobs


def test_exchanged_weights_rerun_what_rests_on_them(copy):
    """A number of the user's own checkpoint becomes another; its size stays."""
    folder = copy.folder / "models/llama"
    weights = folder / "model.safetensors"
    before = weights.read_bytes()
    weights.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    planned = copy.planned()
    weights.write_bytes(before)
    assert planned == {
        "check_weights": 1, "encode_stimuli": 1, "dump_activations": 3, "measure_perplexity": 3,
        "guess_tokens": 1, "gather_perplexity": 1, "plot_perplexity": 2,
    }  # fmt: skip
    assert copy.planned() == {}
    folder.rename(folder.with_name("elsewhere"))
    assert copy.planned() == {}, "results do not need the weights"
    folder.with_name("elsewhere").rename(folder)


def test_touched_files_rerun_nothing(copy):
    for folder in (copy.checkout, copy.folder):
        for path in folder.rglob("*"):
            if path.is_file():
                os.utime(path)
    assert copy.planned() == {}


def as_floats(part):
    """4 as 4.0 everywhere."""
    if isinstance(part, dict):
        return {key: as_floats(value) for key, value in part.items()}
    if isinstance(part, list):
        return [as_floats(value) for value in part]
    return float(part) if isinstance(part, int) and not isinstance(part, bool) else part


def turned(part):
    """The keys of settings from the last to the first."""
    if not isinstance(part, dict):
        return part
    return {key: turned(value) for key, value in reversed(part.items())}


@pytest.mark.parametrize("write", [as_floats, turned])
def test_equal_settings_rerun_nothing(copy, write):
    def change(config):
        named = ("models", "stimuli")  # their order is that of rows in tables
        for key in config:
            entries = config[key] if key in named else {"": config[key]}
            entries = {name: write(entry) for name, entry in entries.items()}
            config[key] = entries if key in named else entries[""]

    undo = copy.edit(change)
    planned = copy.planned()
    undo()
    assert planned == {}


def test_a_deleted_table_comes_back(copy, tmp_path):
    tables = sorted((copy.folder / "results/tables").glob("*.parquet"))
    assert len(tables) > 10
    for table in tables:
        table.rename(tmp_path / "aside")
        planned = copy.planned()
        (tmp_path / "aside").rename(table)
        assert planned, f"{table.name} is not missed"
    assert copy.planned() == {}


def test_a_removed_song_reruns_its_set(copy, edit):
    edit("recordings/sheet.tsv", "sine 63.wav\t63\tsine\n", "")
    assert copy.planned() == {
        "list_stimuli": 1, "encode_stimuli": 1, "dump_activations": 6, "correct_gradient": 1,
        "gather_gradient": 1, "measure_perplexity": 1, "gather_perplexity": 1,
        "plot_perplexity": 2, "fit_helix": 1, "gather_helix": 1, "align_helix": 1, "plot_helix": 1,
    }  # fmt: skip


def test_a_replaced_recording_reruns_its_set(copy):
    path = copy.folder / "recordings/sine 61.wav"
    before = path.read_bytes()
    path.write_bytes(before + before[-400:])
    planned = copy.planned()
    path.write_bytes(before)
    assert planned["list_stimuli"] == planned["encode_stimuli"] == 1
    assert planned["dump_activations"] == 6
    assert copy.planned() == {}


LOST = "results/perplexity/llama/untrained.parquet"
TABLE = "results/tables/perplexity.parquet"


@pytest.fixture
def running(copy):
    """A run of two jobs, the first at work and the second waiting: measure, then gather."""
    (copy.folder / LOST).unlink()
    (copy.folder / TABLE).unlink()
    log = copy.folder / "logs/measure_perplexity/llama/untrained.log"
    log.unlink()
    process = copy.start(TABLE)
    while not log.exists():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)
    yield process
    process.kill()  # where a test failed; one that has ended is no error


WAITING = "workflow/scripts/gather_perplexity.py"


def test_a_job_whose_code_is_edited_while_it_waits_stops(copy, running):
    script = copy.checkout / WAITING
    before = script.read_text()
    script.write_text(before.replace("def ", "X = 1\n\n\ndef ", 1))
    output, _ = running.communicate()
    script.write_text(before)
    assert running.returncode == 1
    assert (copy.folder / "logs/gather_perplexity.log").read_text() == (
        f"Error: {WAITING} was edited after this run was planned; "
        "what is done stays done, run snakemake again\n"
    )
    assert output.count("Error in rule gather_perplexity") == 1, "it is not tried again"
    assert copy.planned(TABLE) == {"gather_perplexity": 1}, "what was done stays done"
    copy.snakemake()
    assert copy.planned() == {}


def test_a_comment_or_a_config_edited_while_jobs_wait_changes_nothing_of_them(copy, running):
    script = copy.checkout / WAITING
    before = script.read_text()
    script.write_text(before.replace("def ", "# why\ndef ", 1))
    undo = copy.edit(lambda config: config.update(seed=7))
    output, _ = running.communicate()
    assert running.returncode == 0, output
    assert copy.planned(TABLE) == {"gather_perplexity": 1}, "it ran with the seed as planned"
    undo()
    assert copy.planned() == {}
    assert not list((copy.folder / ".snakemake/plans").iterdir())


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("sae", {"language": "inaba2025"}),  # no SAE reads a text model
        ("probes", {"hidden": 100}),  # no probe has a hidden layer
        ("models.llama", {"memory": 1600, "runtime": 6, "batch": 2, "threads": 2}),
    ],
)
def test_a_setting_that_nothing_here_uses_reruns_nothing(copy, part, change):
    def edit(config):
        *parents, last = part.split(".")
        for parent in parents:
            config = config[parent]
        config.setdefault(last, {}).update(change)

    undo = copy.edit(edit)
    planned = copy.planned()
    undo()
    assert planned == {}


@pytest.mark.parametrize(
    ("change", "jobs"),
    [
        ({"dtype": "bfloat16"}, {"dump_activations": 3, "measure_perplexity": 3}),
        (
            {"window": 8},
            {
                "encode_stimuli": 1,
                "dump_activations": 3,
                "measure_perplexity": 3,
                "guess_tokens": 1,
            },
        ),
    ],
)
def test_a_setting_of_a_model_reruns_its_jobs_alone(copy, change, jobs):
    undo = copy.edit(lambda config: config["models"]["llama"].update(change))
    planned = copy.planned()
    undo()
    assert planned == jobs | {"gather_perplexity": 1, "plot_perplexity": 2}


def test_fewer_layers_rerun_the_dumps_and_what_reads_them(copy):
    undo = copy.edit(lambda config: config.update(activations={"layers": [0, 1]}))
    planned = copy.planned()
    undo()
    assert planned["dump_activations"] == 13
    assert {"fit_helix", "gather_helix", "plot_helix"} <= set(planned)
    assert not {"train_nano", "encode_stimuli", "check_weights", "fit_baselines"} & set(planned)


def test_one_more_model_runs_alone(copy):
    def change(config):
        other = config["models"]["llama"] | {"initial": {"rule": "hf", "seed": 5}}
        config["models"]["twin"] = other

    undo = copy.edit(change)
    planned = copy.planned()
    undo()
    assert planned == {
        "check_weights": 1, "encode_stimuli": 1, "dump_activations": 3, "measure_perplexity": 3,
        "guess_tokens": 1, "list_points": 1, "gather_perplexity": 1, "plot_perplexity": 3,
        "gather_gradient": 1,
        "gather_helix": 1, "align_helix": 1, "plot_helix": 1, "gather_sae": 1, "plot_sae": 1,
    }  # fmt: skip
