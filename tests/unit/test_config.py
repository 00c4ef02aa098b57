"""The config: defaults, every mistake at once, and a schema that describes itself."""

import json
import re
import shutil
import subprocess
from copy import deepcopy
from pathlib import Path

import pytest
import yaml
from snakemake.utils import update_config

from rasen.errors import RasenError
from rasen.io.json_dataclass import from_json, to_json
from rasen.songbloom.settings import TrainSettings
from rasen.study import checkpoints, config, registry
from rasen.study.downloads import downloads
from rasen.study.own_weights import own_weights
from rasen.study.presence import missing_files, wrong_splits
from rasen.study.recipe import (
    Correction,
    Initialisation,
    Recipe,
    correction_of_point,
    recipe_of_point,
)
from rasen.study.routes import table_of_points
from rasen.study.song_models import config_for_lyrics, song_settings, song_weights
from rasen.study.targets import environments

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "workflow/schemas/config.schema.yaml"
SMALLEST = {"models": {"m": {"family": "musicgen", "weights": "/models/m"}}}


def load(settings):
    return config.load_config(settings, SCHEMA)


SHIPPED = (
    "config/config.yaml", "examples/songbloom/config/config.yaml", "tests/small/config/config.yaml",
)  # fmt: skip


@pytest.mark.parametrize("path", SHIPPED)
def test_shipped_configs_are_sound(path):
    load(yaml.safe_load((ROOT / path).read_text()))


@pytest.mark.parametrize("path", SHIPPED)
def test_a_config_as_it_was_used_means_the_same(path):
    """results/config.yaml is given on top of the config that it came from, for the report."""
    given = yaml.safe_load((ROOT / path).read_text())
    used = load(given)
    assert load(used) == used
    both = deepcopy(given)
    update_config(both, used)
    assert load(both) == used


def test_defaults_are_filled_in_at_every_depth():
    full = load(SMALLEST)
    assert full["routes"]["linear"]["whole"] == [0, 0.25, 0.5, 0.75, 1]
    assert full["models"]["m"]["initial"] == {"rule": "official", "seed": 0}
    assert SMALLEST == {"models": {"m": {"family": "musicgen", "weights": "/models/m"}}}


def test_all_mistakes_are_told_at_once_with_hints():
    broken = {
        "models": {"m": {"familly": "musicgen", "dtype": "flaot32", "weights": "x", "batch": 0}},
        "perplexity": {"bootstrp": 7},
        "routes": {"linear": {"near": [2]}},
        "stimuli": {"a": {"kind": "notes", "keyes": 5}},
    }
    with pytest.raises(RasenError) as error:
        load(broken)
    for part in [
        "models.m.familly: unknown setting; did you mean 'family'?",
        "models.m.family: is missing",
        "models.m.dtype: 'flaot32' is not one of float32, float16, bfloat16; did you mean",
        "models.m.batch: 0 is less than the minimum of 1",
        "perplexity.bootstrp: unknown setting; did you mean 'bootstrap'?",
        "routes.linear.near.0: 2 is greater than the maximum of 1",
        "stimuli.a.keyes: unknown setting; did you mean 'keys'?",
    ]:
        assert part in str(error.value), part


def test_a_wrong_name_does_not_mark_its_siblings():
    models = {"good": SMALLEST["models"]["m"], "not good": SMALLEST["models"]["m"]}
    sets = {"right": {"kind": "notes"}, "wrong.": {"kind": "notes"}}
    with pytest.raises(RasenError) as error:
        load({"models": models, "stimuli": sets})
    told = str(error.value).splitlines()[1:]
    assert [line.split(": ")[1] for line in told] == ["models.not good", "stimuli.wrong."]


