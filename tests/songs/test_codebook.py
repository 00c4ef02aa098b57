"""The codebook finds what is there, reports what it did, and codes exactly."""

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_tensors

from rasen.errors import RasenError
from rasen.networks.codebook import Codebook, load_codebook, nearest_codes, save_codebook
from rasen.songs.codebook import SketchSettings, train_codebook

torch.set_num_threads(1)
CLUSTERS, D, NOISE = 24, 16, 0.1


def planted(count, seed, clusters=CLUSTERS):
    """Vectors [count, D] around well parted centres, and which centre each is around."""
    centres = 5 * np.random.default_rng(0).standard_normal((clusters, D))
    rng = np.random.default_rng(seed + 1)
    which = rng.integers(clusters, size=count)
    x = centres[which] + NOISE * rng.standard_normal((count, D)) + 30  # away from the origin
    return x.astype(np.float32), which


def brute_force(codes, x):
    """Nearest codes by float64 differences, the first of equal ones."""
    codes, x = codes.astype(np.float64), x.astype(np.float64)
    return np.array([np.argmin(((codes - row) ** 2).sum(axis=1)) for row in x])


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_kmeans_finds_planted_clusters(seed):
    (sample, which), (held_out, other) = planted(3000, 1), planted(500, 2)
    book, report = train_codebook(sample, held_out, CLUSTERS, 5, seed)
    codes = nearest_codes(book, sample)
    assert len(set(zip(which, codes, strict=True))) == CLUSTERS  # one code a cluster
    match = dict(zip(which, codes, strict=True))
    assert [match[w] for w in other] == nearest_codes(book, held_out).tolist()
    assert report["held_out_mse"] == pytest.approx(NOISE**2, rel=0.1)
    means = [sample[which == cluster].mean(axis=0) for cluster in range(CLUSTERS)]
    found = [book.vectors[match[cluster]] for cluster in range(CLUSTERS)]
    np.testing.assert_allclose(found, means, atol=1e-4)


def test_ema_finds_planted_clusters():
    (sample, _), (held_out, _) = planted(3000, 1), planted(500, 2)
    _, report = train_codebook(sample, held_out, 2 * CLUSTERS, 10, 0, method="ema")
    assert report["method"] == "ema"
    assert report["held_out_mse"] < 1.1 * NOISE**2
    mse = [row["mse"] for row in report["history"]]
    assert mse[-1] < mse[0]


def test_report_says_what_can_be_counted():
    (sample, _), (held_out, _) = planted(2000, 1), planted(400, 2)
    book, report = train_codebook(sample, held_out, 40, 4, 0)
    codes, other = nearest_codes(book, sample), nearest_codes(book, held_out)
    share = np.bincount(codes, minlength=40) / 2000
    entropy = -sum(p * np.log2(p) for p in share if p)
    error = ((held_out - book.vectors[other]) ** 2).mean()
    # The report's own search rounds to float32, `nearest` does not: of these 2000 vectors one may
    # lie between two codes (in one of twelve trainings it did, and the entropy was off by 2.3e-4).
    assert report["entropy_bits"] == pytest.approx(entropy, rel=1e-3)
    assert report["perplexity"] == pytest.approx(2 ** report["entropy_bits"])
    assert report["held_out_mse"] == pytest.approx(error, rel=1e-3)
    assert report["explained"] == pytest.approx(1 - error / held_out.var(axis=0).mean(), abs=1e-5)
    assert report["dead"] == (share == 0).sum()
    assert report["dead_held_out"] == 40 - len(set(other))
    assert (report["sample"], report["held_out"], report["size"]) == (2000, 400, 40)
    mse = [row["mse"] for row in report["history"]]
    assert len(mse) == 4
    assert mse == sorted(mse, reverse=True)  # of Lloyd's iterations, none makes it worse


@pytest.mark.parametrize("method", ["kmeans", "ema"])
def test_equal_seeds_give_equal_codebooks(method):
    (sample, _), (held_out, _) = planted(1000, 1), planted(100, 2)
    one, report = train_codebook(sample, held_out, 50, 3, 7, method)
    again, same = train_codebook(sample, held_out, 50, 3, 7, method)
    other, _ = train_codebook(sample, held_out, 50, 3, 8, method)
    assert np.array_equal(one.vectors, again.vectors)
    assert report == same
    assert not np.array_equal(one.vectors, other.vectors)


