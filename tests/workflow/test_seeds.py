"""SAEs of several seeds, in several jobs, with a warm start: the real workflow."""

import json

import numpy as np
import pandas as pd
import pytest
import soundfile
import tiny
import yaml
from study import Study

RATE = 16_000
POINTS = ["untrained", "trained"]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Twenty short clips of two levels, and SAEs of two seeds at two points."""
    folder = tmp_path_factory.mktemp("seeds")
    tiny.musicgen(folder / "model")
    rng = np.random.default_rng(0)
    sheet = ["clip\tpath\tlevel"]
    for clip in range(20):
        sound = rng.uniform(-0.5, 0.5, RATE) * (0.1, 1)[clip % 2]
        soundfile.write(folder / f"{clip}.wav", sound, RATE)
        sheet.append(f"{clip}\t{clip}.wav\t{'loud' if clip % 2 else 'soft'}")
    (folder / "sheet.tsv").write_text("\n".join(sheet) + "\n")
    config = {
        "models": {
            "small": {
   "family": "musicgen", "weights": "./model", "sae": "sounds",
            },
        },
        "routes": {"linear": {"whole": [0, 1], "near": [1]}},
        "stimuli": {"sounds": {"kind": "audio", "sheet": "sheet.tsv", "seconds": 1}},
        "sae": {
            "points": POINTS, "layers": [2], "expansion": [1, 2], "k": 4, "lr": [1.0e-3, 1.0e-2],
            "batch": 128, "epochs": 10, "rows": "all", "seeds": 2,
        },
    }  # fmt: skip
    (folder / "config").mkdir()
    (folder / "config/config.yaml").write_text(yaml.safe_dump(config))
    study = Study(folder)
    study.snakemake("sae")
    return study


def table(study, name):
    return pd.read_parquet(study.folder / f"results/tables/{name}.parquet")


def saes(study):
    return table(study, "sae").drop_duplicates(["point", "sae"]).reset_index(drop=True)


def test_the_main_cell_is_trained_at_both_seeds(study):
    rows = saes(study)
    for _, of_point in rows.groupby("point"):
        assert of_point.groupby("seed").size().to_dict() == {0: 4, 1: 2}
        assert set(of_point.loc[of_point["seed"] == 1, "expansion"]) == {1}
        assert of_point.groupby("seed")["best"].sum().to_dict() == {0: 2, 1: 1}
        assert set(of_point["rows_test"]) == {of_point["rows_test"].iloc[0]}, (
            "one split of the data"
        )
    features = table(study, "features")
    assert set(features["seed"]) == {0}


def test_flow_and_coverage_tell_how_much_a_seed_changes(study):
    seeds = table(study, "feature_seeds")
    assert seeds[["point", "seed", "other_seed"]].to_numpy().tolist() == [
        ["untrained", 0, 1], ["trained", 0, 1],
    ]  # fmt: skip
    assert seeds["share"].between(0, 1).all()
    assert {"named", "agreement", "kappa"} <= set(seeds), "stability of the labels"
    (step,) = table(study, "feature_flow").itertuples()
    share = seeds.set_index("point")["share"]
    assert step.seeds == 2
    assert step.matched_low <= step.matched <= step.matched_high
    assert step.deaths_beyond == round(step.deaths - step.before * (1 - share["untrained"]))
    assert step.births_beyond == round(step.births - step.after * (1 - share["trained"]))
    coverage = table(study, "feature_coverage")
    assert len(coverage) == 2
    assert (coverage["labelled_low"] <= coverage["labelled"]).all()
    assert (coverage["labelled"] <= coverage["labelled_high"]).all()


def test_one_seed_in_shards_gives_the_same_main_saes(study):
    """Two jobs for each layer's four SAEs, joined; the best rate is that of both."""
    before = saes(study).query("seed == 0")
    study.edit(lambda config: config["sae"].update(seeds=1, shards=2))
    planned = study.planned("sae")
    assert (planned["train_sae"], planned["join_shards"]) == (4, 2)
    assert "tally_other_seed" not in planned
    study.snakemake("sae")
    pd.testing.assert_frame_equal(
        *(rows.sort_values(["point", "sae"], ignore_index=True) for rows in (saes(study), before))
    )
    layer = study.folder / "results/sae/small/trained/layer-02"
    assert {path.parent.name for path in layer.glob("*/cfg.json")} == set(before["sae"])
    flow = table(study, "feature_flow")
    assert flow[["matched_low", "seed_share_before", "deaths_beyond"]].isna().all(axis=None)
    assert len(table(study, "feature_seeds")) == 0


def test_too_little_memory_is_told_with_the_setting(study):
    back = study.edit(
        lambda config: config["sae"].update(expansion=20_000, training_memory=1000, shards=1)
    )
    output = study.snakemake("sae", ok=False)
    log = (study.folder / "logs/train_sae/small/trained/layer-02.log").read_text()
    assert "sae.training_memory: 1000 MB, but the SAEs of one of 1 jobs take up to" in log, output
    back()


def test_a_warm_start_begins_where_the_point_before_ended(study):
    study.edit(lambda config: config["sae"].update(warm_start=True, seeds=1, shards=1))
    study.snakemake("sae")
    cold, warm = (
        json.loads(next(study.folder.glob(f"results/sae/small/{point}/layer-02/topk*/cfg.json"))
                   .read_text())
        for point in POINTS
    )  # fmt: skip
    assert cold["metadata"]["settings"] == warm["metadata"]["settings"]
    (step,) = table(study, "feature_flow").itertuples()
    assert step.drift < 0.5, "features keep their directions"
    study.edit(lambda config: config["sae"].update(points=POINTS[::-1]))
    assert study.planned("sae")["train_sae"] == 2, "another point comes before"