def test_a_file_given_as_weights_is_told_as_such(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/model.safetensors").touch()
    (tmp_path / "codec.bin").touch()
    model = {"family": "audiocraft", "weights": "mine/model.safetensors", "codec": "./codec.bin"}
    assert checkpoints.hub_id("mine/model.safetensors") is None
    with pytest.raises(RasenError) as error:
        load({"models": {"m": model}})
    for part in [
        "models.m.weights: mine/model.safetensors is a file; give the folder that has it: mine",
        "models.m.codec: codec.bin is a file; give the folder that has it: .",
    ]:
        assert part in str(error.value)


# --- the user's own weights


def test_exchanged_weights_are_noticed_and_absent_ones_count_as_recorded(tmp_path):
    folder, codec, steps = tmp_path / "m", tmp_path / "codec", tmp_path / "run"
    for path in (
        folder / "state_dict.bin",
        codec / "model.safetensors",
        steps / "1/state_dict.bin",
    ):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"a" * 5000)
    model = load({"models": {"m": {
        "family": "audiocraft", "weights": str(folder), "codec": str(codec),
        "checkpoints": {"weights": f"{steps}/{{step}}", "steps": [1]},
    }}})["models"]["m"]  # fmt: skip
    certificate = tmp_path / "trained.json"

    def version(checkpoint="trained"):
        return own_weights(model, checkpoint, certificate)

    before = version()
    assert set(json.loads(before)) == {str(folder), str(codec)}
    assert list(json.loads(version("step-000001"))) == [str(steps / "1")]
    (folder / "README.md").write_text("words")
    (folder / "sub").mkdir()
    (folder / "sub/state_dict.bin").touch()
    assert version() == before, "files that are not read do not count"
    seen = {before}
    for path in (folder / "state_dict.bin", codec / "model.safetensors"):
        path.write_bytes(b"a" * 4999 + b"b")
        seen.add(version())
    (codec / "config.json").write_text("{}")
    seen.add(version())
    assert len(seen) == 4
    certificate.write_text(json.dumps({"own": json.loads(before)}))
    shutil.rmtree(folder)
    shutil.rmtree(codec)
    assert version() == before
    hub = load({"models": {"m": {"family": "musicgen", "weights": "a/b"}}})["models"]["m"]
    nano = hub | {"weights": "resources/models/nano"}
    assert own_weights(hub, "trained", certificate) == "{}", "downloads are inputs"
    assert own_weights(nano, "trained", certificate) == "{}"


def test_names_nobody_defines_are_told():
    settings = {"models": {"m": SMALLEST["models"]["m"] | {"activations": ["nots"]}}}
    settings["stimuli"] = {"notes": {"kind": "notes"}}
    with pytest.raises(RasenError, match=r"no stimulus set 'nots'; did you mean 'notes'"):
        load(settings)


def test_a_helix_needs_its_activations_one_vector_a_note():
    settings = {
        "models": {"m": SMALLEST["models"]["m"] | {"helix": "notes"}},
        "stimuli": {"notes": {"kind": "notes"}},
        "activations": {"pool": "all"},
        "helix": {"period": [12, 4]},
    }
    with pytest.raises(RasenError) as error:
        load(settings)
    for part in [
        "models.m.helix: 'notes' is not dumped; add it to models.m.activations",
        "models.m.helix: needs one vector per note, but activations.pool is 'all'",
        "helix.period: [12, 4] runs backwards; write [4, 12]",
    ]:
        assert part in str(error.value), part
    settings["models"]["m"]["activations"] = ["notes"]
    load(settings | {"activations": {}, "helix": {"period": 12}})


def test_a_helix_of_several_sets_is_checked_set_by_set():
    def loaded(helix):
        model = SMALLEST["models"]["m"] | {"activations": ["notes", "low"], "helix": helix}
        sets = {name: {"kind": "notes"} for name in ("notes", "low", "high")}
        return load({"models": {"m": model}, "stimuli": sets})

    assert loaded("notes") == loaded(["notes"])
    assert loaded(["notes", "low"])["models"]["m"]["helix"] == ["notes", "low"]
    for helix, told in (
        (["notes", "high"], "models.m.helix: 'high' is not dumped; add it to models.m.activations"),
        (["notes", "lo"], "models.m.helix: no stimulus set 'lo'; did you mean 'low'?"),
        (["notes", "notes"], "models.m.helix: "),
        ([], "models.m.helix: "),
    ):
        with pytest.raises(RasenError, match=re.escape(told)):
            loaded(helix)


@pytest.mark.parametrize("name", ["../x", "a/b", "", "a b", ".hidden", "a\n"])
def test_names_cannot_leave_results(name):
    with pytest.raises(RasenError):
        load({"models": {name: SMALLEST["models"]["m"]}})
    with pytest.raises(RasenError):
        load(SMALLEST | {"stimuli": {name: {"kind": "notes"}}})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"models": {2024: {}}}, "models.2024: a name must be a word"),
        ({"models": {"m": {"family": "audiocraft", "weights": "x", "activations": ["a"]}}},
         "models.m.codec: is missing"),
        ({"models": {"m": {"family": "musicgen", "weights": "x", "checkpoints":
          {"weights": "r/{epoch}/{step}", "steps": [1]}}}}, "checkpoints.weights: "),
    ],
)  # fmt: skip
def test_mistakes_that_would_show_late_are_told_early(change, message):
    with pytest.raises(RasenError) as error:
        load(change)
    assert message in str(error.value)


