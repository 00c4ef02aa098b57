"""Training of SAEs: what they find, what the table says, what is refused."""

import json
import re

import numpy as np
import pandas as pd
import pytest
import torch
from planted import planted, recovered

from rasen.errors import RasenError
from rasen.io import hdf5
from rasen.measure import activations
from rasen.sae import codes as codes_of
from rasen.sae import (
    load,
    metrics,
    norms,
    settings,
    train,
    trainer,
    training_run,
    training_weights,
)
from rasen.sae.activation_source import BLOCK, open_activations
from rasen.sae.batch_stream import BatchStream
from rasen.sae.data_split import TEST, TRAIN, VALIDATION, sample_whole_clips, split_by_clip
from rasen.sae.normalise import normalise_rows
from rasen.sae.saelens_format import as_saelens

# What a training finds changes with its seed, and as much with the order of float32 sums, so with
# the processor: what is asserted of it are means over these seeds. The numbers in comments were
# measured over 8 to 12 seeds, on two or three instruction sets of x86.
SEEDS = range(3)
SMALL = {"expansion": 8, "k": 4, "batch": 512, "lr": 0.01}
pytestmark = pytest.mark.filterwarnings("ignore:sae. .* rows for")


@pytest.fixture(scope="module")
def trap(tmp_path_factory):
    """Two percent of huge rows, with and without normalisation: one training per seed.

    (metrics of the first, a row per normalisation; the means of all, with the share that is
    recovered; the first one's folder)
    """
    x, dictionary = planted(huge=0.02)
    grid, tables = SMALL | {"epochs": 4, "normalise": ["none", "scalar"]}, []
    folders = [tmp_path_factory.mktemp("trap") for _ in SEEDS]
    for seed, folder in zip(SEEDS, folders, strict=True):
        table = train(x, grid, seed, folder).set_index("normalise")
        saes = [load(folder / name) for name in table.sae]
        tables.append(table.assign(recovered=[recovered(sae, dictionary) for sae in saes]))
    numbers = pd.concat(tables).select_dtypes("number")
    return tables[0], numbers.groupby(level=0).mean(), folders[0]


def dump(path, x, clips, dtype="float32", **attributes):
    """What rasen.measure.activations.dump writes with pool "all": layers 3 (noise) and 6 (x)."""
    attributes = {"pool": "all", "recipe": {"point": "trained"}, "model": "nano"} | attributes
    with hdf5.create(path, **attributes) as writer:
        for name, rows in (("layers/03", np.zeros_like(x)), ("layers/06", x)):
            writer.array(name, rows.astype(dtype))
        writer.array("rows/clip", clips.astype(np.int32))
        first = np.searchsorted(clips, clips)
        writer.array("rows/frame", (np.arange(len(clips)) - first).astype(np.int32))
        writer.table("clips", pd.DataFrame({"clip": [str(c) for c in np.unique(clips)]}))
    return path


def clips_of(rows, length=100):
    return np.arange(rows) // length


# what is found


def test_the_planted_dictionary_is_found(trap):
    _, means, _ = trap
    assert means.recovered["scalar"] >= 0.95  # .98 to 1 of single trainings


def test_huge_rows_make_a_bad_sae_look_perfect(trap):
    """Of single trainings: fvu .011 to .013, the next two 18 to 23 times that, .42 to .56 of
    fvu_normal, and .71 to .93 recovered where .98 to 1 can be."""
    _, means, _ = trap
    none, scalar = means.loc["none"], means.loc["scalar"]
    assert none.fvu < 0.02  # looks perfect
    assert none.fvu_normal > 10 * none.fvu  # and is not
    assert none.token_error > 10 * none.fvu
    assert scalar.fvu_normal < 0.6 * none.fvu_normal
    assert none.recovered < scalar.recovered - 0.05


