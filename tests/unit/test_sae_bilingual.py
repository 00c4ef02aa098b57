"""The whole path on a tiny bilingual language model: train it, dump, SAEs, tallies, the trend."""

from dataclasses import replace
from itertools import pairwise

import bilingual
import numpy as np
import pandas as pd
import pytest
from tally_features import tally_features

from rasen.families import open_family
from rasen.figures.sae import draw_labels
from rasen.io import inputs, parquet
from rasen.measure import activations
from rasen.measure.interpolate import network_at_point
from rasen.sae import features, load, train
from rasen.study.recipe import Recipe

POINTS = ["untrained", "step-000010", "step-000100", "trained"]
LAYER = 1
SAE = {"expansion": 1, "k": 4, "batch": 512, "epochs": 30, "lr": 3e-3}
DUMP = activations.DumpSettings([LAYER], "all", "float32")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """(folder, family, corpus, losses, words of the rows) of a bilingual model and 700 lines."""
    folder = tmp_path_factory.mktemp("bilingual")
    corpus = bilingual.corpus()
    losses = bilingual.make(folder / "model", corpus.lines)
    family = open_family("causal_lm", folder / "model", {"window": bilingual.WINDOW})
    encoded = [family.encode(line, "cpu") for line in corpus.lines[:700]]
    clips = pd.DataFrame({"clip": [f"line {number}" for number in range(700)]})
    clips["ends"] = [line.split()[-1] for line in corpus.lines[:700]]
    inputs.write_inputs(folder / "text.h5", encoded, clips)
    words = np.concatenate([family.words(clip) for clip in encoded])
    return folder, family, corpus, losses, words


@pytest.fixture(scope="module")
def route(run):
    """{point: (language, granularity, features of the point)}, the first two tables of shares."""
    folder, family, corpus, _, words = run
    recipe = Recipe("causal_lm", str(family.folder), initial=bilingual.INITIAL)
    trained = network_at_point(family, recipe, "cpu")
    vectors = trained.get_input_embeddings().weight.detach().numpy()
    vocabulary = family.tokenizer().convert_ids_to_tokens(range(len(vectors)))
    of_point = {}
    for point in POINTS:
        recipe_of_point = replace(
            recipe, point=point, checkpoint=str(family.folder / "checkpoints" / point)
        )
        network, path = network_at_point(family, recipe_of_point, "cpu"), folder / f"{point}.h5"
        encoded = inputs.Inputs(folder / "text.h5")
        about = {"model": "llm", "point": point}
        activations.dump(family, network, encoded, path, DUMP, "cpu", 50, **about)
        table = train(path, SAE, 0, folder / point, layer=LAYER)
        sae = load(folder / point / table["sae"][0])
        counted = features.tally.tally_dump(sae, path, LAYER)
        shown = features.tally.strong_examples(counted)
        known_words = (corpus.meanings, vocabulary, vectors)
        tables = (
            features.language.language_tendency(counted, shown, words)["language"],
            features.granularity.classify(counted, shown, words, *known_words)["granularity"],
        )
        shares = [column.value_counts(normalize=True).round(2).to_dict() for column in tables]
        print(point, *shares)
        of_point[point] = (*shares, features.match.point_features(sae, counted))
    return of_point


def test_the_model_learns_its_languages(run):
    _, _, corpus, losses, words = run
    assert np.mean(losses[-20:]) < 0.45 * losses[0]
    assert len(corpus.meanings) > 350
    assert "<s>" not in set(words)  # the BOS token is no frame
    assert set(corpus.meanings.values()) >= {"noun 0.0", "verb 7.3"}


@pytest.mark.filterwarnings("ignore:sae. .* rows for")
def test_features_of_one_language_arise(route):
    """The share of mixed features is about .6, .55, .04, .02 along the route."""
    mixed = [route[point][0].get("mixed", 0) for point in POINTS]
    assert mixed[0] > 0.4
    assert mixed[3] < 0.2 * mixed[0]
    for language in ("ja", "en"):
        assert route["trained"][0][language] > route["untrained"][0][language] + 0.1


@pytest.mark.filterwarnings("ignore:sae. .* rows for")
def test_unrelated_words_become_related_ones(route):
    """Unrelated about .8 to .06, synonym and meaning 0 to .6, token only from .2 to .26.

    The share of the class token is not tested: with another seed of the SAEs it stayed at .25,
    since most of this tiny world's words are seen too rarely to get a feature of their own.
    """
    first, last = (route[point][1] for point in ("untrained", "trained"))
    assert first["unrelated"] > 0.6
    assert last["unrelated"] < 0.3 * first["unrelated"]
    assert first.get("synonym", 0) + first.get("meaning", 0) < 0.1
    assert last["synonym"] + last["meaning"] > 0.35
    assert last["synonym"] > first.get("synonym", 0)


@pytest.mark.filterwarnings("ignore:sae. .* rows for")
def test_most_features_are_born_early_in_training(route):
    """About 28 to 53 of 64 go on from untrained to step 10, 5 to 7 from there to step 100."""
    sides = [route[point][2] for point in POINTS]
    steps = [features.match.flow(features.match.match_features(*pair)) for pair in pairwise(sides)]
    print(steps)
    kept = [step["matched"] / step["before"] for step in steps]
    assert kept[0] > 2 * kept[1]
    same = features.match.flow(features.match.match_features(sides[0], sides[0]))
    assert same["matched"] >= 0.95 * same["before"]


@pytest.mark.filterwarnings("ignore:sae. .* rows for")
def test_texts_with_labels_get_both_analyses_and_their_figures(run, route, tmp_path):
    """The labels' p and the words' p stay apart, so that the figure of labels can be drawn."""
    folder, family, *_ = run
    tally_features(
        frames=folder / "trained.h5",
        inputs=folder / "text.h5",
        metrics=folder / "trained/metrics.parquet",
        recipe=Recipe("causal_lm", str(family.folder), options={"window": bilingual.WINDOW}),
        layer=LAYER,
        settings=SAE,
        language="script",
        seed=0,
        tally=tmp_path / "tally.h5",
        features=tmp_path / "features.parquet",
        examples=tmp_path / "examples.parquet",
    )
    table = parquet.read_table(tmp_path / "features.parquet")
    assert {"label", "p", "p_corrected", "granularity", "p_granularity"} <= set(table)
    assert not [name for name in table if name.endswith(("_x", "_y"))]
    draw_labels(table.assign(position=0), tmp_path / "labels.svg")