def described(rule, path=""):
    """Paths of properties without a description."""
    for name, part in rule.get("properties", {}).items():
        if not ({"description", "const", "$ref"} & set(part)):
            yield f"{path}.{name}"
        yield from described(part, f"{path}.{name}")


def test_every_setting_is_described():
    schema = config.read_schema(SCHEMA)
    assert not list(described(schema))
    assert not [name for part in schema["$defs"].values() for name in described(part)]


# --- where weights lie


@pytest.mark.parametrize(
    ("weights", "folder"),
    [
        ("facebook/musicgen-small", "resources/models/facebook--musicgen-small"),
        ("gpt2", "resources/models/gpt2"),
        ("a/b@step100", "resources/models/a--b@step100"),
        ("/data/musicgen", "/data/musicgen"),
        ("./here", "here"),
        ("resources/models/nano", "resources/models/nano"),
    ],
)
def test_local_folders_and_hub_ids(weights, folder):
    assert str(Path(checkpoints.local_folder(weights))) == folder
    assert bool(checkpoints.hub_id(weights)) == (weights[0] not in "./r")


def test_an_existing_folder_wins_over_the_hub(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "facebook/musicgen-small").mkdir(parents=True)
    assert checkpoints.local_folder("facebook/musicgen-small") == "facebook/musicgen-small"


def test_what_is_missing_is_told_before_any_job(tmp_path):
    settings = {
        "models": {"m": {"family": "musicgen", "weights": str(tmp_path / "no")}},
        "stimuli": {"a": {"kind": "audio", "sheet": str(tmp_path / "no.tsv")}},
    }
    problems = missing_files(load(settings), {"m", "a"})
    assert len(problems) == 2
    assert "models.m.weights" in problems[0]
    assert "stimuli.a.sheet" in problems[1]
    assert len(missing_files(load(settings), {"m"})) == 1
    hub = {"models": {"m": {"family": "musicgen", "weights": "a/b"}}}
    assert missing_files(load(hub), {"m"}) == []


def test_wrong_splits_are_told_before_any_job(tmp_path):
    """Only of columns that a task follows, and of rows that it has labels of."""
    sheet = tmp_path / "songs.tsv"
    sheet.write_text(
        "path\tgenre\tsplit\tfold\na\trock\ttrain\t1\nb\tpop\tvalidation\t2\n"
        "c\tpop\tvalidation\t2\nd\t\tnone\t3\n"
    )
    task = {"stimuli": "songs", "label": "genre"}
    settings = {
        "models": {"m": {"family": "musicgen", "weights": "a/b", "probes": ["genre", "other"]}},
        "stimuli": {"songs": {"kind": "audio", "sheet": str(sheet)}},
        "tasks": {"genre": task, "other": task | {"split": "fold"}, "idle": task},
    }
    problems = wrong_splits(load(settings), {"songs"})
    assert problems[0] == (
        f"config: tasks.genre.split: {sheet}: 'validation' in 2 lines from line 3 on; "
        "did you mean 'valid'?"
    )
    assert [problem.split(": ")[1:4:2] for problem in problems[1:]] == [
        ["tasks.other.split", "'1' in 1 lines from line 2 on; known"],
        ["tasks.other.split", "'2' in 2 lines from line 3 on; known"],
    ]
    assert wrong_splits(load(settings), set()) == []
    assert missing_files(load(settings), {"songs"}) == [], "of a study without songs"
    sheet.write_text("path\tgenre\na\trock\n")
    assert wrong_splits(load(settings), {"songs"}) == []


def test_a_recipe_holds_what_its_point_needs_and_not_more():
    model = load(
        {
            "models": {
                "m": {
                    "family": "musicgen",
                    "weights": "/m",
                    "controls": {"zeros": {"rule": "zeros"}},
                    "checkpoints": {"weights": "/runs/{step}", "steps": [5]},
                }
            }
        }
    )["models"]["m"]
    assert recipe_of_point(model, "trained").initial is None
    assert recipe_of_point(model, "linear-0.500").initial == Initialisation("official", 0)
    assert recipe_of_point(model, "linear+zeros-0.500").initial.rule == "zeros"
    assert recipe_of_point(model, "step-000005").checkpoint == "/runs/5"
    assert recipe_of_point(model, "trained").options == {}
    assert recipe_of_point(model, "trained", "activations").options == {"delay": True}


def corrected_model(**changes):
    settings = {"family": "musicgen", "weights": "/m", "gradient": "music"} | changes
    sets = {"music": {"kind": "melodies"}}
    return load({"models": {"m": settings}, "stimuli": sets})["models"]["m"]


