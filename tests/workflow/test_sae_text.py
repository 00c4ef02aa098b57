"""The bilingual study through the real workflow: a language model along its training run."""

import json
from dataclasses import asdict

import bilingual
import pandas as pd
import pytest
import yaml
from described import undescribed
from study import Study

POINTS = ["untrained", "step-000010", "trained"]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bilingual")
    corpus = bilingual.corpus()
    bilingual.make(folder / "model", corpus.lines)
    (folder / "lines.txt").write_text("\n".join(corpus.lines[:700]) + "\n", encoding="utf-8")
    config = {
        "models": {
            "llm": {
                "family": "causal_lm", "weights": "./model", "initial": asdict(bilingual.INITIAL),
                "checkpoints": {"weights": "./model/checkpoints/step-{step:06d}", "steps": [10]},
                "window": bilingual.WINDOW, "sae": "lines", "perplexity": "lines",
            }
        },
        "routes": {"linear": {"whole": [0, 1], "near": [1]}},
        "stimuli": {"lines": {"kind": "text", "sheet": "lines.txt"}},
        "sae": {
            "points": POINTS, "layers": [1], "expansion": 1, "k": 4, "batch": 512, "epochs": 30,
            "lr": 3e-3, "label": {"meanings": "meanings.tsv", "questions": True},
        },
    }  # fmt: skip
    lines = [f"{word}\t{meaning}" for word, meaning in corpus.meanings.items()]
    (folder / "meanings.tsv").write_text("\n".join(["word\tmeaning", *lines]), encoding="utf-8")
    (folder / "config").mkdir()
    (folder / "config/config.yaml").write_text(yaml.safe_dump(config))
    study = Study(folder)
    study.snakemake("sae")
    return study


def test_language_tendency_changes_along_the_run(study):
    features = pd.read_parquet(study.folder / "results/tables/features.parquet")
    shares = features.groupby("point")["language"].value_counts(normalize=True).unstack().fillna(0)
    assert shares.loc["untrained", "mixed"] > 0.4
    assert shares.loc["trained", "mixed"] < 0.2 * shares.loc["untrained", "mixed"]
    granularity = features.groupby("point")["granularity"].value_counts(normalize=True).unstack()
    assert granularity.loc["trained", "unrelated"] < 0.5 * granularity.loc["untrained", "unrelated"]
    assert (study.folder / "results/figures/sae/llm/words-layer-1.svg").exists()
    examples = study.folder / "results/sae/llm/trained/layer-01/examples.parquet"
    context = pd.read_parquet(examples)["context"]
    assert context.str.contains("«.+»", regex=True).all()
    assert not context.str.contains("«<s>»", regex=False).any(), "the BOS token's frame is left out"
    assert not undescribed(study.folder / "results")


def test_top_clips_have_the_activation_of_each_token(study):
    folder = study.folder / "results/sae/llm/trained/layer-01"
    top, examples = (
        pd.read_parquet(folder / f"{name}.parquet") for name in ("top_clips", "examples")
    )
    assert (top["activation"].map(len) == top["tokens"].map(len)).all()
    assert top["activation"].map(max).between(1, 255).all()
    assert top["stimuli"].eq("lines").all()
    strongest = top["frame"] - top["first_frame"]
    at = [levels[place] for levels, place in zip(top["activation"], strongest, strict=True)]
    assert at == top["activation"].map(max).tolist()
    word = [tokens[place] for tokens, place in zip(top["tokens"], strongest, strict=True)]
    both = top.assign(word=word).merge(examples, on=["feature", "row"], suffixes=("", "_shown"))
    assert len(both)
    assert (both["word"] == both["word_shown"]).all()


def test_the_question_shows_words_in_context(study):
    question = study.folder / "results/sae/llm/questions/trained-layer-01.json"
    example = json.loads(question.read_text(encoding="utf-8"))["features"][0]["examples"][0]
    assert f"«{example['word']}»" in example["context"]


def test_a_changed_sheet_of_meanings_is_read_again(study):
    sheet = study.folder / "meanings.tsv"
    sheet.write_text(sheet.read_text(encoding="utf-8") + "\nword\tm", encoding="utf-8")
    assert "train_sae" not in study.planned("sae")
    assert study.planned("sae")["tally_features"] == len(POINTS)
    sheet.write_text(sheet.read_text(encoding="utf-8").removesuffix("\nword\tm"), encoding="utf-8")
    assert study.planned("sae") == {}


def test_hand_labels_come_back_with_kappa(study):
    """The automatic labels written into the sheet: kappa 1; all the same: 0."""
    sheet = study.folder / "results/sae/llm/hand-labels/layer-01.tsv"
    rows = pd.read_csv(sheet, sep="\t", encoding="utf-8-sig", keep_default_na=False)
    assert rows.groupby("point").size().max() <= 100
    automatic = pd.read_parquet(study.folder / "results/tables/features.parquet")
    known = automatic.set_index(["point", "feature"])["granularity"]
    rows["granularity"] = [known[key] for key in zip(rows["point"], rows["feature"], strict=True)]
    rows = rows[rows["granularity"] != "too few"]
    rows.to_csv(study.folder / "filled.tsv", sep="\t", index=False)
    study.edit(lambda config: config["sae"].update(hand={"llm": "filled.tsv"}))
    assert study.planned("sae") == {"measure_agreement": 1}
    study.snakemake("sae")
    agreement = pd.read_parquet(sheet.with_suffix(".parquet"))
    assert agreement.set_index("point").loc["all", "kappa"] == 1