def test_every_repeated_vector_gets_one_code_and_the_rest_are_dead():
    values = np.arange(10, dtype=np.float32)[:, None] * np.ones((1, 4), dtype=np.float32)
    sample = np.repeat(values, 20, axis=0)
    _, report = train_codebook(sample, values, 16, 5, 0)
    assert report["dead"] == 6
    assert report["held_out_mse"] == pytest.approx(0, abs=1e-9)
    assert report["entropy_bits"] == pytest.approx(np.log2(10))


def test_dead_codes_move_to_far_vectors(monkeypatch):
    """A start with every code but one where nothing is: the iterations bring them back."""
    from rasen.songs import codebook

    def nowhere(x, size, rng):
        codes = torch.full((size, x.shape[1]), 1e3)
        codes[0] = 0
        return codes

    monkeypatch.setattr(codebook, "_initial_codes", nowhere)
    (sample, _), (held_out, _) = planted(2000, 1), planted(200, 2)
    _, report = train_codebook(sample, held_out, 3 * CLUSTERS, 8, 0)
    assert report["history"][0]["dead"] == 3 * CLUSTERS - 1
    assert report["history"][-1]["dead"] == 0
    assert report["dead"] == 0
    assert report["held_out_mse"] < 1.1 * NOISE**2


@pytest.mark.parametrize("block", [1, 7, 64, 1000, None])
def test_nearest_is_brute_force(block):
    rng = np.random.default_rng(0)
    codes = rng.standard_normal((300, 33)).astype(np.float32)
    x = rng.standard_normal((200, 33)).astype(np.float32)
    ours = nearest_codes(Codebook(codes), x, block)
    assert ours.dtype == np.uint16
    assert np.array_equal(ours, brute_force(codes, x))


def test_nearest_tells_apart_what_float32_products_cannot():
    """Far from the origin and close together: here the rounding of a product hides the nearest."""
    rng = np.random.default_rng(0)
    codes = (1000 + 0.01 * rng.standard_normal((200, 64))).astype(np.float32)
    x = (1000 + 0.01 * rng.standard_normal((50, 64))).astype(np.float32)
    exact = brute_force(codes, x)
    product = torch.addmm(
        torch.from_numpy(codes).square().sum(dim=1) / 2,
        torch.from_numpy(x), torch.from_numpy(codes).T, alpha=-1,
    ).argmin(dim=1)  # fmt: skip
    assert (product.numpy() != exact).any()
    assert np.array_equal(nearest_codes(Codebook(codes), x), exact)


@pytest.mark.parametrize("size", [5, 64, 1000])
def test_ties_go_to_the_lowest_index(size):
    rng = np.random.default_rng(0)
    few = rng.standard_normal((5, 37)).astype(np.float32)
    codes = few[np.arange(size) % 5]
    x = rng.standard_normal((100, 37)).astype(np.float32)
    assert np.array_equal(nearest_codes(Codebook(codes), x), brute_force(few, x))
    between = ((few[0] + few[1]) / 2)[None] * 0  # as far from a code as from its mirror image
    mirrored = np.concatenate([few, -few])
    assert nearest_codes(Codebook(mirrored), between)[0] == brute_force(mirrored, between)[0] < 5


def test_nearest_of_nothing_and_of_many_codes():
    assert nearest_codes(Codebook(np.ones((3, 2), np.float32)), np.empty((0, 2))).shape == (0,)
    codes = np.arange(65536, dtype=np.float32)[:, None]
    assert nearest_codes(Codebook(codes), codes[[0, 300, 65535]]).tolist() == [0, 300, 65535]
    with pytest.raises(RasenError, match="65537 codes"):
        nearest_codes(Codebook(np.zeros((65537, 1), np.float32)), codes[:2])


def test_what_does_not_fit_is_refused():
    book = Codebook(np.ones((3, 8), np.float32))
    with pytest.raises(RasenError, match="8 dimensions, not the 4"):
        nearest_codes(book, np.ones((2, 4)))
    with pytest.raises(RasenError, match="not finite"):
        nearest_codes(book, np.full((2, 8), np.nan))
    few, many = np.ones((5, 8)), np.ones((20, 8))
    with pytest.raises(RasenError, match="5 vectors for 6 codes"):
        train_codebook(few, many, 6, 1, 0)
    with pytest.raises(RasenError, match="sample has 8 dimensions, held_out 4"):
        train_codebook(many, np.ones((3, 4)), 6, 1, 0)
    with pytest.raises(RasenError, match="uint16"):
        train_codebook(many, few, 65537, 1, 0)
    with pytest.raises(RasenError, match=r"held_out: \(0, 8\)"):
        train_codebook(many, np.empty((0, 8)), 6, 1, 0)


# files