def test_a_gradient_point_records_its_data_and_steps():
    model, plain = corrected_model(), {"eta": 1, "steps": 1}
    grid = {"eta": [0.5, 0.1], "steps": [2, 10]}
    names = ["gradient-0.250", "gradient+eta0.1000+steps010-0.250"]
    found = [correction_of_point(model, name, grid) for name in names]
    assert found == [Correction("music", 0.5, 2), Correction("music", 0.1, 10)]
    assert correction_of_point(model, names[0], plain) == Correction("music", 1.0, 1)
    assert correction_of_point(model, "linear-0.250", plain) is None
    recipe = recipe_of_point(model, names[1], corrected="a.safetensors", correction=found[1])
    assert from_json(Recipe, to_json(recipe)) == recipe


def test_how_a_gradient_is_run_stands_beside_its_data():
    short = corrected_model()["gradient"]
    assert short == {"data": "music", "batch": None, "checkpointing": False}
    long = corrected_model(gradient={"data": "music", "batch": 2, "checkpointing": True})
    assert long["gradient"]["batch"] == 2
    with pytest.raises(RasenError, match=r"gradient: no stimulus set 'msic'; did you mean 'mus"):
        corrected_model(gradient={"data": "msic"})
    with pytest.raises(RasenError, match=r"models.m.gradient.bach: unknown setting; did you mean"):
        corrected_model(gradient={"data": "music", "bach": 2})


def test_the_number_format_changes_no_tokens_and_no_gradient():
    """So it must not make them again: their recipes do not hold it."""
    models = [corrected_model(dtype=dtype) for dtype in ("float32", "bfloat16")]
    for stage in ("encode", "gradient"):
        one, two = (recipe_of_point(model, "trained", stage) for model in models)
        assert one == two, stage
    one, two = (recipe_of_point(model, "trained", "activations") for model in models)
    assert one != two


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"point": "linear-0.500"}, "recipe of linear-0.500: needs `initial`"),
        ({"point": "step-000001"}, "needs `checkpoint`"),
        ({"point": "gradient-0.500"}, "needs `corrected`"),
        ({"point": "linear-2"}, "not a point"),
        ({"pont": "trained"}, "Recipe: no field 'pont'; did you mean 'point'"),
        ({"initial": {"rule": "oficial"}}, "rule 'oficial' is not one of official"),
        ({"initial": {"sed": 1}}, "Initialisation: no field 'sed'; did you mean 'seed'"),
    ],
)
def test_a_recipe_that_cannot_be_followed_is_refused(fields, message):
    with pytest.raises(RasenError, match=message):
        from_json(Recipe, json.dumps({"family": "musicgen", "weights": "/m"} | fields))


def test_recipes_travel_as_json():
    recipe = Recipe("musicgen", "/m", "linear-0.500", initial=Initialisation(seed=3))
    assert from_json(Recipe, to_json(recipe)) == recipe


def test_links_of_our_pages_lead_somewhere():
    tracked = subprocess.check_output(["git", "ls-files", "*.md"], cwd=ROOT, text=True).split()
    assert "README.md" in tracked
    for page in tracked:
        for link in re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text()):
            assert (ROOT / page).parent.joinpath(link).exists(), f"{page}: {link}"


def test_a_mistake_inside_a_list_is_named():
    settings = {
        "models": {"m": {"family": "musicgen", "weights": "a/b"}},
        "sae": {"normalise": ["none", "scaler"]},
    }
    with pytest.raises(RasenError, match=r"sae.normalise.1: 'scaler' is not one of .*'scalar'"):
        load(settings)