def test_the_huge_rows_are_named(trap):
    table, _, folder = trap
    x, _ = planted(huge=0.02)
    rows = pd.read_parquet(folder / "outliers.parquet")
    length = np.linalg.norm(x.astype(float), axis=1)
    assert np.allclose(rows.norm, length[rows.row])
    assert rows.norm.is_monotonic_decreasing
    tested = np.flatnonzero(split_by_clip(np.arange(len(x)) * 100 // len(x), 0) == TEST)
    median = np.median(length[tested])
    assert sorted(rows.row) == tested[length[tested] > 10 * median].tolist()
    assert table.outliers["none"] == len(rows) / len(tested)
    assert table.norm_median["none"] == pytest.approx(median)
    assert table.norm_max["none"] == pytest.approx(length[tested].max())


def test_norms_of_a_whole_dump_name_clip_and_frame(tmp_path):
    x = np.ones((1000, 8))
    x[[205, 730]] *= [[100], [50]]
    summary, rows = norms(dump(tmp_path / "a.h5", x, clips_of(1000)), layer=6)
    assert rows[["row", "clip", "frame"]].to_numpy().tolist() == [[205, 2, 5], [730, 7, 30]]
    assert rows.times_median.tolist() == [100, 50]
    assert summary == {
        "norm_median": pytest.approx(8**0.5),
        "norm_max": pytest.approx(100 * 8**0.5),
        "outliers": 0.002,
    }


@pytest.mark.parametrize(
    ("kind", "share", "fvu"),
    [("topk", 0.95, 0.15), ("batchtopk", 0.95, 0.15), ("matryoshka", 0.75, 0.2)],
)
def test_kinds_with_k_winners_find_the_dictionary(kind, share, fvu, tmp_path):
    """Matryoshka finds less in so few rows: its first latents must serve for many atoms.

    Single trainings had .98 to 1, .96 to 1, .80 to .95 of the atoms, and an fvu of .11 to .12, .12,
    .15 to .17; any three seeds in a row .986, .986, .82 or more. Kernels broken on purpose: winners
    chosen with an error of .1, .67, .48, .39 and .25, .29, .32; two winners too few, 1, .94, .97
    and .22, .19, .20; winners of the first half of the latents alone, .92, .88, .78 and .13, .14,
    .18; each winner one too low in rank, fvu .30 (topk).
    """
    x, dictionary = planted()
    rows = [train(x, SMALL | {"kind": kind, "epochs": 4}, seed, tmp_path / str(seed)).iloc[0]
            for seed in SEEDS]  # fmt: skip
    saes = [load(tmp_path / str(seed) / row.sae) for seed, row in zip(SEEDS, rows, strict=True)]
    assert np.mean([recovered(sae, dictionary) for sae in saes]) >= share
    # in two of them by a threshold; 3.95 to 4.07 of single trainings
    assert np.mean([row.l0 for row in rows]) == pytest.approx(4, rel=0.02)
    assert np.mean([row.fvu for row in rows]) < fvu


def test_l1_trades_error_for_sparsity(tmp_path):
    x, _ = planted(20_000)
    grid = SMALL | {"kind": "relu", "l1": [0.05, 0.1, 0.2], "epochs": 2}
    table = train(x, grid, 0, tmp_path)
    assert table.l0.is_monotonic_decreasing
    assert table.fvu.is_monotonic_increasing
    assert table.l0.iloc[2] < 0.7 * table.l0.iloc[0]
    assert table.fvu.max() < 0.5


def dense_training(x, setting, seed):
    """The same SAE by plain dense autograd: same rows, same first weights, same rates."""
    with open_activations(x) as source:
        parts = split_by_clip(source.groups, seed)
        stream = BatchStream(source, parts == TRAIN, seed, setting.batch)
        sample = trainer.as_tensor(trainer.sample_of_reservoir(stream, seed), "cpu")
        weights = training_weights.initial_weights(
            setting.latents(x.shape[1]), normalise_rows("scalar", sample), seed
        )
        adam = torch.optim.Adam(weights.tensors(), eps=6.25e-10)
        steps = setting.total_steps(int((parts == TRAIN).sum()))
        for step in range(steps):
            rows = normalise_rows("scalar", trainer.as_tensor(stream.next_batch(), "cpu"))
            before = (rows - weights.b_dec) @ weights.encoder.T + weights.b_enc
            best = before.topk(setting.k)
            z = torch.zeros_like(before).scatter(1, best.indices, best.values.relu())
            (rows - z @ weights.decoder - weights.b_dec).square().sum(1).mean().backward()
            weights.keep_gradient_on_sphere()
            adam.param_groups[0]["lr"] = setting.lr * trainer.lr_factor(step, steps)
            adam.step()
            adam.zero_grad()
            weights.normalise_decoder()
        return weights, x[parts == TEST]


def test_fvu_equals_dense_autograd(tmp_path):
    x, _ = planted(20_000)
    grid = SMALL | {"lr": 0.003, "aux": 0, "epochs": 3}
    weights, test = dense_training(x, settings.expand(grid)[0], 0)
    dense = metrics.evaluate(as_saelens(weights, settings.expand(grid)[0]), test)
    for precision in ("fp32", "bf16"):  # measured: 1e-7 at most seeds, 4e-4 at worst
        row = train(x, grid | {"precision": precision}, 0, tmp_path / precision).iloc[0]
        assert row.rows_test == len(test)
        assert abs(row.fvu - dense["fvu"]) < 1e-3


def test_a_short_run_loses_nothing_to_its_ramps(tmp_path, monkeypatch):
    """50 steps, in which a tenth and a half of the rate would go: FVU of a constant rate + 1 %."""
    x, _ = planted()
    run = SMALL | {"steps": 50}
    ours = np.mean([train(x, run, seed, tmp_path / f"a{seed}").fvu[0] for seed in SEEDS])
    monkeypatch.setattr(trainer, "lr_factor", lambda step, steps: 1.0)
    constant = np.mean([train(x, run, seed, tmp_path / f"b{seed}").fvu[0] for seed in SEEDS])
    assert ours < 1.01 * constant  # with ramps of 5 and 20 %: 1.06
    assert ours < 0.275  # 0.285


# seeds, warm start, what goes wrong


def test_a_seed_changes_the_first_weights_and_not_the_rows(tmp_path, monkeypatch):
    """An SAE with the seed of another run, in this one, is not that of the other run."""
    seen = []
    step = training_run.TrainingRun.step

    def recording(run, x, factor):
        seen.append((run.seed, float(x.double().sum())))
        return step(run, x, factor)

    monkeypatch.setattr(training_run.TrainingRun, "step", recording)
    x, _ = planted(6000)
    grid = settings.with_seeds(SMALL | {"k": [4, 2]}, [0, 1], 0)
    table = train(x, grid, 0, tmp_path)
    assert table["seed"].tolist() == [0, 0, 1]
    assert table["k"].tolist() == [4, 2, 4]
    assert table["best"].all()
    rows = {seed: [total for of, total in seen if of == seed] for seed in (0, 1)}
    assert sorted(rows[1] * 2) == sorted(rows[0])
    first, other = (load(tmp_path / table.sae[place]) for place in (0, 2))
    assert not torch.allclose(first.decoder, other.decoder)
    assert settings.main_sae(table, SMALL | {"k": [4, 2]}) == table.sae[0]
    assert settings.main_sae(table, SMALL | {"k": [4, 2]}, 1) == table.sae[2]


@pytest.mark.parametrize("normalise", ["rms", "scalar", "standard"])
def test_a_warm_start_is_the_sae_that_it_starts_as(normalise, tmp_path):
    """No step taken to speak of: it codes as before, also where rows have become longer."""
    x, _ = planted(6000)
    run = SMALL | {"normalise": normalise}
    table = train(x, run, 0, tmp_path / "before")
    crawl = run | {"lr": 1e-12, "steps": 1}
    (tmp_path / "before" / table.sae[0]).rename(tmp_path / "before" / "kept")
    table["sae"] = settings.expand(crawl)[0].folder_name(32)
    (tmp_path / "before" / "kept").rename(tmp_path / "before" / table["sae"][0])
    table.to_parquet(tmp_path / "before" / trainer.TABLE)
    again = train(3 * x, crawl, 0, tmp_path / "after", start=tmp_path / "before")
    before, after = (load(tmp_path / part / again.sae[0]) for part in ("before", "after"))
    for name in ("encoder", "decoder", "b_enc", "b_dec"):
        was, now = getattr(before, name), getattr(after, name)
        assert torch.allclose(was, now, atol=1e-5 * float(was.abs().max())), name


def test_a_warm_start_resumes_from_the_same_start_alone(tmp_path, monkeypatch):
    x, _ = planted(6000)
    for seed in (0, 1):
        train(x, SMALL, seed, tmp_path / str(seed))
    save = trainer.save_state

    def once(*arguments):
        save(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(trainer, "save_state", once)
        with pytest.raises(KeyboardInterrupt):
            train(x, SMALL, 0, tmp_path / "on", save_every=2, start=tmp_path / "0")
    with pytest.raises(RasenError, match="started with another start"):
        train(x, SMALL, 0, tmp_path / "on", start=tmp_path / "1")
    train(x, SMALL, 0, tmp_path / "on", start=tmp_path / "0")


def test_one_that_diverged_is_marked_and_never_the_best(tmp_path):
    x, _ = planted(6000)
    with pytest.warns(UserWarning, match=r"lr1e\+20: diverged; a smaller lr may help"):
        table = train(x, SMALL | {"lr": [0.01, 1e20]}, 0, tmp_path)
    assert table["diverged"].tolist() == [False, True]
    assert table["best"].tolist() == [True, False]
    assert (tmp_path / table.sae[0]).exists()
    assert not (tmp_path / table.sae[1]).exists()
    again = train(x, SMALL | {"lr": [0.01, 1e20]}, 0, tmp_path / "warm", start=tmp_path)
    assert again["diverged"].tolist() == [False, True], "started from random directions"
    every = train(x, SMALL | {"lr": [1e19, 1e20]}, 0, tmp_path / "all")
    assert not every["best"].any()
    with pytest.raises(RasenError, match="diverged at every learning rate"):
        settings.main_sae(every, SMALL | {"lr": [1e19, 1e20]})


def test_the_best_rate_at_the_edge_of_the_grid_is_told(tmp_path):
    x, _ = planted(6000)
    with pytest.warns(UserWarning, match=r"of 1 of 1 SAEs lies at the edge of the grid \(0.01\)"):
        table = train(x, SMALL | {"lr": [1e-4, 0.01]}, 0, tmp_path / "edge")
    assert table["best_at_edge"].tolist() == [False, True]
    table = train(x, SMALL | {"lr": [1e-4, 0.01, 1e20]}, 0, tmp_path / "within")
    assert table["best"].tolist() == [False, True, False]
    assert not table["best_at_edge"].any()
    assert not train(x, SMALL, 0, tmp_path / "alone")["best_at_edge"].any()


@pytest.mark.parametrize("normalise", ["none", "scalar", "standard"])
def test_equal_rows_have_no_share_of_variance(normalise, tmp_path):
    x = np.tile(3.3 + np.arange(32, dtype=np.float32), (6000, 1))
    row = train(x, SMALL | {"normalise": normalise}, 0, tmp_path).iloc[0]
    assert np.isnan([row.fvu, row.fvu_normal, row.explained_variance]).all()
    assert row.token_error < 1e-6
    assert not row.diverged


# one pass, many SAEs


def test_an_sae_does_not_depend_on_its_company(tmp_path):
    x, _ = planted(6000)
    grid = SMALL | {"lr": [0.001, 0.01], "expansion": [4, 8], "normalise": ["none", "rms"]}
    table = train(x, grid, 0, tmp_path / "all")
    assert len(table) == 8
    alone = train(x, SMALL | {"normalise": "rms"}, 0, tmp_path / "one").sae[0]
    for file in ("sae_weights.safetensors", "cfg.json"):
        both = [(tmp_path / folder / alone / file).read_bytes() for folder in ("all", "one")]
        assert both[0] == both[1]


def test_the_best_learning_rate_is_marked_in_each_group(tmp_path):
    x, _ = planted(6000)
    grid = SMALL | {"lr": [1e-5, 0.01], "k": [2, 4], "kind": ["topk", "relu"]}
    table = train(x, grid, 0, tmp_path)
    assert len(table) == 6  # relu knows no k
    assert table[table.best].lr.tolist() == [0.01] * 3
    for _, group in table.groupby(["kind", "k"], dropna=False):
        assert (
            group.best.tolist() == (group.validation_loss == group.validation_loss.min()).tolist()
        )
    assert pd.read_parquet(tmp_path / "metrics.parquet").equals(table)


def test_the_order_of_rows_depends_on_the_seed_alone():
    x, _ = planted(20_000)
    batches = []
    for values, seed in ((x, 0), (-3 * x.astype(np.float16), 0), (x, 1)):
        numbers = np.repeat(np.arange(20_000.0), 2).reshape(-1, 2)  # rows that know their number
        assert len(values) == len(numbers)
        with open_activations(numbers.astype(values.dtype if seed else np.float64)) as source:
            stream = BatchStream(source, np.arange(20_000) % 10 != 3, seed, 500)
            batches.append(np.stack([stream.next_batch()[:, 0] for _ in range(80)]))
    assert np.array_equal(batches[0], batches[1])
    assert not np.array_equal(batches[0], batches[2])
    assert (batches[0] % 10 != 3).all()


def test_every_row_is_given_once_an_epoch_and_batches_are_mixed():
    rows = 20 * BLOCK + 77
    with open_activations(np.repeat(np.arange(float(rows)), 2).reshape(-1, 2)) as source:
        wanted = np.arange(rows) % 7 != 2
        stream = BatchStream(source, wanted, 0, 1024)
        given = []
        while stream.blocks_read < len(stream.blocks):  # until the last block of the epoch was read
            given.append(stream.next_batch()[:, 0].astype(int))
        left = stream.numbers[: stream.filled]
        assert np.array_equal(stream.values[: stream.filled, 0], left)
        assert stream.filled >= 8 * BLOCK - 1024
    assert sorted([*np.concatenate(given), *left]) == np.flatnonzero(wanted).tolist()
    assert np.mean([len(np.unique(batch // BLOCK)) for batch in given]) >= 8


def test_clips_are_never_divided():
    groups = np.random.default_rng(0).integers(0, 50, 5000)
    parts = split_by_clip(groups, 0)
    assert pd.DataFrame({"group": groups, "part": parts}).groupby("group").part.nunique().max() == 1
    clips = [len(np.unique(groups[parts == part])) for part in (TRAIN, VALIDATION, TEST)]
    assert clips == [40, 5, 5]
    assert np.array_equal(parts, split_by_clip(groups, 0))
    assert not np.array_equal(parts, split_by_clip(groups, 1))
    few = sample_whole_clips(parts, groups, TEST, 150, 0)
    assert 150 <= len(few) < 400
    assert set(np.flatnonzero(np.isin(groups, groups[few]))) == set(few)  # whole clips


# dead latents


@pytest.fixture
def half_asleep(monkeypatch):
    """Every second latent starts with a bias that keeps it from winning."""
    initial_weights = training_weights.initial_weights

    def drowsy(n, sample, seed):
        weights = initial_weights(n, sample, seed)
        with torch.no_grad():
            weights.b_enc[::2] = -0.2
        return weights

    monkeypatch.setattr(training_weights, "initial_weights", drowsy)


def test_only_the_auxiliary_loss_revives(half_asleep, tmp_path):
    """Dead latents are counted in training and on held-out rows; AuxK alone reaches them."""
    x, _ = planted(20_000)
    grid = SMALL | {"dead_after": 1500, "epochs": 3, "expansion": 3}
    asleep, revived = (
        train(x, grid | {"aux": aux}, 0, tmp_path / str(aux)).iloc[0] for aux in (0, 1 / 32)
    )
    for share in (asleep.dead, asleep.dead_in_training):
        assert 0.35 < share < 0.5
    for share in (revived.dead, revived.dead_in_training):
        assert share < 0.05
    assert revived.fvu < 0.85 * asleep.fvu


# metrics


def test_metrics_by_hand():
    """Latents along +x and -x: rows on that line are told exactly, what lies aside is lost."""

    class Line:
        n, d = 2, 2

        def encode(self, x):
            values = torch.stack([x[:, :1].abs(), 0 * x[:, :1]], 1)[:, :, 0]
            first = (x[:, :1] < 0).long()
            return type(
                "C", (), {"indices": torch.cat([first, 1 - first], 1), "values": values, "x": x}
            )

        def decode(self, codes):
            sign = torch.where(codes.indices[:, 0] == 0, 1.0, -1.0)
            return torch.stack([codes.values[:, 0] * sign, 0 * sign], 1)

    x = np.array([[1, 0], [-1, 0], [3, 4], [1000, 10]], np.float32)
    measured = metrics.evaluate(Line(), x, outlier=10)
    y = x.astype(float)
    error = np.array([0, 0, 16, 100.0])
    spread = ((y - y.mean(0)) ** 2).sum()
    assert measured["fvu"] == pytest.approx(116 / spread)
    assert measured["fvu_normal"] == pytest.approx(16 / ((y[:3] - y[:3].mean(0)) ** 2).sum())
    assert measured["token_error"] == pytest.approx((error / (y**2).sum(1)).mean())
    assert measured["explained_variance"] == pytest.approx(1 - (116 - 14**2 / 4) / spread)
    assert (measured["l0"], measured["dead"], measured["dense"]) == (1, 0, 1)


# on disk


def test_an_sae_comes_back_with_its_metadata(tmp_path):
    x, _ = planted(6000)
    metadata = {"model": "nano", "point": "step-000500", "layer": 6, "recipe": {"alpha": 1}}
    table = train(x, SMALL | {"normalise": "standard"}, 0, tmp_path, metadata=metadata)
    sae = load(tmp_path / table.sae[0])
    written = json.loads((tmp_path / table.sae[0] / "cfg.json").read_text())["metadata"]
    assert {key: written[key] for key in metadata} == metadata
    assert metrics.evaluate(sae, x[:500])["fvu"] < 1
    codes = sae.encode(x[:7])
    assert codes.indices.shape == codes.values.shape == (7, 4)
    assert (codes.values.diff(dim=1) <= 0).all()
    assert torch.equal(sae.decode(codes), sae.reconstruct(x[:7]))
    # the amounts are what moves x: shift + scale b_dec + sum of amounts x directions
    by_hand = torch.einsum("rk,rkd->rd", codes.amounts, sae.decoder[codes.indices])
    by_hand += codes.shift + codes.scale * sae.b_dec
    assert torch.allclose(by_hand, sae.reconstruct(x[:7]), atol=1e-5)
    with pytest.raises(RasenError, match=r"nowhere: no SAE there"):
        load(tmp_path / "nowhere")


def test_a_dump_of_a_model_is_trained_on(family, at, codes, tmp_path):
    """What rasen.measure.activations writes, with its clips as groups."""
    path = tmp_path / "a.h5"
    pool = activations.DumpSettings([1], "all", "float16")
    activations.dump(
        family, at("trained"), codes, path, pool, "cpu", 2, recipe={"point": "trained"}
    )
    table = train(path, {"expansion": 2, "k": 4, "batch": 16}, 0, tmp_path / "saes", layer=1)
    assert table.steps[0] * 16 + table.rows_test[0] < 143  # the frames of seven clips
    assert table.rows_test[0] in (30, 17, 9, 22, 5)  # a whole clip


@pytest.mark.parametrize("kind", ["topk", "batchtopk"])
def test_a_dump_is_trained_on_and_coded_in_order(kind, tmp_path):
    x, _ = planted(2 * BLOCK + 50)
    path = dump(tmp_path / "a.h5", x, clips_of(len(x)), "float16")
    table = train(path, SMALL | {"kind": kind}, 0, tmp_path / "saes", layer=6)
    sae = load(tmp_path / "saes" / table.sae[0])
    assert pd.read_parquet(tmp_path / "saes/metrics.parquet").fvu[0] < 1
    end = 0
    for rows, indices, values in codes_of(sae, path, layer=6):
        assert rows.start == end
        end = rows.stop
        expected = sae.encode(x[rows].astype(np.float16))
        assert np.array_equal(indices, expected.indices)
        assert np.array_equal(values, expected.values)
    assert end == len(x)


# what is refused


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"k": 33}, r"k = 33 must lie in 1 to 32 \(d = 32, n = 256\)"),
        ({"expansion": 0.1, "k": 4}, r"k = 4 must lie in 1 to 3"),
        ({"kind": "topq"}, "kind: 'topq' is not one of topk, batchtopk"),
        ({"normalise": "l2"}, "normalise: 'l2' is not one of none"),
        ({"batc": 4}, "batc: unknown setting; did you mean 'batch'"),
        ({"batch": [256, 512]}, r"batch: \[256, 512\] differ; all SAEs of a run"),
        ({"batch": 100_000}, "batch: 100000 rows, but only 4800 to train on"),
        ({"lr": 0}, "lr must be above 0"),
        ({"lr": "1e-3"}, "lr: '1e-3' is not a number"),
        ({"aux": [0, 1]}, "differ in aux, dead_after or precision alone"),
    ],
)
def test_settings_that_cannot_be_are_refused_in_one_line(changes, message, tmp_path):
    x, _ = planted(6000)
    with pytest.raises(RasenError, match=message) as caught:
        train(x, SMALL | changes, 0, tmp_path)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_all_faults_are_told_at_once(tmp_path):
    x, _ = planted(6000)
    with pytest.raises(RasenError, match=r"(?s)normalise: 'l2'.*\n.*k = 50"):
        train(x, SMALL | {"k": 50, "normalise": "l2"}, 0, tmp_path)


def test_nan_is_refused_with_layer_and_row(tmp_path):
    x, _ = planted(6000)
    x[4321, 7] = np.nan
    path = dump(tmp_path / "a.h5", x, clips_of(6000))
    message = (
        r"a\.h5: layer 06: NaN or infinite values in 1 of rows 4096 to 5999, .* row 4321; make"
    )
    with pytest.raises(RasenError, match=message):
        train(path, SMALL, 0, tmp_path / "saes", layer=6)


def test_too_few_rows_for_the_latents_is_a_warning_with_a_number(tmp_path):
    x, _ = planted(6000)
    with pytest.warns(UserWarning, match=r"4608 rows for 256 latents .* give 25600 rows"):
        train(x, SMALL, 0, tmp_path)


def test_dumps_that_do_not_serve_are_refused(tmp_path):
    x, _ = planted(1000)
    pooled = dump(tmp_path / "pooled.h5", x, clips_of(1000), pool="mean")
    message = r"pooled\.h5: holds one pooled row per clip \(pool: mean\)"
    with pytest.raises(RasenError, match=message):
        train(pooled, SMALL, 0, tmp_path / "saes", layer=6)
    path = dump(tmp_path / "a.h5", x, clips_of(1000))
    with pytest.raises(RasenError, match=r"a\.h5: has no layer 07; it holds 03, 06"):
        train(path, SMALL, 0, tmp_path / "saes", layer=7)
    with pytest.raises(RasenError, match=r"2 clips; at least 3"):
        train(x, SMALL, 0, tmp_path / "saes", groups=clips_of(1000, 500))
    with pytest.raises(RasenError, match=re.escape("not int64 (3, 4)")):
        train(np.zeros((3, 4), int), SMALL, 0, tmp_path / "saes")
    with hdf5.create(tmp_path / "cut.h5") as writer:
        writer.file.flush()
        (tmp_path / "unfinished.h5").write_bytes((tmp_path / "cut.h5.partial").read_bytes())
    with pytest.raises(RasenError, match=r"unfinished\.h5: "):
        train(tmp_path / "unfinished.h5", SMALL, 0, tmp_path / "saes", layer=6)