def test_files_keep_codes_and_metadata(tmp_path):
    (sample, _), (held_out, _) = planted(500, 1), planted(50, 2)
    metadata = {"layer": 10, "model": "muq", "normalisation": "none"}
    book, _ = train_codebook(sample, held_out, 20, 2, 0, metadata=metadata)
    save_codebook(book, tmp_path / "deep/codebook.safetensors")
    again = load_codebook(tmp_path / "deep/codebook.safetensors")
    assert np.array_equal(again.vectors, book.vectors)
    assert again.metadata == {"layer": "10", "model": "muq", "normalisation": "none"}
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["codebook.safetensors"]
    with safe_open(tmp_path / "deep/codebook.safetensors", "np") as file:
        assert list(file.keys()) == ["codebook"]


def test_equal_codebooks_are_equal_files(tmp_path):
    """Songs are told from those of another codebook by the file's hash."""
    metadata = {name: name.upper() for name in "abcdefgh"}
    path = tmp_path / "codebook.safetensors"
    contents = set()
    for _ in range(20):
        save_codebook(Codebook(np.eye(4, dtype=np.float32), metadata), path)
        contents.add(path.read_bytes())
    assert len(contents) == 1
    assert load_codebook(path).metadata == metadata


def test_codebooks_with_several_metadata_are_read(tmp_path):
    """As other programs write them."""
    save_file({"codebook": np.eye(4, dtype=np.float32)}, tmp_path / "c.safetensors", {"layer": "2"})
    assert load_codebook(tmp_path / "c.safetensors").metadata == {"layer": "2"}


def test_files_of_users(tmp_path):
    codes = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
    np.save(tmp_path / "a.npy", codes.astype(np.float64))
    save_file({"any_name": codes}, tmp_path / "b.safetensors")
    state = {
        "_codebook.initted": torch.tensor([True]),
        "_codebook.cluster_size": torch.ones(1, 6),
        "_codebook.embed_avg": torch.zeros(1, 6, 4),
        "_codebook.embed": torch.from_numpy(codes)[None],
    }
    torch.save(state, tmp_path / "c.pt")
    save_tensors(state, tmp_path / "d.safetensors")
    halves = {"codebook": torch.from_numpy(codes).bfloat16(), "note": torch.zeros(1)}
    save_tensors(halves, tmp_path / "e.safetensors")
    for name in ("a.npy", "b.safetensors", "c.pt", "d.safetensors"):
        assert np.array_equal(load_codebook(tmp_path / name).vectors, codes)
    np.testing.assert_allclose(load_codebook(tmp_path / "e.safetensors").vectors, codes, atol=0.02)


def test_files_that_are_refused(tmp_path):
    def refused(name, reason):
        with pytest.raises(RasenError, match=reason):
            load_codebook(tmp_path / name)

    good = np.ones((6, 4), np.float32)
    refused("a.npy", "no such file")
    np.save(tmp_path / "a.npy", np.array([{}], dtype=object), allow_pickle=True)
    refused("a.npy", "not a codebook, or damaged")
    np.save(tmp_path / "a.npy", np.ones((6, 4), int))
    refused("a.npy", "give numbers")
    np.save(tmp_path / "a.npy", good * np.nan)
    refused("a.npy", "not finite")
    np.save(tmp_path / "a.npy", np.ones((2, 6, 4)))
    refused("a.npy", "give numbers")
    np.save(tmp_path / "a.npy", np.ones((65537, 1)))
    refused("a.npy", "65537 codes")
    save_file({"one": good, "two": good}, tmp_path / "b.safetensors")
    refused("b.safetensors", "holds 2 arrays")
    (tmp_path / "b.safetensors").write_bytes(b"not a file")
    refused("b.safetensors", "not a codebook, or damaged")
    torch.save({"_codebook.embed": torch.ones(1, 6, 4), "project_in.weight": torch.ones(4, 8)},
               tmp_path / "c.pt")  # fmt: skip
    refused("c.pt", "need a projection")
    torch.save([1], tmp_path / "c.pt")
    refused("c.pt", "not a codebook, or damaged")


# settings


def test_settings_that_are_refused():
    good = {"model": "x", "layer": 10, "window": 30,
            "codebook": None, "codes": 16384, "sample": 1000, "method": "kmeans",
            "iterations": 20}  # fmt: skip
    assert SketchSettings(**good).codes == 16384
    for name, value in (("codes", 70000), ("method", "som"), ("iterations", 0), ("layer", -1)):
        with pytest.raises(RasenError, match=rf"songs\.sketch\.{name}"):
            SketchSettings(**good | {name: value})