def test_models_of_songs_come_from_the_hub_or_from_folders(tmp_path, monkeypatch):
    """With a sheet alone, real weights are named; allin1's only where it is asked for."""
    monkeypatch.chdir(tmp_path)
    plain = load(SMALLEST | {"songs": {"sheet": "songs.tsv"}})
    kinds = [kind for _, _, kind in song_weights(plain)]
    assert kinds == ["demucs", "whisper", "aligner", "aligner", "aligner", "muq", "vae"]
    assert downloads(plain)["OpenMuQ--MuQ-large-msd-iter"][1] == [("*.safetensors",)]
    told = json.loads(song_settings(plain["songs"], "align", "whisper", "aligners"))
    assert told["whisper"] == "resources/models/Systran--faster-whisper-large-v3"
    assert set(told["aligners"]) == {"en", "ja", "zh"}
    lrc = config_for_lyrics(plain, ["a.lrc", "", "b.LRC"])
    assert "whisper" not in [kind for _, _, kind in song_weights(lrc)]
    assert json.loads(song_settings(lrc["songs"], "align", "whisper")) == {"whisper": None}
    assert missing_files(lrc, {"songs"}) == missing_files(plain, {"songs"})
    for other in ("b.txt", "asr"):
        assert config_for_lyrics(plain, ["a.lrc", other]) == plain
    none = load(SMALLEST | {"songs": {"sheet": "songs.tsv", "align": {"whisper": None}}})
    assert "whisper" not in [kind for _, _, kind in song_weights(none)]
    plain["songs"]["structure"]["backend"] = "allin1"
    assert "allin1" in [kind for _, _, kind in song_weights(plain)]
    plain["songs"]["sketch"]["codebook"] = "nowhere.npy"
    plain["songs"]["separate"]["model"] = "./nowhere"
    told = "\n".join(missing_files(plain, {"songs"}))
    assert "songs.sketch.codebook: nowhere.npy does not exist" in told
    assert "songs.separate.model: nowhere does not exist; give a local checkpoint" in told
    assert missing_files(plain, set()) == []


# --- what is known of a family before it is imported


@pytest.fixture
def deaf(monkeypatch):
    """A family without a loss, in an environment of its own, with an option of its own."""
    option = registry.Option(
        {"description": "which of its ears", "type": "integer", "default": 1}, ("encode",)
    )
    entry = registry.FamilyEntry(
        "rasen.families.deaf", "audio", None, layer_keys=("depth",), environment="songs",
        options={"ear": option},
    )  # fmt: skip
    monkeypatch.setitem(registry.FAMILIES, "deaf", entry)


def study_with(model, **more):
    sets = {"notes": {"kind": "notes"}, "lines": {"kind": "text", "sheet": "lines.txt"}}
    return {"models": {"m": {"weights": "a/b"} | model}, "stimuli": sets, **more}


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"family": "deaf", "perplexity": "notes"}, "models.m.perplexity: deaf has no loss"),
        ({"family": "deaf", "gradient": "notes"}, "models.m.gradient: deaf has no loss"),
        ({"family": "deaf", "activations": ["lines"]},
         "models.m.activations.0: deaf reads audio, but 'lines' is of kind text"),
        ({"family": "causal_lm", "sae": "notes"},
         "models.m.sae: causal_lm reads text, but 'notes' is of kind notes"),
        ({"family": "deaf", "window": 9}, "models.m.window: deaf has no such setting; take it out"),
        ({"family": "musicgen", "ear": 2}, "models.m.ear: musicgen has no such setting"),
        ({"family": "audiocraft", "activations": ["notes"]},
         "models.m.codec: is missing (EnCodec in transformers' layout"),
        ({"family": "def"}, f"models.m.family: 'def' is not one of {', '.join(registry.FAMILIES)}, "
         "deaf; did you mean 'deaf'?"),
    ],
)  # fmt: skip
def test_what_a_family_lacks_is_refused_with_the_place(deaf, model, message):
    with pytest.raises(RasenError) as error:
        load(study_with(model))
    assert f"config/config.yaml: {message}" in str(error.value)


def test_a_family_brings_its_options_and_keeps_them(deaf):
    taken = load(study_with({"family": "deaf", "activations": ["notes"]}))["models"]["m"]
    assert taken["ear"] == 1
    assert not {"window", "delay", "codec"} & set(taken)
    assert load(study_with(taken | {"activations": []}))["models"]["m"]["ear"] == 1
    assert recipe_of_point(taken, "trained", "encode").options == {"ear": 1}
    assert recipe_of_point(taken, "trained", "activations").options == {}


def test_a_config_as_it_was_used_is_taken_again():
    """`results/config.yaml` has every default, and not those of other families."""
    used = load(study_with({"family": "musicgen", "activations": ["notes"]}))
    assert load(used) == used


