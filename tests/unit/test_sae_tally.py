"""Tallies, language tendency, granularity and sheets of planted sparse codes."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
import torch

from rasen.errors import RasenError
from rasen.io import hdf5
from rasen.sae import activation_source
from rasen.sae.data_split import TEST, split_by_clip
from rasen.sae.features import granularity, labels, language, match, sheet, tags, tally
from rasen.sae.features.memory import require_memory
from rasen.sae.features.words import Words
from rasen.sae.model import SAE

CLIP = np.repeat(np.arange(60), 25)


def dense(rng, rows=1500, features=40, share=0.1):
    """Activations [rows, features] with ties, a dead feature (3) and one that fires once (5)."""
    x = rng.integers(1, 12, (rows, features)) / 8 * (rng.random((rows, features)) < share)
    x[:, 3] = x[:, 5] = 0
    x[777, 5] = 2.5
    return x.astype(np.float32)


def blocks(x, block=400):
    """The same as rasen.sae.sparse_codes gives it: winners first, then zeros at any index."""
    for start in range(0, len(x), block):
        rows = x[start : start + block]
        order = np.argsort(-rows, axis=1, kind="stable")[:, : int((rows > 0).sum(1).max())]
        yield slice(start, start + len(rows)), order, np.take_along_axis(rows, order, 1)


def tallied(x, clip=CLIP, **options):
    return tally.tally_codes(blocks(x), x.shape[1], clip, **options)


def naive_examples(x, clip, share=0.7, most=50):
    """The rule of Inaba et al. 2025 as a double loop over features and sequences."""
    rows_of_examples = []
    for feature in range(x.shape[1]):
        maximum, shown = float(x[:, feature].max()), 0
        for sequence in np.unique(clip):
            rows = np.flatnonzero(clip == sequence)
            values = x[rows, feature].astype(float)
            if values.max() > share * maximum and shown < most:
                best = int(values.argmax())
                rows_of_examples.append((feature, shown, sequence, rows[best], best, values[best]))
                shown += 1
    return pd.DataFrame(
        rows_of_examples, columns=["feature", "rank", "clip", "row", "frame", "value"]
    )


def assert_same(table, expected):
    pd.testing.assert_frame_equal(table, expected, check_dtype=False)


# the tally


@pytest.mark.parametrize(("share", "most"), [(0.7, 50), (0.5, 4), (0.0, 3)])
def test_examples_are_those_of_a_double_loop(rng, share, most):
    x = dense(rng)
    assert_same(
        tally.strong_examples(tallied(x), share, most), naive_examples(x, CLIP, share, most)
    )


def test_a_value_at_the_threshold_is_not_above_it():
    x = np.zeros((40, 1), np.float32)
    x[[2, 13, 25, 31], 0] = [10, 7, 7.0001, 6.9999]
    assert tally.strong_examples(tallied(x, np.arange(40) // 10))["row"].tolist() == [2, 25]


def test_the_table_of_features_by_hand(rng):
    x = dense(rng)
    table = tally.feature_table(tallied(x))
    fires = x > 0
    assert table["rows"].tolist() == fires.sum(0).tolist()
    by_clip = fires.reshape(60, 25, -1).any(1)
    assert table["clips"].tolist() == by_clip.sum(0).tolist()
    assert np.allclose(table["clip_rate"], by_clip.mean(0))
    assert np.allclose(table["rate"], fires.mean(0))
    assert np.allclose(table["maximum"], x.max(0))
    alive = np.delete(np.arange(40), 3)
    assert np.allclose(table["mean"][alive], [x[fires[:, f], f].mean() for f in alive])
    assert table["row"][alive].tolist() == x.argmax(0)[alive].tolist()
    assert table.loc[3, ["rows", "row", "clip", "frame", "strong_clips"]].tolist() == [
        0,
        -1,
        -1,
        -1,
        0,
    ]
    assert table.loc[5, ["rows", "row", "clip", "frame"]].tolist() == [1, 777, 31, 2]
    tops = x.reshape(60, 25, -1).max(1)
    assert table["strong_clips"].tolist() == (tops > 0.7 * x.max(0).astype(float)).sum(0).tolist()


def test_top_clips_have_the_greatest_mean(rng):
    x = dense(rng)
    examples = tally.top_clips(tallied(x), 7)
    means = x.astype(float).reshape(60, 25, -1).mean(1)
    for feature, rows in examples.groupby("feature"):
        assert np.allclose(rows["mean"], np.sort(means[:, feature])[::-1][: len(rows)])
        assert rows["clip"].is_unique
        assert np.array_equal(x[rows["row"], feature], rows["value"])
        assert rows["rank"].tolist() == list(range(len(rows)))
    assert (examples.groupby("feature").size() <= 7).all()
    assert set(examples["feature"]) == set(range(40)) - {3}


def test_rows_left_out_count_nowhere(rng):
    x = dense(rng)
    x[::25] = 100  # a BOS in every clip, where everything fires
    counts = tallied(x, skip=1)
    without = x.copy()
    without[::25] = 0
    assert_same(tally.strong_examples(counts), tally.strong_examples(tallied(without)))
    assert np.allclose(tally.feature_table(counts)["rate"], (without > 0).sum(0) / (1500 - 60))


def test_rounding_to_tenths_takes_the_first_of_what_looks_equal():
    x = np.zeros((40, 1), np.float32)
    x[[3, 7, 15], 0] = [0.95, 1.0, 0.85]  # 3 and 7 are one clip; both round up to 1.0
    clip = np.arange(40) // 10
    assert tally.strong_examples(tallied(x, clip))["row"].tolist() == [7, 15]
    rounded = tally.strong_examples(tallied(x, clip), tenths=True)
    assert rounded["row"].tolist() == [3, 15]
    assert np.allclose(rounded["value"], [0.95, 0.85])


def parts_of(counts):
    """All of a tally as one array [rows, features]."""
    return np.concatenate([part.values.toarray() for part in counts.parts()])


def test_parts_of_any_size_say_the_same(rng, monkeypatch):
    """One clip at a time, or all at once: the same tables, labels and matches."""
    x, y = dense(rng), dense(rng)
    group = np.arange(60) // 3
    chord = pd.DataFrame({"chord": rng.choice(list("CFG"), 60)})

    def everything():
        counts = tallied(x)
        clips = labels.by_clip(counts)
        sides = [match.PointFeatures(np.eye(40), tallied(values)) for values in (x, y)]
        return (
            tally.feature_table(counts),
            tally.strong_examples(counts, 0.5, 4, tenths=True),
            tally.top_clips(counts, 5),
            labels.label_features(clips.activations, group, tags.tags_of_table(chord), 0),
            pd.DataFrame(labels.by_frame(counts).activations.toarray()),
            match.match_features(*sides, least=1.0).drop(columns="limit"),
        )

    whole = everything()
    monkeypatch.setattr(tally, "PART", 50)
    monkeypatch.setattr(labels, "BLOCK", 30)
    monkeypatch.setattr(match, "COUNTS", 300)
    monkeypatch.setattr(match, "PAIRS", 100)
    assert len(list(tallied(x).spans())) == 60
    for table, expected in zip(everything(), whole, strict=True):
        assert_same(table, expected)


def test_a_tally_comes_back_and_damage_is_seen(rng, tmp_path, sae):
    x = rng.standard_normal((1500, 8)).astype(np.float32)
    clip = np.repeat(np.arange(60), 25)
    write_dump(tmp_path / "dump.h5", x, clip)
    counts = tally.tally_dump(sae, x, groups=clip, rows="all")
    tally.write_tally(tmp_path / "a.h5", sae, tmp_path / "dump.h5", 2, rows="all")
    with tally.open_tally(tmp_path / "a.h5") as again:
        assert np.array_equal(parts_of(again), parts_of(counts))
        assert_same(tally.strong_examples(again), tally.strong_examples(counts))
        assert_same(tally.feature_table(again), tally.feature_table(counts))
    hdf5.verify(tmp_path / "a.h5")


def test_only_test_clips_are_tallied(rng, tmp_path, sae):
    """Those that the SAE was not trained on: a tenth, and whole clips."""
    x = rng.standard_normal((1500, 8)).astype(np.float32)
    clip = np.repeat(np.arange(60), 25)
    write_dump(tmp_path / "dump.h5", x, clip)
    tested = np.flatnonzero(split_by_clip(clip, seed=3) == TEST)
    assert len(tested) == 150
    counts = tally.tally_dump(sae, tmp_path / "dump.h5", 2, seed=3)
    assert counts.rows == 150
    part = next(counts.parts())
    assert np.array_equal(part.row, tested)
    assert np.array_equal(part.clip, clip[tested])
    assert np.array_equal(part.frame, tested % 25)
    codes = sae.encode(x[tested])
    expected = np.zeros((150, 16), np.float32)
    np.put_along_axis(expected, codes.indices.numpy(), codes.values.numpy(), 1)
    assert np.array_equal(part.values.toarray(), expected)
    table = tally.feature_table(counts)
    assert np.allclose(table["rate"], (expected > 0).mean(0))
    assert set(table["row"]) <= {-1, *tested}
    with pytest.raises(RasenError, match="'some' is not one of test, all"):
        tally.tally_dump(sae, x, rows="some")


def test_memory_does_not_grow_with_the_rows(tmp_path, sae, monkeypatch):
    """Four times the rows take less than 4 bytes more per row (what is known of 50-row clips)."""
    monkeypatch.setattr(tally, "PART", 4000)
    monkeypatch.setattr(activation_source, "SCANNED", 4000)
    peaks = []
    for rows in (10_000, 40_000):
        x = np.random.default_rng(0).standard_normal((rows, 8)).astype(np.float32)
        write_dump(tmp_path / "dump.h5", x, np.arange(rows) // 50)
        del x
        tracemalloc.start()
        tally.write_tally(tmp_path / "a.h5", sae, tmp_path / "dump.h5", 2, rows="all")
        with tally.open_tally(tmp_path / "a.h5") as counts:
            tally.feature_table(counts)
            tally.strong_examples(counts)
            tally.top_clips(counts)
            side = match.PointFeatures(np.eye(16), counts)
            match.match_features(side, side)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 4 * 30_000


def test_the_words_of_rows_are_kept_once_per_spelling():
    words = Words([["a long word of a document"] * 30_000, ["b"] * 30_000])
    assert words[0] == words[29_999] == "a long word of a document"
    assert words[30_000] == "b"
    assert words.which.nbytes == 4 * 60_000
    assert list(words.spellings) == ["a long word of a document", "b"]


def test_too_little_memory_is_told_before_the_work():
    require_memory(8000, 32_768, 2048, 16.5e6 * 32)
    with pytest.raises(RasenError, match=r"sae.memory: 4000 MB, but .* set sae.memory: 7500"):
        require_memory(4000, 32_768, 2048, 16.5e6 * 32)
    require_memory(1000, 1024, 128, 1e5)


def test_a_tally_of_nothing_is_a_table_of_dead_features():
    nothing = tallied(np.zeros((1500, 4), np.float32))
    assert len(tally.feature_table(nothing)) == 4
    assert tally.strong_examples(nothing).empty
    assert tally.top_clips(nothing).empty


@pytest.fixture
def sae():
    """Sixteen latents on rows of width 8, two of which fire."""
    torch.manual_seed(0)
    tensors = {"W_enc": torch.randn(8, 16), "W_dec": torch.randn(16, 8)}
    tensors |= {"b_enc": torch.zeros(16), "b_dec": torch.zeros(8)}
    return SAE(tensors, {"architecture": "topk", "k": 2, "normalize_activations": "none"})


def write_dump(path, x, clip, clips=None):
    """A dump with layer 02, as `dump_activations` writes it."""
    with hdf5.create(path, pool="all", model="nano", point="trained") as writer:
        writer.array("layers/02", x)
        writer.array("rows/clip", clip.astype(np.int32))
        writer.array("rows/frame", np.arange(len(clip), dtype=np.int32))
        writer.table("clips", pd.DataFrame({"clip": [f"c{i}" for i in np.unique(clip)]}))


def test_context_stays_within_the_clip():
    x = np.zeros((20, 1), np.float32)
    x[[1, 12], 0] = 1
    counts = tallied(x, np.arange(20) // 10, skip=1)
    words = Words([[f" {letter}" for letter in "bcdefghijlmnopqrst"]])  # of the tallied rows
    shown = tally.with_context(counts, tally.strong_examples(counts), words, before=2, after=1)
    assert shown["context"].tolist() == ["« b» c", " l« m» n"]  # a is a BOS, and left out
    assert shown[["from_frame", "to_frame"]].to_numpy().tolist() == [[1, 2], [1, 3]]


def test_rows_out_of_order_are_refused(rng):
    with pytest.raises(RasenError, match="order of its clips; sort them"):
        tallied(dense(rng), CLIP[::-1])
    with pytest.raises(RasenError, match="of other rows than the 1475 of the dump"):
        tallied(dense(rng), CLIP[:-25])


# language


def languages(lists, rule="script", **options):
    """Tendency of features that fire once in each of the given sequences, on the marked word."""
    sequences = [(feature, text) for feature, texts in enumerate(lists) for text in texts]
    marked = [(clip, *sequence) for clip, sequence in enumerate(sequences)]
    rows = [(clip, feature, word) for clip, feature, text in marked for word in text.split("|")]
    clip, feature, words = zip(*rows, strict=True)
    x = np.zeros((len(rows), len(lists)), np.float32)
    x[np.arange(len(rows)), feature] = [word.startswith("*") for word in words]
    words = Words([[word.removeprefix("*") for word in words]])
    counts = tallied(x, clip)
    return language.language_tendency(counts, tally.strong_examples(counts), words, rule, **options)


@pytest.mark.parametrize(
    ("word", "script"),
    [
        ("cat", "en"), (" Café", "en"), ("▁the", "en"),
        ("猫", "ja"), ("ネコ", "ja"), ("ねこ", "ja"), ("ﾈｺ", "ja"), ("々", "ja"),
        ("Ｔシャツ", "ja"),
        ("12", "neutral"), ("。", "neutral"), ("、", "neutral"), ("\n", "neutral"), ("", "neutral"),
        ("<0x0A>", "neutral"), ("<s>", "neutral"), ("\ufffd", "neutral"), ("a猫", "neutral"),
    ],
)  # fmt: skip
def test_script_of_a_word(word, script):
    assert language.script_of_word(word) == script


def test_tendency_by_script_drops_what_says_nothing():
    table = languages(
        [
            ["*cat|1"] * 19 + ["*猫|x"],  # 0.95 English
            ["*猫|x"] * 9 + ["*cat|x"],  # 0.9 is not above 0.9
            ["*cat|1"] * 3 + ["*12|x"] * 30,
            ["*。|x"] * 5,
        ]
    )
    assert table["language"].tolist() == ["en", "mixed", "en", "neutral"]
    assert table[["examples", "ja", "en"]].to_numpy().tolist() == [
        [20, 1, 19], [10, 9, 1], [33, 0, 3], [5, 0, 0],
    ]  # fmt: skip


def test_the_published_rule_to_the_letter():
    table = languages(
        [
            ["the|* cat|。"],
            ["*caf\u00e9|x"],  # an accent is no plain English
            ["*<0x0A>|x"],
            ["cat|*12|。"],  # a number counts as the word before it
            ["猫|*12|x"],
            ["*12|7|cat|3"],  # at the beginning: as the last word, here through 3 to cat
            ["*12|cat|猫"],
            ["*12|7"],
        ],
        rule="inaba2025",
    )
    assert table["language"].tolist() == ["en", "ja", "ja", "en", "ja", "en", "ja", "ja"]
    with pytest.raises(RasenError, match="'letters' is not one of script, inaba2025"):
        languages([["*a|b"]], rule="letters")


# granularity


@pytest.fixture(scope="module")
def world():
    """300 words in 30 groups of vectors; meaning i: words ja-i and en-i, and a group of relatives.

    (words of the rows, vocabulary, vectors, meanings)
    """
    rng = np.random.default_rng(3)
    centres = rng.standard_normal((30, 24))
    vectors = np.repeat(centres, 10, axis=0) + 1.2 * rng.standard_normal((300, 24))
    vocabulary = [f"w{number}" for number in range(300)]
    meanings = {f"w{number}": f"m{number // 2}" for number in range(300)}
    return Words([rng.choice(vocabulary, 1500)]), vocabulary, vectors, meanings


def firing_on(words, groups):
    """A feature per group, firing at 1 on the first row of its words in every clip."""
    x = np.zeros((len(words), len(groups)), np.float32)
    for feature, group in enumerate(groups):
        x[[word in set(group) for word in words], feature] = 1
    return tallied(x)


def test_the_four_classes_are_found(world):
    words, vocabulary, vectors, meanings = world
    rng = np.random.default_rng(0)
    groups = [["w4"], ["w6", "w7"], [f"w{number}" for number in range(50, 60)]]
    groups += [list(rng.choice(vocabulary, 10, False)) for _ in range(20)]
    counts = firing_on(words, groups)
    shown = tally.strong_examples(counts)
    table = granularity.classify(
        counts, shown, words, meanings, vocabulary, vectors, least=3
    ).set_index("feature")
    assert table["granularity"][:3].tolist() == ["token", "synonym", "meaning"]
    assert (table["granularity"][3:] == "unrelated").mean() >= 0.9
    assert table["word"][0] == "w4"
    assert table["token_share"][0] == 1
    assert table["token_share"][1] < 0.9 <= table["synonym_share"][1]
    assert table["similarity"][2] > table["similarity"][3:].max()
    few = granularity.classify(counts, shown[shown["rank"] < 2], words, meanings)
    assert set(few["granularity"]) == {"too few"}


def test_synonyms_are_found_by_vectors_alone(world):
    words, vocabulary, vectors, _ = world
    vectors = vectors.copy()
    vectors[7] = vectors[6] + 0.1
    counts = firing_on(words, [["w6", "w7"], ["w6", "w100"]])
    table = granularity.classify(
        counts, tally.strong_examples(counts), words, None, vocabulary, vectors, least=3
    )
    assert table["granularity"].tolist() == ["synonym", "unrelated"]
    by_hand = vectors[6] @ vectors[100] / np.linalg.norm(vectors[6]) / np.linalg.norm(vectors[100])
    assert table["similarity"][1] == pytest.approx(by_hand)  # of different words alone


def test_random_words_are_rarely_called_related(world):
    """200 features of random words: at a false discovery rate of 5 % any is called in 1 of 20."""
    words, vocabulary, vectors, _ = world
    called = 0
    for seed in range(5):
        rng = np.random.default_rng(seed)
        counts = firing_on(words, [list(rng.choice(vocabulary, 10, False)) for _ in range(200)])
        table = granularity.classify(
            counts, tally.strong_examples(counts), words, None, vocabulary, vectors, seed, draws=100
        )
        assert table["p"].between(0.0, 1).all()
        assert 0.02 <= (table["p"] <= 0.05).mean() <= 0.09
        called += (table["granularity"] == "meaning").sum()
    assert called <= 3


def test_case_width_and_spaces_make_no_other_word():
    assert (
        len(
            {
                granularity.normal_word(word)
                for word in ("Cat", " cat", "▁CAT", "\uff43\uff41\uff54")
            }
        )
        == 1
    )
    assert granularity.normal_word(" ") == " "


# sheets


def contexts(points=("a", "b"), features=150):
    rows = [
        (point, feature, f"«word {feature}»\t{number}\n")
        for point in points
        for feature in range(features)
        for number in range(12)
    ]
    return pd.DataFrame(rows, columns=["point", "feature", "context"])


def test_a_sheet_goes_out_and_comes_back(tmp_path):
    path = tmp_path / "sheet.tsv"
    sheet.write_label_sheet(contexts(), path, seed=0)
    blank = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, encoding="utf-8-sig")
    assert blank.groupby("point").size().tolist() == [100, 100]
    assert blank["feature"].nunique() > 100  # each point draws its own
    assert blank["example_10"][0] == f"«word {blank.feature[0]}»⇥9⏎"
    with pytest.raises(RasenError, match="no label yet"):
        sheet.read_label_sheet(path)
    blank.loc[:9, "granularity"] = ["Token ", "synonym"] * 5
    blank.to_csv(path, sep="\t", index=False)
    labels = sheet.read_label_sheet(path)
    assert labels["granularity"].tolist() == ["token", "synonym"] * 5
    assert labels["feature"].tolist() == blank["feature"][:10].astype(int).tolist()


def test_faults_of_a_sheet_are_told_at_once(tmp_path):
    path = tmp_path / "sheet.tsv"
    path.write_text(
        "point\tfeature\tgranularity\na\t1\ttokn\na\tx\ttoken\na\t2\ttoken\na\t2\ttoken\n"
    )
    with pytest.raises(
        RasenError, match=r"(?s)line 2: granularity 'tokn'.*line 3: feature 'x'.*line 5: a 2 is lab"
    ):
        sheet.read_label_sheet(path)
    path.write_text("point,feature,granularity\n")
    with pytest.raises(RasenError, match="no column point, feature, granularity; keep the header"):
        sheet.read_label_sheet(path)


def test_kappa_by_hand():
    """45 yes-yes, 15 yes-no, 25 no-yes, 15 no-no: 0.60 agree, 0.6 x 0.7 + 0.4 x 0.3 by chance."""
    first = ["yes"] * 60 + ["no"] * 40
    second = ["yes"] * 45 + ["no"] * 15 + ["yes"] * 25 + ["no"] * 15
    assert sheet.kappa(first, second) == pytest.approx((0.60 - 0.54) / (1 - 0.54))
    assert sheet.kappa(first, first) == 1
    assert np.isnan(sheet.kappa(["yes"], ["yes"]))


def test_agreement_per_point_and_in_all():
    hand = pd.DataFrame(
        {
            "point": ["a", "a", "b"],
            "feature": [1, 2, 1],
            "granularity": ["token", "synonym", "token"],
        }
    )
    automatic = hand.assign(granularity=["token", "token", "token"])
    table, pairs = sheet.agreement(hand, automatic)
    assert table["agreement"].tolist() == [0.5, 1, pytest.approx(2 / 3)]
    assert table["point"].tolist() == ["a", "b", "all"]
    assert pairs.loc["synonym", "token"] == 1
    with pytest.raises(RasenError, match="is it of this run"):
        sheet.agreement(hand, automatic.assign(point="c"))
