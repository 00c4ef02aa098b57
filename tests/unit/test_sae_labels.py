"""Labels of planted musical features, their nulls, their held-out test; matches between points."""

import json

import numpy as np
import pandas as pd
import pytest
import tiny
from scipy.sparse import csc_array

from rasen.errors import RasenError
from rasen.sae.features import clap, exchange, labels, match, tally
from rasen.sae.features import tags as tagging
from rasen.sae.features.labels import LabelData
from rasen.sae.features.nulls import shuffle_clips
from rasen.sae.features.ranks import Ranks
from rasen.stats import corrected

INSTRUMENTS = ["flute", "organ", "piano"]


def notes(clips=600, seed=0):
    """A sheet of clips: every pitch of four octaves, three instruments, a tempo."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "clip": [f"clip{number}" for number in range(clips)],
            "pitch": rng.integers(48, 96, clips),
            "instrument": rng.choice(INSTRUMENTS, clips),
            "tempo": rng.uniform(60, 180, clips),
        }
    )


def sparse_noise(rng, units, features, share=0.1):
    x = rng.exponential(1, (units, features)) * (rng.random((units, features)) < share)
    return x.astype(np.float32)


def planted_codes(sheet, features=120, seed=1):
    """Activations [clips, features]: four planted features, the rest noise."""
    rng = np.random.default_rng(seed)
    x = sparse_noise(rng, len(sheet), features)
    for feature, where in enumerate(
        [
            sheet["pitch"] % 12 == 0,
            sheet["instrument"] == "organ",
            sheet["pitch"] == 60,
            sheet["tempo"] > sheet["tempo"].quantile(0.75),
        ]
    ):
        x[:, feature] = where * rng.uniform(1, 2, len(sheet)) * (rng.random(len(sheet)) < 0.9)
    return x


def random_problem(rng, units=80, features=12, tags=7, levels=4):
    """Codes with ties, and yes/no tags."""
    x = rng.integers(0, levels, (units, features)) * (rng.random((units, features)) < 0.5)
    return x.astype(np.float32), rng.random((units, tags)) < rng.uniform(0.05, 0.6, tags)


# statistics


def slow_ap(values, has):
    """Average precision by its definition: sum over thresholds of precision x new recall."""
    total, recall = 0.0, 0.0
    for limit in np.unique(values)[::-1]:
        kept = values >= limit
        now = has[kept].sum() / has.sum()
        total += (now - recall) * has[kept].mean()
        recall = now
    return total


def slow_auroc(values, has):
    above = values[has][:, None] - values[~has]
    return ((above > 0) + 0.5 * (above == 0)).mean()


def slow_information(fires, has):
    total = 0.0
    for a in (fires, ~fires):
        for b in (has, ~has):
            joint = (a & b).mean()
            total += joint * np.log2(joint / (a.mean() * b.mean())) if joint else 0
    return total


@pytest.mark.parametrize("seed", range(4))
def test_scores_are_those_of_their_definitions(seed, monkeypatch):
    monkeypatch.setattr("rasen.sae.features.ranks.PAIRS", 300)  # in several parts
    x, has = random_problem(np.random.default_rng(seed))
    scores = Ranks(csc_array(x)).scores(csc_array(has.astype(np.float32)))
    for feature in range(x.shape[1]):
        for tag in range(has.shape[1]):
            values, yes = x[:, feature], has[:, tag]
            at = (feature, tag)
            assert scores["hits"][at] == (yes & (values > 0)).sum()
            assert scores["ap"][at] == pytest.approx(slow_ap(values, yes))
            assert scores["auroc"][at] == pytest.approx(slow_auroc(values, yes))
            assert scores["information"][at] == pytest.approx(
                slow_information(values > 0, yes), abs=1e-9
            )


def test_z_has_mean_0_and_deviation_1_under_random_order(rng):
    x, has = random_problem(rng)
    ranks = Ranks(csc_array(x))
    has = csc_array(has.astype(np.float32))
    draws = np.array([ranks.z(has[rng.permutation(80)]) for _ in range(2000)])
    assert np.abs(draws.mean(0)).max() < 0.1
    assert np.abs(draws.std(0) - 1).max() < 0.08


def test_benjamini_hochberg_by_hand():
    assert np.allclose(
        corrected(np.array([0.01, 0.04, 0.03, 0.5])), [0.04, 0.16 / 3, 0.16 / 3, 0.5]
    )


def test_shuffled_clips_stay_whole(rng):
    clip = np.repeat([3, 5, 6, 9], [4, 1, 7, 3])
    places = [shuffle_clips(clip, rng) for _ in range(50)]
    assert len({tuple(place) for place in places}) > 40
    for place in places:
        assert sorted(place) == list(range(15))
        assert (np.diff(clip[place]) != 0).sum() == 3
        steps = np.diff(place)[np.diff(clip[place]) == 0]
        assert (steps != 1).sum() <= 3  # each clip is rotated, so it jumps once at most


# tags


def test_tags_of_a_sheet():
    sheet = tagging.with_pitch_class(notes()).assign(mood=[["calm", "dark"], ["calm"]] * 300)
    tags = tagging.tags_of_table(sheet)
    table = tags.table.set_index("tag")
    assert {"pitch class C", "pitch class F#", "octave 4", "pitch 60"} <= set(table.index)
    assert "mood dark" in table.index
    assert "mood calm" not in table.index  # all have it, so it tells nothing
    has = tags.has.toarray()
    names = tags.table["tag"].tolist()
    assert np.array_equal(has[:, names.index("pitch class C")], sheet["pitch"] % 12 == 0)
    assert np.array_equal(has[:, names.index("octave 4")], sheet["pitch"].between(60, 71))
    tempo = table[table["column"] == "tempo"]
    assert tempo["units"].tolist() == [150] * 4
    assert has[:, [names.index(tag) for tag in tempo.index]].sum(1).tolist() == [1] * 600
    assert "clip" not in set(table["column"])


def test_a_fraction_that_all_clips_share_tells_nothing():
    sheet = pd.DataFrame({"key": ["C", "G"] * 4, "seconds_each": [0.5] * 8})
    tags = tagging.tags_of_table(sheet, least=1)
    assert tags.table["tag"].tolist() == ["key C", "key G"]


def test_missing_values_and_lists_as_a_dump_stores_them():
    sheet = pd.DataFrame(
        {
            "chord": ["C", "", None, "C", "G", "G", "null", "C"],
            "mood": ['["a", "b"]', '["b"]', "[]", '["a"]'] * 2,
            "bars": [4.0, np.nan, 4.0, 8.0] * 2,  # whole numbers with a gap
        }
    )
    tags = tagging.tags_of_table(sheet, least=1)
    table = tags.table.set_index("tag")["units"]
    assert table.to_dict() == {
        "chord C": 3, "chord G": 2, "mood a": 4, "mood b": 4, "bars 4": 4, "bars 8": 2,
    }  # fmt: skip
    with pytest.raises(RasenError, match="no column key; there are chord, mood, bars"):
        tagging.tags_of_table(sheet, ["key"])
    with pytest.raises(RasenError, match="had and lacked by 5 units"):
        tagging.tags_of_table(sheet)


# names


def test_planted_musical_features_are_named():
    sheet = notes()
    x = planted_codes(sheet)
    tags = tagging.tags_of_table(tagging.with_pitch_class(sheet))
    table = labels.label_features(csc_array(x), np.arange(600), tags, seed=0)
    tempo = tags.table.loc[tags.table["column"] == "tempo", "tag"].iloc
    fastest = max(tempo, key=lambda tag: float(tag.split()[1]))
    planted = table[:4]
    assert planted["label"].tolist() == ["pitch class C", "instrument organ", "pitch 60", fastest]
    assert planted["confirmed"].all()
    assert (planted["auroc_held_out"] > 0.85).all()
    assert (planted["purity"] > 0.95).all()
    assert (table["label"][4:] == labels.UNLABELLED).mean() > 0.98
    summary = labels.coverage(table)
    assert summary["features"] == 120
    assert summary["labelled"] == pytest.approx(4 / 120, abs=2 / 120)
    assert summary["confirmed"] == pytest.approx(4 / 120)


def test_planted_features_of_frames_are_named():
    """Chords and beats change within a clip, instruments do not; a feature for one of each."""
    rng = np.random.default_rng(4)
    clip, frame = np.repeat(np.arange(60), 40), np.tile(np.arange(40), 60)
    chords = rng.integers(0, 6, (60, 10)).repeat(4, axis=1).ravel()
    table = pd.DataFrame({"chord": np.array(list("CDEFGA"))[chords], "beat": frame % 4})
    sheet = pd.DataFrame({"instrument": rng.choice(INSTRUMENTS, 60)})
    x = sparse_noise(rng, 2400, 50)
    table["instrument"] = sheet["instrument"].to_numpy()[clip]
    tags = tagging.tags_of_table(table)
    x[:, 0] = (table["chord"] == "G") * rng.uniform(1, 2, 2400)
    x[:, 1] = (table["beat"] == 0) * rng.uniform(1, 2, 2400)
    x[:, 2] = (table["instrument"] == "flute") * rng.uniform(1, 2, 2400)
    counted = tally.tally_codes([(slice(0, 2400), np.tile(np.arange(50), (2400, 1)), x)], 50, clip)
    units = labels.by_frame(counted)
    named = labels.label_features(units.activations, units.group, tags, seed=0)
    assert named["label"][:3].tolist() == ["chord G", "beat 0", "instrument flute"]
    assert named["confirmed"][:3].all()
    assert (named["label"][3:] == labels.UNLABELLED).all()


def clumped_noise(rng, features=200, clips=60, frames=20):
    """Features that fire on whole clips or not at all, so that frames are far from independent."""
    x = sparse_noise(rng, clips * frames, features, 0.5)
    on = np.repeat(rng.random((clips, features)) < 0.2, frames, axis=0)
    clip = np.repeat(np.arange(clips), frames)
    chords = pd.DataFrame({"chord": np.repeat(rng.integers(0, 8, clips), frames)})
    chords["beat"] = np.tile(np.arange(frames) % 4, clips)
    return x * on, clip, tagging.tags_of_table(chords)


@pytest.mark.parametrize("kind", ["clips", "frames"])
def test_noise_is_rarely_named(kind):
    """100 runs of pure noise at a false discovery rate of 5 %: any name appears in 1 of 20.

    Over 300 runs it was 6 %; 13 of 100 would have a chance of 1 in 1000.
    """
    wrong, p = 0, []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        if kind == "clips":
            x, clip = sparse_noise(rng, 200, 200, 0.15), np.arange(200)
            tags = tagging.tags_of_table(tagging.with_pitch_class(notes(200, seed)))
        else:
            x, clip, tags = clumped_noise(rng)
        table = labels.choose_labels(LabelData(csc_array(x), clip, tags), seed, draws=50, lift=-1)
        wrong += (table["label"] != labels.UNLABELLED).any()
        p.append(table["p"])
    p = np.concatenate(p)
    assert wrong <= 12
    assert (p <= 0.05).mean() == pytest.approx(0.05, abs=0.01)
    assert (p <= 0.01).mean() == pytest.approx(0.01, abs=0.003)


def test_the_held_out_half_catches_a_name_that_only_fits_its_half():
    sheet = notes()
    first = labels.first_half(np.arange(600), 0)
    rng = np.random.default_rng(5)
    x = planted_codes(sheet)
    organ = sheet["instrument"] == "organ"
    x[:, 10] = np.where(first, organ, rng.random(600) < 0.33) * rng.uniform(1, 2, 600)
    tags = tagging.tags_of_table(tagging.with_pitch_class(sheet))
    table = labels.label_features(csc_array(x), np.arange(600), tags, seed=0)
    assert table["label"][[1, 10]].tolist() == ["instrument organ"] * 2
    assert table["confirmed"][[1, 10]].tolist() == [True, False]
    assert table["auroc_held_out"][10] == pytest.approx(0.5, abs=0.12)
    assert table["balanced_accuracy_hard"][10] == pytest.approx(0.5, abs=0.12)
    assert table["balanced_accuracy"][1] > 0.9


@pytest.mark.parametrize(("negatives", "area"), [("tags", 0.5), ("codes", 0.5), ("random", 0.9)])
def test_hard_negatives_catch_a_name_that_is_only_near(negatives, area):
    """A feature of organs, named "church" (half of the organs, and nothing else), looks right."""
    sheet = notes(2000)
    rng = np.random.default_rng(2)
    organ = sheet["instrument"] == "organ"
    sheet["place"] = np.where(organ & (rng.random(2000) < 0.5), "church", "hall")
    x = sparse_noise(rng, 2000, 10)
    x[:, :3] = (sheet["instrument"].to_numpy()[:, None] == ["organ", "flute", "piano"]) * 5.0
    x[:, 0] *= rng.uniform(0.9, 1.1, 2000)
    tags = tagging.tags_of_table(sheet, ["instrument", "place"])
    first = labels.first_half(np.arange(2000), 0)
    sides = [
        LabelData(csc_array(x), np.arange(2000), tags).select(half) for half in (first, ~first)
    ]
    table = pd.DataFrame({"feature": [0, 0], "label": ["place church", "a sound of pipes"]})
    judged = labels.judge_labels(table, *sides, seed=0, negatives=negatives)
    assert len(judged) == 1  # names in other words cannot be judged
    assert judged["auroc_held_out"][0] == pytest.approx(0.9, abs=0.03)
    assert judged["auroc_hard"][0] == pytest.approx(area, abs=0.07)
    with pytest.raises(RasenError, match="'near' is not one of tags, codes, random"):
        labels.judge_labels(table, *sides, seed=0, negatives="near")


def test_codes_of_other_units_are_refused():
    tags = tagging.tags_of_table(notes())
    with pytest.raises(RasenError, match="600 rows for 500 of activations; give one per unit"):
        labels.label_features(csc_array((500, 4), dtype=np.float32), np.arange(500), tags, 0)
    with pytest.raises(RasenError, match="3 clips; at least 4"):
        labels.first_half(np.repeat([0, 1, 2], 10), 0)


def test_dead_features_stay_without_name():
    tags = tagging.tags_of_table(notes())
    x = csc_array((600, 4), dtype=np.float32)
    table = labels.label_features(x, np.arange(600), tags, 0)
    assert (table["label"] == labels.UNLABELLED).all()
    assert not table["confirmed"].any()
    assert labels.coverage(table)["features"] == 0


def test_purity_by_hand():
    chords = pd.DataFrame({"chord": list("CCCCGGGGFFFF")})
    tags = tagging.tags_of_table(chords, least=1)
    x = np.zeros((12, 4), np.float32)
    x[:4, 0] = [1, 2, 3, 4]
    x[[0, 4, 8], 1] = 5
    x[[0, 4], 2] = [3, 1]
    table = pd.DataFrame({"feature": range(4), "label": "chord C", "column": ["chord"] * 3 + [""]})
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25)) / np.log(3)
    expected = [1, 0, 1 - entropy, np.nan]
    assert np.allclose(labels.purity(table, csc_array(x), tags), expected, equal_nan=True)


def test_frames_and_clips_of_a_tally():
    x = np.zeros((12, 2), np.float32)
    x[[1, 2, 7], 0] = [1, 3, 2]
    where = (slice(0, 12), np.tile([0, 1], (12, 1)), x)
    counted = tally.tally_codes([where], 2, np.repeat([0, 1, 2], 4), skip=1)
    units = labels.by_clip(counted)
    assert units.activations.toarray().tolist() == [[3, 0], [2, 0], [0, 0]]
    assert units.clip.tolist() == [0, 1, 2]
    units = labels.by_frame(counted)
    assert units.activations.toarray()[:, 0].tolist() == [1, 3, 0, 0, 0, 2, 0, 0, 0]
    assert units.clip.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert units.frame.tolist() == [1, 2, 3] * 3


# between points


def points_apart(replaced=20, features=60, rows=2000, d=24, seed=0):
    """Two points: the second's features are the first's in another order, `replaced` of them new.

    Returns (before, after, place in the second of each of the first, -1 where it was replaced).
    """
    rng = np.random.default_rng(seed)
    decoder = rng.standard_normal((features, d))
    x = sparse_noise(rng, rows, features, 0.05)
    order = rng.permutation(features)
    moved, codes = decoder[order] + 0.3 * rng.standard_normal((features, d)), x[:, order].copy()
    codes *= rng.random(codes.shape) < 0.9
    moved[:replaced] = rng.standard_normal((replaced, d))
    codes[:, :replaced] = sparse_noise(rng, rows, replaced, 0.05)
    place = np.argsort(order)
    return side(decoder, x), side(moved, codes), np.where(place < replaced, -1, place)


def side(decoder, x):
    clip = np.arange(len(x)) // 20
    columns = np.tile(np.arange(x.shape[1]), (len(x), 1))
    counted = tally.tally_codes([(slice(0, len(x)), columns, x)], x.shape[1], clip)
    return match.PointFeatures(decoder, counted)


@pytest.mark.parametrize("by", ["overlap", "cosine"])
def test_a_permuted_and_partly_replaced_dictionary_is_matched(by, monkeypatch):
    monkeypatch.setattr(match, "BLOCK", 25)  # in several blocks
    before, after, place = points_apart()
    table = match.match_features(before, after, by)
    pairs = table[table["fate"] == "matched"]
    assert (place[pairs["before"]] == pairs["after"]).mean() >= 0.97
    assert len(pairs) >= 39
    assert set(table.loc[table["fate"] == "death", "before"]) >= set(np.flatnonzero(place < 0))
    assert set(table.loc[table["fate"] == "birth", "after"]) >= set(range(20))
    counts = match.flow(table)
    assert counts["before"] == counts["after"] == 60
    assert counts["matched"] + counts["deaths"] == counts["matched"] + counts["births"] == 60
    assert counts["overlap"] == pytest.approx(0.9, abs=0.03)
    assert counts["drift"] == pytest.approx(1 - 1 / np.sqrt(1.09), abs=0.03)


@pytest.mark.parametrize("by", ["overlap", "cosine"])
def test_chance_makes_few_matches(by):
    before, after, _ = points_apart(replaced=60)
    assert match.flow(match.match_features(before, after, by))["matched"] <= 3


def test_likeness_of_pairs_by_hand():
    x = np.zeros((400, 3), np.float32)
    x[[0, 1, 2, 3], 0] = 1
    x[20:30, 1] = 1
    y = x[:, [1, 0, 2]].copy()
    y[[3, 4], 1] = [0, 1]
    decoder = np.array([[1.0, 0], [0, 1], [1, 1]])
    table = match.match_features(side(decoder, x), side(decoder[[1, 0, 2]], y), level=0.5)
    table = table.set_index("before")
    assert table["after"].to_dict() == {0: 1, 1: 0}  # feature 2 is dead at both
    assert table["overlap"].to_dict() == {0: 0.6, 1: 1}
    assert table["cosine"].tolist() == [1, 1]


def test_what_cannot_be_matched_is_refused():
    before, after, _ = points_apart()
    shorter, _, _ = points_apart(rows=1980)
    dead = side(before.decoder, np.zeros((2000, 60), np.float32))
    for other, message in (
        (shorter, "of different rows; dump the same stimuli"),
        (match.PointFeatures(after.decoder[:, :8], after.tally), "decoders of width 24 and 8"),
        (dead, "no feature fires"),
    ):
        with pytest.raises(RasenError, match=message):
            match.match_features(before, other)


def test_threads_follow_features_along_a_route():
    def step(*rows):
        return pd.DataFrame(rows, columns=["fate", "before", "after"])

    table = match.threads(
        [
            ("a", "b", step(("matched", 0, 7), ("death", 3, -1), ("birth", -1, 2))),
            ("b", "c", step(("matched", 7, 4), ("matched", 2, 0), ("birth", -1, 5))),
        ]
    )
    points_of_thread = table.groupby("thread")[["point", "feature"]].apply(
        lambda rows: rows.to_numpy().tolist()
    )
    assert points_of_thread.to_dict() == {
        0: [["a", 0], ["b", 7], ["c", 4]],
        1: [["a", 3]],
        2: [["b", 2], ["c", 0]],
        3: [["c", 5]],
    }


def test_stability_is_agreement_of_matched_names():
    names = ["chord C", "chord G", labels.UNLABELLED, "chord C"]
    first = pd.DataFrame({"feature": range(4), "label": names})
    second = pd.DataFrame(
        {"feature": range(4), "label": ["chord C", "chord C", names[2], names[2]]}
    )
    pairs = pd.DataFrame({"fate": "matched", "before": range(4), "after": range(4)})
    summary = labels.stability(first, second, pairs)
    assert (summary["matched"], summary["named"]) == (4, 2)
    assert summary["agreement"] == pytest.approx(1 / 3)
    assert labels.stability(first, first, pairs)["kappa"] == 1


# labels from elsewhere


def test_a_question_goes_out_and_an_answer_comes_in(tmp_path):
    shown = pd.DataFrame(
        {
            "feature": [2, 2, 5],
            "rank": 0,
            "clip": [1, 2, 3],
            "value": [1.5, 1, 2],
            "context": "a «猫» b",
        }
    )
    exchange.write_question(
        shown, tmp_path / "ask.json", ["chord C"], {"point": "trained"}, shown=1
    )
    question = json.loads((tmp_path / "ask.json").read_text())
    assert question["format"] == exchange.QUESTION
    assert question["features"] == [
        {"feature": 2, "examples": [{"clip": 1, "value": 1.5, "context": "a «猫» b"}]},
        {"feature": 5, "examples": [{"clip": 3, "value": 2.0, "context": "a «猫» b"}]},
    ]
    answer = {"format": exchange.ANSWER, "labels": [{"feature": 5, "label": "chord C"}]}
    (tmp_path / "answer.json").write_text(json.dumps(answer))
    assert exchange.read_answer(tmp_path / "answer.json", {2, 5})["label"].tolist() == ["chord C"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("sure, here", "cannot be read as JSON"),
        ({"labels": []}, 'needs "format": "rasen-labels-1"'),
        ({"format": exchange.ANSWER, "labels": {}}, '"labels" is not a list'),
        (
            {
                "format": exchange.ANSWER,
                "labels": [
                    {"feature": 9, "label": "a"},
                    {"feature": 1, "label": " "},
                    {"feature": 2, "label": "a", "confidence": 2},
                    "x",
                ],
            },
            r"(?s)\[0\]: feature 9 was not asked.*\[1\]: label is e.*confidence 2.*not an object",
        ),
    ],
)
def test_faults_of_an_answer_are_told(answer, message, tmp_path):
    path = tmp_path / "answer.json"
    path.write_text(answer if isinstance(answer, str) else json.dumps(answer))
    with pytest.raises(RasenError, match=message):
        exchange.read_answer(path, {1, 2})


@pytest.fixture(scope="module")
def clap_folder(tmp_path_factory):
    return tiny.clap(tmp_path_factory.mktemp("clap"))


def test_clap_gives_a_tag_table(clap_folder, monkeypatch):
    from transformers import ClapFeatureExtractor

    lengths, call = [], ClapFeatureExtractor.__call__

    def counting(extractor, sounds, **options):
        lengths.extend(len(sound) for sound in sounds)
        return call(extractor, sounds, **options)

    monkeypatch.setattr(ClapFeatureExtractor, "__call__", counting)
    rng = np.random.default_rng(0)
    clips = [rng.standard_normal(size).astype(np.float32) for size in (16000, 9000, 40000)]
    prompts = {"instrument": {name: name for name in INSTRUMENTS}, "any": {"sound": "piano organ"}}
    table = clap.clap_tags(clap_folder, clips, prompts, batch=2)
    assert table.columns.tolist() == ["instrument", "any"]
    assert set(table["instrument"]) <= set(INSTRUMENTS)
    assert table["any"].tolist() == ["sound"] * 3
    alone = clap.clap_tags(clap_folder, clips[2:], prompts)
    assert alone["instrument"][0] == table["instrument"][2]
    assert lengths == [16000, 9000, 16000, 16000]  # what is longer would be cut at random
    unsure = clap.clap_tags(clap_folder, clips, prompts, margin=2.0)
    assert unsure["instrument"].isna().all()
    assert clap.sampling_rate(clap_folder) == 16000
    with pytest.raises(RasenError, match="no CLAP model with its processor"):
        clap.clap_tags(clap_folder / "nowhere", clips, prompts)