def test_layers_that_a_model_does_not_have_are_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"decoder": {"num_hidden_layers": 6}}')
    model = {"family": "musicgen", "weights": str(tmp_path), "activations": ["notes"]}
    load(study_with(model, activations={"layers": [0, 6, -7]}))
    with pytest.raises(
        RasenError, match=r"activations.layers: m has no layer 7, -8; it has 0 to 6"
    ):
        load(study_with(model, activations={"layers": [7, -8]}))
    model |= {"sae": "notes"}
    with pytest.raises(RasenError, match=r"sae.layers: m has no layer 9; it has 0 to 6"):
        load(study_with(model, sae={"layers": [4, 9]}))
    load(study_with(model | {"weights": "not/here"}, sae={"layers": [4, 9]}))  # nobody to ask yet


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stimuli": "note"}, "tasks.t.stimuli: no stimulus set 'note'; did you mean 'notes'?"),
        ({"kind": "frames"}, "tasks.t.intervals: is missing"),
        ({"intervals": "x.tsv"}, "tasks.t.intervals: classes are of whole clips"),
        ({"label": ["a", "b"]}, "tasks.t.label: classes have one column"),
        ({"metrics": ["r2"]}, "tasks.t.metrics: r2 is not for classes; take accuracy"),
        (
            {"kind": "frames", "intervals": "x", "metrics": ["accuracy", "beat_f"]},
            "tasks.t.metrics: beat_f scores times and the others labels; write two tasks",
        ),
        ({"stimuli": "text"}, "models.m.probes.0: musicgen reads audio, but 'text' is of kind"),
    ],
)
def test_tasks_that_contradict_themselves(change, message):
    task = {"stimuli": "notes", "label": "pitch"} | change
    study = study_with({"family": "musicgen", "probes": ["t"]}) | {"tasks": {"t": task}}
    study["stimuli"]["text"] = {"kind": "text", "sheet": "t.txt"}
    with pytest.raises(RasenError) as error:
        load(study)
    assert f"config/config.yaml: {message}" in str(error.value)


def test_probes_that_nobody_can_fit_are_told_all_at_once():
    study = study_with({"family": "musicgen", "probes": ["pitch", "chord"]})
    study["tasks"] = {"pitches": {"stimuli": "notes", "label": "pitch"}}
    study["activations"] = {"pool": 15}
    study["probes"] = {"points": ["start"], "similarity": {"stimuli": "music"}}
    with pytest.raises(RasenError) as error:
        load(study)
    for part in [
        "models.m.probes: no task 'pitch'; did you mean 'pitches'?",
        "models.m.probes: no task 'chord'",
        "tasks.pitches.kind: classes need one vector per clip, but activations.pool is 15",
        "probes.points: no route visits 'start'",
        "probes.similarity.stimuli: no model is probed on clips of 'music'",
    ]:
        assert part in str(error.value), part


def test_freezing_that_nobody_can_run_is_told(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"num_hidden_layers": 3}))
    model = {"family": "musicgen", "weights": str(tmp_path), "probes": ["t"]}
    study = study_with(model) | {"tasks": {"t": {"stimuli": "notes", "label": "pitch"}}}
    study["probes"] = {"freezing": {"layers": [0, 3, -4]}}
    assert load(study)["probes"]["freezing"]["points"] == ["trained"]
    study["probes"]["freezing"] = {"layers": [0, 4, -5], "points": ["start"], "rates": 1}
    with pytest.raises(RasenError, match=r"probes\.freezing\.rates: unknown setting; did you mean"):
        load(study)
    del study["probes"]["freezing"]["rates"]
    with pytest.raises(RasenError) as error:
        load(study)
    for part in [
        "probes.freezing.layers: m has no layer 4, -5; it has 0 to 3",
        "probes.freezing.points: no route visits 'start'",
    ]:
        assert part in str(error.value), part
    study["probes"] = {"freezing": {"layers": [0]}}
    study["tasks"]["t"] |= {"kind": "frames", "intervals": "t.tsv"}
    with pytest.raises(RasenError, match="freezing: no model has a task of clips"):
        load(study)


@pytest.mark.parametrize("named", [True, False])
def test_layers_of_one_of_several_networks_in_a_checkpoint_are_counted(named, tmp_path):
    """A jukebox has a prior per level, each with layers of its own."""
    priors = [{"num_layers": depth} for depth in (79, 72, 40)]
    numbered = {f"prior_{place}": prior for place, prior in enumerate(priors)}
    content = numbered if named else {"prior_config_list": priors}
    (tmp_path / "config.json").write_text(json.dumps(content))
    model = {"family": "jukebox", "weights": str(tmp_path), "activations": ["notes"]}
    for level, depth in (("top", 79), ("middle", 72), (None, 40)):
        chosen = model | ({"level": level} if level else {})
        load(study_with(chosen, activations={"layers": [depth]}))
        with pytest.raises(RasenError, match=f"m has no layer {depth + 1}; it has 0 to {depth}"):
            load(study_with(chosen, activations={"layers": [depth + 1]}))


# --- what models take from the songs and from training runs

RUN = "results/songbloom/toy/weights/step-{step:06d}"


