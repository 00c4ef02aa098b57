"""What would run: every target, from nothing, without any data."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml
from song_study import new_study
from study import ROOT, Study, profile_of_a_site

from rasen.errors import RasenError
from rasen.study import targets
from rasen.study.config_file import require_plain

TARGETS = [
    "all",
    "nano",
    "stimuli",
    "activations",
    "gradient",
    "perplexity",
    "helix",
    "sae",
    "share",
]


@pytest.mark.parametrize("target", [*TARGETS, "results/export/nano/linear-0.500"])
def test_every_target_can_be_planned(fresh, target):
    assert fresh.planned("--forceall", target)


def test_points_are_visited_once(fresh):
    """Three routes and two control-free models: ends are shared, 5 + 3 points in all."""
    jobs = fresh.planned("--forceall")
    assert jobs["measure_perplexity"] == 5 + 3
    assert jobs["guess_tokens"] == 2
    assert jobs["dump_activations"] == 2 * 5 + 3
    assert jobs["correct_gradient"] == 1
    assert jobs["check_weights"] == 3
    assert jobs["encode_stimuli"] == 5
    assert jobs["train_nano"] == 1
    assert jobs["fit_helix"] == 5
    for rule in ("dump_frames", "train_sae", "measure_recovery", "tally_features"):
        assert jobs[rule] == 2, rule
    assert jobs["match_features"] == jobs["gather_sae"] == jobs["plot_sae"] == 1
    for rule in ("fit_baselines", "gather_helix", "align_helix", "plot_helix"):
        assert jobs[rule] == 1, rule


def test_notes_are_rendered_on_request_alone(other):
    assert "render_notes" not in other.planned()
    config = yaml.safe_load((other.folder / "config/config.yaml").read_text())
    (path,) = targets.note_sounds({**config, "models": {"nano": config["models"]["nano"]}})
    assert other.planned(path)["render_notes"] == 1


def test_what_cannot_be_prepared_fails(other, tmp_path):
    """A pipe into `tee` must not hide it: nodes without a network would find nothing."""
    process = other.start("prepare", env={"RASEN_ENVIRONMENTS": str(tmp_path / "none")})
    output, _ = process.communicate()
    assert process.returncode != 0
    assert "was not made from" in output


def test_default_config_can_be_planned_as_typed():
    """`snakemake -n`, also with the profiles, from the checkout."""
    snakemake = Path(sys.executable).with_name("snakemake")
    slurm = ["--profile", "slurm"]
    other = [*slurm, "--profile", "cluster"]
    for extra in ([], slurm, other, ["--snakefile", "workflow/Snakefile"]):
        command = [snakemake, "--dry-run", "--quiet", "all", "--cores", "8", *extra]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("way", ["config", "configfile", "profile"])
def test_templates_that_run_code_are_refused(other, tmp_path, way):
    """Snakemake would run the Python in a file that says `__use_yte__`, dry runs included."""
    ran = tmp_path / "ran"
    expression = f"?__import__('pathlib').Path('{ran}').touch()"
    path = other.folder / "config/config.yaml"
    if way == "profile":
        path = other.folder / "profiles/default/profile.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(f"__use_yte__: true\ncores: {expression}\n")
    else:
        plain = path.read_text()
        path = path if way == "config" else other.folder / "other.yaml"
        path.write_text(f"__use_yte__: true\nseed: {expression}\n{plain}")
    more = ["--configfile", str(path)] if way == "configfile" else []
    command = [Path(sys.executable).with_name("snakemake"), "-n", "--cores", "1",
               "--snakefile", ROOT / "Snakefile", *more]  # fmt: skip
    done = subprocess.run(command, cwd=other.folder, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"{path.name}: says `__use_yte__`" in done.stdout + done.stderr
    assert not ran.exists()


def test_the_snakefile_refuses_templates_by_itself(tmp_path):
    """For a Snakemake that Rasen did not install, which has the template engine."""
    for text in ("__use_yte__: true", '"__use_\\x79te__": yes', "a: 1\n__use_yte__: false"):
        (tmp_path / "c.yaml").write_text(text + "\n")
        with pytest.raises(RasenError, match=r"c.yaml: says `__use_yte__`.* runs code"):
            require_plain([tmp_path / "c.yaml"])
    (tmp_path / "c.yaml").write_text("a: __use_yte__\n")
    require_plain([tmp_path / "c.yaml", tmp_path / "absent.yaml"])


def test_models_from_the_hub_are_planned_offline(other):
    """Hub ids and paths to nowhere do not stop a dry run."""

    def change(config):
        config["models"]["llama"]["weights"] = "nobody/nothing"
        config["models"]["llama"]["checkpoints"] = {
            "weights": "nobody/nothing@step{step}", "steps": [1, 2],
        }  # fmt: skip

    other.edit(change)
    jobs = other.planned()
    assert jobs["fetch_weights"] == 3
    assert other.planned("prepare") == {"fetch_weights": 3, "prepare": 1}
    other.edit(lambda config: config["models"]["llama"].update(weights="/nowhere/at/all"))
    assert other.planned()


def test_what_is_missing_is_told_before_any_job(other):
    other.edit(lambda config: config["models"]["llama"].update(weights="/nowhere/at/all"))
    output = other.snakemake(ok=False)
    assert "models.llama.weights: /nowhere/at/all does not exist; give a local" in output
    assert "Traceback" not in output
    assert not (other.folder / "results/weights").exists()


def test_config_mistakes_are_told_before_any_job(other):
    other.edit(lambda config: config["perplexity"].update(bootstrp=3))
    output = other.snakemake(ok=False)
    assert "perplexity.bootstrp: unknown setting; did you mean 'bootstrap'?" in output
    assert "Traceback" not in output


def test_sae_is_optional_and_its_points_must_exist(other):
    other.edit(lambda config: config["sae"].update(points=["untrained", "traned"]))
    output = other.snakemake(ok=False)
    assert "sae.points: no route visits 'traned'; did you mean 'trained'?" in output
    other.edit(lambda config: config["models"]["nano"].update(sae=None))
    assert not any("sae" in rule or "feature" in rule for rule in other.planned())
    assert other.planned("sae") == {}


def test_gradients_of_several_settings_and_starts_are_routes_of_their_own(other):
    before = other.planned()

    def change(config):
        config["models"]["nano"]["controls"] = {"zeros": {"rule": "zeros"}}
        config["models"]["nano"]["gradient"] = {"data": "music", "batch": 1, "checkpointing": True}
        config["routes"]["gradient"] = {
            "positions": [0.5, 1], "eta": [1, 0.1], "steps": [1, 3], "controls": True,
        }  # fmt: skip

    other.edit(change)
    output = other.snakemake("--dry-run")
    corrected = set(re.findall(r"results/gradient/nano/(\S+)\.safetensors", output))
    plain = {"gradient", "gradient+eta0.1000", "gradient+steps003", "gradient+eta0.1000+steps003"}
    control = {name.replace("gradient", "gradient+zeros") for name in plain}
    assert corrected == {f"{n}-0.500" for n in plain | control} | {f"{n}-1.000" for n in plain}
    assert other.planned()["correct_gradient"] == 12
    assert before["correct_gradient"] == 1


def test_saes_are_trained_on_the_frames_that_recovery_replaces(other):
    """Whatever `delay` says of activations: the loss runs with the delay pattern."""
    other.edit(lambda config: config["models"]["nano"].update(delay=False))
    output = other.snakemake("--dry-run", "--printshellcmds")
    recipes = {}
    for block in re.split(r"^ *rule (?=\w+:)", output, flags=re.M)[1:]:
        if found := re.search(r"--recipe '(\{.*?\})' --(?:inputs|metrics)", block):
            recipe = json.loads(found[1])
            if (recipe["family"], recipe["point"]) == ("musicgen", "untrained"):
                recipes[block.split(":")[0]] = recipe["options"]
    assert recipes["dump_activations"] == {"delay": False}
    assert recipes["dump_frames"] == recipes["measure_recovery"] == {}


def test_helix_is_optional(other):
    other.edit(lambda config: config["models"]["nano"].update(helix=None))
    assert not any("helix" in rule or "baselines" in rule for rule in other.planned())
    assert other.planned("helix") == {}


def test_layers_are_trained_where_the_config_asks(other):
    """Tasks of clips at the points of `freezing` that a model visits; nothing by default."""

    def change(config):
        config["tasks"] = {
            "pitch": {"stimuli": "notes", "label": "pitch_class"},
            "chord": {"stimuli": "recordings", "label": "chord", "kind": "frames",
                      "intervals": "chords.tsv"},
        }  # fmt: skip
        config["models"]["nano"]["probes"] = ["pitch", "chord"]

    other.edit(change)
    (other.folder / "chords.tsv").write_text("clip\tstart\tend\tchord\n")
    jobs = other.planned("probes")
    assert jobs["fit_probes"] == 5
    assert "finetune_layers" not in jobs
    assert "plot_freezing" not in jobs
    points = ["untrained", "step-000002"]
    freezing = {"layers": [0, -1], "points": points, "epochs": 2}
    other.edit(lambda config: config.update(probes={"freezing": freezing}))
    jobs = other.planned("probes")
    assert jobs["finetune_layers"] == 2
    assert jobs["plot_freezing"] == 1
    output = other.snakemake("--dry-run", "--printshellcmds", "probes")
    commands = [line for line in output.splitlines() if "core finetune_layers.py" in line]
    assert len(commands) == 2
    for command, point in zip(sorted(commands), sorted(points), strict=True):
        assert f"results/finetuned/nano/{point}/notes.parquet" in command
        assert f"results/activations/nano/{point}/notes.h5" in command
        assert "pitch_class" in command
        assert "chord" not in command
        assert '"layers": [0, -1]' in command
        assert '"dtype": "float32"' in command


def test_a_helix_of_several_sets_is_one_job_a_point(other):
    def change(config):
        config["stimuli"]["low"] = config["stimuli"]["notes"] | {"lowest": 24}
        config["models"]["nano"].update(activations=["low", "notes"], helix=["notes", "low"])

    other.edit(change)
    planned = other.planned("helix")
    assert planned["fit_helix"] == 5
    assert planned["dump_activations"] == 2 * 5
    for rule in ("fit_baselines", "gather_helix", "align_helix", "plot_helix"):
        assert planned[rule] == 1, rule
    output = other.snakemake("--dry-run", "--printshellcmds", "helix")
    folder = "results/activations/nano/trained"
    command = f"--activations {folder}/notes.h5 {folder}/low.h5 --stimuli notes low --loudness"
    assert output.count(command) == 1
    assert "--model nano --stimuli notes --alpha" in output  # figures are of the first


def test_a_route_of_16_points_is_few_slurm_jobs(other):
    """60 jobs of a model that is there already in 11 SLURM jobs; needs no SLURM to be planned."""

    def change(config):
        config["models"]["nano"] = {
            "family": "musicgen", "weights": "./models/nano", "activations": ["notes"],
            "perplexity": "heldout", "helix": "notes",
        }  # fmt: skip
        del config["models"]["llama"]
        alphas = [round(k / 15, 3) for k in range(16)]
        config["routes"] = {
            "linear": {"whole": alphas, "near": [1]}, "gradient": {"positions": []}
        }  # fmt: skip

    other.edit(change)
    output = other.snakemake("--dry-run", "--profile", "slurm")
    assert re.search(r"^dump_activations +16$", output, re.M)
    assert Counter(re.findall(r"Group job (\S+)", output)) == {
        "stimuli": 1, "weights-nano": 1, "encode-nano": 1, "baselines-nano": 1, "points-nano": 4,
        "helix-nano": 2, "tables": 1,
    }  # fmt: skip
    alone = set(re.findall(r"^rule (\w+):", output, re.M)) - {"all", "list_points", "write_readme"}
    assert alone == set()


def with_gpus(count, folder):
    """An environment in which `nvidia-smi` lists so many GPUs."""
    lines = "".join(f"echo 'GPU {i}: Made up (UUID: GPU-{i})'\n" for i in range(count))
    (folder / "nvidia-smi").write_text(f"#!/bin/sh\n{lines}")
    (folder / "nvidia-smi").chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}", "TMPDIR": str(folder)}


def taken_gpus(study, env, *arguments):
    """{rule: GPUs that its jobs take} in a dry run."""
    output, _ = study.start("--dry-run", *arguments, env=env).communicate()
    taken = {}
    for block in re.split(r"^ *rule (?=\w+:)", output, flags=re.M)[1:]:
        found = re.search(r"resources: .*\bgpu=(\d+)", block)
        taken.setdefault(block.split(":")[0], set()).add(int(found[1]) if found else None)
    return taken


def test_jobs_run_together_on_no_more_gpus_than_there_are(other, tmp_path):
    """`--cores 8` on a machine with two GPUs: at most two such jobs. With --resources as told."""
    env = with_gpus(2, tmp_path)

    def offered(*arguments, **more):
        process = other.start("results/stimuli/notes.parquet", *arguments, env=env | more)
        output, _ = process.communicate()
        assert process.returncode == 0, output
        return re.search(r"^Provided resources: .*?gpu=\D*(\d+)", output, re.M)[1]

    assert offered() == "2"
    assert offered("--forceall", CUDA_VISIBLE_DEVICES="1") == "1"
    assert offered("--forceall", "--resources", "gpu=7") == "7"

    other.edit(lambda config: config["models"]["nano"].update(gpus=4))
    for arguments, most in ((), 2), (("--resources", "gpu=7"), 4), (("--profile", "slurm"), 4):
        taken = taken_gpus(other, env, *arguments)
        assert taken["dump_activations"] == {1, most}  # llama's and nano's
        assert taken["measure_perplexity"] == {1, most}
        assert taken["correct_gradient"] == taken["measure_recovery"] == {most}
        assert taken["encode_stimuli"] == taken["train_sae"] == {1}
        assert taken["fit_helix"] == {None}


def test_a_machine_without_gpus_asks_for_none(other):
    taken = taken_gpus(other, None)
    assert taken["dump_activations"] == taken["correct_gradient"] == {0}


def test_every_rule_has_a_slurm_group():
    """But for those that run on this machine and those that are long and alone."""
    text = "".join(path.read_text() for path in (ROOT / "rules").glob("*.smk"))
    rules = {block.split(":")[0]: block for block in re.split(r"^ *rule ", text, flags=re.M)[1:]}
    remote = {n for n, block in rules.items() if "    shell:" in block and "localrule" not in block}
    profile = yaml.safe_load((ROOT / "slurm/profile.yaml").read_text())
    remote |= set(re.findall(r"^use rule \w+ as (\w+) with:", text, flags=re.M))
    long = {"train_nano", "export_point", "train_codebook"}
    long |= {"encode_sketch", "encode_latents", "gather_recordings"}
    long |= {"train_songbloom"}  # may have several nodes
    assert set(profile["groups"]) == remote - long
    assert set(profile["group-components"]) == set(profile["groups"].values())


def test_a_slurm_group_is_on_gpus_or_not():
    """Snakemake refuses a group whose jobs disagree on the partition."""
    text = "".join(path.read_text() for path in (ROOT / "rules").glob("*.smk"))
    blocks = re.split(r"^ *rule ", text, flags=re.M)[1:]
    profile = profile_of_a_site()
    on_gpus, groups = set(profile["set-resources"]), profile["groups"]
    assert on_gpus >= {block.split(":")[0] for block in blocks if "        gpu=" in block}
    mixed = {groups[rule] for rule in on_gpus if rule in groups} & {
        group for rule, group in groups.items() if rule not in on_gpus
    }
    assert mixed == set()


def test_the_tally_runs_on_the_models_device_with_the_memory_of_the_config(other):
    other.edit(lambda config: config["models"]["nano"].update(device="cpu"))
    other.edit(lambda config: config["sae"].update(memory=5000))
    output = other.snakemake("--dry-run", "--printshellcmds", "sae")
    commands = [line for line in output.splitlines() if "core tally_features.py" in line]
    assert len(commands) == 2
    assert all("--rows test" in line for line in commands)
    assert all("--device cpu --memory 5000" in line for line in commands)


def test_a_songbloom_that_is_trained_here_is_walked(tmp_path):
    """Its run is trained once, its clips are encoded with the songs' codecs in their environment,
    and everything else of it runs in core's."""
    study = new_study(tmp_path / "study")

    def change(config):
        config["models"] = {
            "toy": {
                "family": "songbloom", "weights": "results/songbloom/toy/weights/step-000200",
                "checkpoints": {"run": "toy"}, "activations": ["notes"],
            }
        }  # fmt: skip
        config["songbloom"] = {
            "runs": {"toy": {"preset": "toy", "train": {"steps": 200, "keep": [25]}}}
        }
        config["stimuli"] = {"notes": {"kind": "notes"}}
        config["tasks"], config["probes"], config["sae"] = {}, {}, {}
        config["routes"] = {"linear": {"whole": [0, 1], "near": [0.5]}}

    study.edit(change)
    jobs = study.planned("activations")
    assert jobs["train_songbloom"] == jobs["train_codebook"] == jobs["encode_stimuli"] == 1
    assert jobs["dump_activations"] == 4  # both ends, the middle of the line, step 25
    assert jobs["check_weights"] == 2
    shown = study.snakemake("--dry-run", "--printshellcmds", "activations")
    assert "rasen songs encode_stimuli.py" in shown
    assert set(re.findall(r"rasen (\w+) dump_activations.py", shown)) == {"core"}