def study_of_a_run(checkpoints, songs=True, **model):
    """A SongBloom that the config trains, and the clips that it is shown."""
    train = {"steps": 200, "keep": [100, 25], "seed": 3}
    entry = {"family": "songbloom", "weights": RUN.format(step=200), "checkpoints": checkpoints}
    study = study_with(entry | {"initial": {"seed": 3}, "activations": ["notes"]} | model)
    sketch = {"model": "resources/models/demo-muq", "layer": 2}
    latents = {"model": "CypressYang/SongBloom"}
    given = {"songs": {"sheet": "songs.tsv", "sketch": sketch, "latents": latents}}
    runs = {"songbloom": {"runs": {"toy": {"preset": "toy", "train": train}}}}
    return study | runs | (given if songs else {})


def test_a_run_tells_its_steps_and_its_ends():
    checked = load(study_of_a_run({"run": "toy"}))
    steps = {"weights": RUN, "steps": [0, 25, 100, 200], "untrained": 0, "trained": 200}
    assert checked["models"]["m"]["checkpoints"] == steps
    assert load(checked) == checked
    points = table_of_points(checked).query("route == 'step'")["point"]
    assert points.tolist() == ["untrained", "step-000025", "step-000100", "trained"]
    for point in ("trained", "step-000025"):
        weights = checkpoints.weights_of_checkpoint(checked["models"]["m"], point)
        assert checkpoints.made_by_rule(weights) == "results/songbloom/toy/training.parquet"


@pytest.mark.parametrize(
    ("change", "ends"),
    [
        ({"initial": {"seed": 4}}, (None, 200)),  # step 0 is not this theta_init
        ({"initial": {"rule": "zeros", "seed": 3}}, (None, 200)),
        ({"weights": "/models/other"}, (0, None)),
    ],
)
def test_ends_of_a_run_that_are_not_the_models(change, ends):
    route = load(study_of_a_run({"run": "toy"}, **change))["models"]["m"]["checkpoints"]
    assert (route["untrained"], route["trained"]) == ends


def test_a_run_that_goes_on_from_a_checkpoint_begins_there():
    study = study_of_a_run({"run": "toy"})
    study["songbloom"]["runs"]["toy"]["init_from"] = "/models/public"
    assert load(study)["models"]["m"]["checkpoints"]["untrained"] is None


@pytest.mark.parametrize(
    ("route", "message"),
    [
        ({"run": "toi"}, "run: no training run 'toi'; did you mean 'toy'?"),
        ({"run": "toy", "steps": [4]}, "steps: the run 'toy' tells it; take it or the run out"),
        ({"steps": [4]}, "weights: is missing; give weights and steps, or a run"),
        ({"weights": RUN}, "steps: is missing; give weights and steps, or a run"),
    ],
)
def test_routes_that_contradict_themselves(route, message):
    with pytest.raises(RasenError) as error:
        load(study_of_a_run(route))
    assert f"config/config.yaml: models.m.checkpoints.{message}" in str(error.value)


def test_codecs_are_those_of_the_songs_if_none_are_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = load(study_of_a_run({"run": "toy"}))["models"]["m"]
    names = ("muq", "muq_layer", "codebook", "vae")
    assert [model[name] for name in names] == [
        "resources/models/demo-muq", 2, "results/sketch/codebook.safetensors",
        "CypressYang/SongBloom",
    ]  # fmt: skip
    assert checkpoints.optional_weights(model) == [
        "resources/models/demo-muq/model.safetensors",
        "resources/models/CypressYang--SongBloom",
        "results/sketch/codebook.safetensors",
    ]
    told = recipe_of_point(model, "trained", "encode").options
    assert told["vae"] == "resources/models/CypressYang--SongBloom"
    assert recipe_of_point(model, "trained", "activations").options == {"times": []}
    assert recipe_of_point(model, "trained", "recovery").options == {"times": []}
    assert recipe_of_point(model, "trained").options == {}  # the sketch's loss needs none of them
    own = load(study_of_a_run({"run": "toy"}, codebook="b.npy", muq_layer=0))["models"]["m"]
    assert (own["codebook"], own["muq_layer"]) == ("b.npy", 0)
    study = {"models": {"m": own}, "stimuli": {}, "songs": None}
    assert missing_files(study, {"m"}) == [
        "config: models.m.codebook: b.npy does not exist; correct the path"
    ]
    Path("b.npy").touch()
    assert missing_files(study, {"m"}) == []
    assert "b.npy" in checkpoints.optional_weights(own)


def test_codecs_are_missing_where_there_are_no_songs():
    with pytest.raises(RasenError) as error:
        load(study_of_a_run(None, songs=False))
    for option in ("muq", "muq_layer", "codebook", "vae"):
        assert f"models.m.{option}: is missing" in str(error.value)


def test_a_repository_of_two_models_is_fetched_for_both():
    study = study_of_a_run(None, weights="CypressYang/SongBloom")
    name, uses = downloads(load(study))["CypressYang--SongBloom"]
    assert name == "CypressYang/SongBloom"
    assert uses == [registry.FAMILIES["songbloom"].weight_files, registry.VAE_FILES]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (RUN.format(step=400), "the run 'toy' keeps the steps 0, 25, 100, 200; take one of them, "
         "or add 400 to songbloom.runs.toy.train.keep"),
        (RUN.format(step=200).replace("toy", "toi"), "no training run 'toi'; did you mean 'toy'?"),
    ],
)  # fmt: skip
def test_steps_that_no_run_keeps_are_told(tmp_path, monkeypatch, weights, message):
    monkeypatch.chdir(tmp_path)
    study = study_of_a_run(None, weights=weights)
    with pytest.raises(RasenError) as error:
        load(study)
    assert f"config/config.yaml: models.m.weights: {message}" in str(error.value)
    Path(weights).mkdir(parents=True)  # of results that came from elsewhere
    load(study)


def test_the_steps_are_those_that_the_training_keeps():
    train = {"steps": 200, "keep": [100, 25, 200]}
    kept = TrainSettings(steps=200, keep=(100, 25, 200)).kept
    assert checkpoints.kept_steps({"train": train}) == kept == [0, 25, 100, 200]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sae": {"lr": "1e-3"}}, "sae.lr: '1e-3' is text in YAML; write 1.0e-3"),
        ({"sae": {"lr": ["5E4"]}}, "sae.lr.0: '5E4' is text in YAML; write 5.0e+4"),
        ({"sae": {"lr": [float("inf")]}}, "sae.lr.0: inf is no number to compute with"),
        ({"sae": {"points": ["x" * 300]}}, "is too long, or has characters that no name has"),
        ({"sae": {"points": ["a\ud800"]}}, "sae.points.0: 'a\\ud800' is too long, or has"),
        ({"sae": {"kind": "a\nb\x1b[2J"}}, "sae.kind: 'a\\nb\\x1b[2J' is not valid"),
        ({"helix": {"period": ["4.e0", 12]}}, "helix.period.0: '4.e0' is text in YAML"),
    ],
)
def test_numbers_that_yaml_reads_as_text(settings, message):
    with pytest.raises(RasenError) as error:
        load(SMALLEST | settings)
    assert message in str(error.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"helix": {"method": "x" * 1000}},
        {"perplexity": {"bootstrap": "x" * 1000}},
        {"perplexity": {"bootstrap": [1] * 1000}},
        {"x" * 1000: 1},
        {"stimuli": {"x" * 1000: {"kind": "notes"}}},
        {"models": {"x" * 65: SMALLEST["models"]["m"]}},
    ],
)
def test_a_refusal_shows_little_of_a_long_value(settings):
    with pytest.raises(RasenError) as error:
        load(SMALLEST | settings)
    assert len(str(error.value)) < 700
    assert "x" * 201 not in str(error.value)


def test_whole_numbers_are_integers_however_they_are_written():
    full = load(SMALLEST | {"perplexity": {"bootstrap": 100.0}, "helix": {"period": [4.0, 12.5]}})
    assert repr(full["perplexity"]["bootstrap"]) == "100"
    assert repr(full["helix"]["period"]) == "[4, 12.5]"


@pytest.mark.parametrize(
    ("path", "needed"),
    [
        ("config/config.yaml", ["core", "songs"]),
        ("tests/small/config/config.yaml", ["core"]),
        ("examples/songbloom/config/config.yaml", ["core", "songs"]),
    ],
)
def test_the_environments_that_jobs_run_in(path, needed):
    assert environments(load(yaml.safe_load((ROOT / path).read_text()))) == needed


def test_environments_of_families_and_of_structure():
    jukebox = {"family": "jukebox", "weights": "/models/j"}
    songbloom = {"family": "songbloom", "weights": "/models/s"}
    assert environments(load({"models": {"j": jukebox}})) == ["core", "jukebox"]
    given = {"models": {"s": songbloom}, "songs": {"sheet": "songs.tsv"}}
    assert environments(load(given)) == ["core", "songs"]
    given["songs"]["structure"] = {"backend": "allin1"}
    assert environments(load(given)) == ["allin1", "core", "songs"]