def test_a_run_goes_on_from_the_hub_or_from_another_run(tmp_path):
    """A hub id is fetched on this machine; steps of another run are trained first."""
    study = new_study(tmp_path / "study")
    run = {"preset": "toy", "train": {"steps": 200, "keep": [25]}}

    def change(config):
        for key in set(config) - {"songs"}:
            del config[key]
        config["songbloom"] = {
            "runs": {
                "toy": run,
                "hub": run | {"init_from": "some/songbloom"},
                "later": run | {"init_from": "results/songbloom/toy/weights/step-000025"},
            }
        }

    study.edit(change)
    output = study.snakemake("--dry-run", "--printshellcmds", "results/songbloom/hub/weights")
    assert "fetch_weights.py --weights some/songbloom " in output
    folder = "resources/models/some--songbloom"
    assert f"check_weights.py --folder {folder} " in output
    assert f'"init_from": "{folder}"' in output
    jobs = study.planned("results/songbloom/later/weights")
    assert (jobs["train_songbloom"], jobs["check_start"]) == (2, 1)
    study.edit(
        lambda c: c["songbloom"]["runs"]["later"].update(
            init_from="results/songbloom/toy/weights/step-000026"
        )
    )
    told = study.snakemake("--dry-run", "results/songbloom/later/weights", ok=False)
    assert "songbloom.runs.later.init_from: the run 'toy' keeps the steps 0, 25, 200" in told


def test_windows_of_songs_are_read_without_their_sound(tmp_path):
    """From the shards in core's environment; the clips of sound beside them as before."""
    study = new_study(tmp_path / "study")
    weights = "results/songbloom/toy/weights/step-000200"

    def change(config):
        model = {"family": "songbloom", "weights": weights, "perplexity": "sung"}
        for key in set(config) - {"songs"}:
            del config[key]
        config["models"] = {"toy": model | {"activations": ["sung", "notes"]}}
        config["songbloom"] = {"runs": {"toy": {"preset": "toy", "train": {"steps": 200}}}}
        config["stimuli"] = {"notes": {"kind": "notes"}, "sung": {"kind": "windows"}}
        config["routes"] = {"linear": {"whole": [1], "near": [1]}}
        config["probes"], config["sae"] = {}, {}

    study.edit(change)
    jobs = study.planned("activations", "results/tables/perplexity.parquet")
    for rule in ("list_windows", "encode_windows", "list_stimuli", "encode_stimuli"):
        assert jobs[rule] == 1, rule
    assert jobs["measure_perplexity"] == 1
    target = "results/inputs/toy/sung.h5"
    shown = study.snakemake("--dry-run", "--printshellcmds", target)
    assert set(re.findall(r"rasen (\w+) (?:list|encode)_windows.py", shown)) == {"core"}
    assert "encode_stimuli" not in study.planned(target)


@pytest.fixture
def checkout_at(tmp_path):
    """A function that puts a checkout, without its tests, into a folder with that name."""

    def put(name):
        checkout = tmp_path / name
        listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
        for file in subprocess.check_output(listed, cwd=ROOT, text=True).splitlines():
            if (ROOT / file).is_file() and not file.startswith("tests/"):
                (checkout / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / file, checkout / file)
        (checkout / ".venv").symlink_to(ROOT / ".venv")
        return Study(checkout, checkout)

    return put


def test_a_checkout_may_have_any_name(checkout_at, tmp_path):
    """A user may have no home, either."""
    study = checkout_at("a $x 'b' 音")
    process = study.start("results/README.md", env={"HOME": str(tmp_path / "none")})
    output, _ = process.communicate()
    assert process.returncode == 0, output


def test_braces_in_the_path_of_a_checkout_are_refused(checkout_at):
    """Snakemake itself cannot run there."""
    output = checkout_at("a{x}b").snakemake("-n", ok=False)
    assert "a{x}b: Snakemake takes braces in a path for variables; move it" in output
    assert "Traceback" not in output
