"""The vector quantiser of the sketch: how its codebook of K vectors is trained.

    codebook, report = train_codebook(sample, held_out, size=16384, iterations=20, seed=0)
    save_codebook(codebook, "codebook.safetensors")     # of rasen.networks.codebook

One pass over n vectors costs 2 n K d operations, nearly all of them in matrix products: 6.7e11 for
20 thousand vectors, 16384 codes and 1024 dimensions. The initialisation, each iteration and the
report cost one pass each.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from rasen.errors import RasenError
from rasen.networks.codebook import CELLS, Codebook, as_vectors, check_size
from rasen.networks.muq import EmbeddingSettings
from rasen.seeds import generator

ROUNDS = 64  # in which the initial codes are drawn
METHODS = ("kmeans", "ema")


@dataclass(frozen=True)
class SketchSettings(EmbeddingSettings):
    """How the sketch is made; the section `songs.sketch` of the config.

    codebook: a file with a given codebook; None, to train one with the other settings
    sample: frames that it is trained on;  codes: its size
    """

    codebook: str | None
    codes: int
    sample: int
    method: Literal["kmeans", "ema"]
    iterations: int

    def __post_init__(self) -> None:
        super().__post_init__()
        check_size(self.codes, "songs.sketch.codes")
        if self.method not in METHODS:
            raise RasenError(
                f"songs.sketch.method: '{self.method}' is not one of {', '.join(METHODS)}"
            )
        if self.iterations < 1:
            raise RasenError(f"songs.sketch.iterations: {self.iterations}; give 1 or more")


def train_codebook(
    sample: np.ndarray, held_out: np.ndarray, size: int, iterations: int, seed: int,
    method: Literal["kmeans", "ema"] = "kmeans", device: str = "cpu",
    metadata: Mapping[str, Any] | None = None,
) -> tuple[Codebook, dict[str, Any]]:  # fmt: skip
    """A Codebook of `size` vectors for sample [n, d], and a report with its error on held_out.

    method: `kmeans` (Lloyd's iterations over the whole sample) or `ema` (moving averages over
        batches, as neural quantisers are trained)
    The report: `held_out_mse` (per vector and dimension), `explained` (fraction of the held-out
    variance), `dead` (codes that no vector of the sample uses) and `dead_held_out`, `entropy_bits`
    and `perplexity` of the codes' use in the sample, `history` (one row per iteration: the sample's
    mse before it, the number of dead codes).
    """
    check_size(size, "codebook size")
    x, unseen = as_vectors(sample, "sample", device), as_vectors(held_out, "held_out", device)
    if len(x) < size:
        raise RasenError(f"codebook: {len(x)} vectors for {size} codes; sample more, or ask fewer")
    if x.shape[1] != unseen.shape[1]:
        raise RasenError(
            f"codebook: sample has {x.shape[1]} dimensions, held_out {unseen.shape[1]}"
        )
    centre = x.mean(dim=0, dtype=torch.float64).float()
    x, unseen = x - centre, unseen - centre  # distances are more precise around the centre
    rng = generator(seed, "codebook", method)
    step = {"kmeans": _lloyd, "ema": _ema}[method]
    codes, history = _initial_codes(x, size, rng), []
    for _ in range(iterations):
        codes, row = step(x, codes, rng)
        history.append(row)
    nearest, distance = _assign(unseen, codes)
    uses = torch.bincount(_assign(x, codes)[0], minlength=size)
    share = uses[uses > 0].double() / len(x)
    entropy = float(-(share * share.log2()).sum())
    spread = (unseen - unseen.mean(dim=0)).square().sum(dtype=torch.float64)
    report = {
        "method": method,
        "size": size,
        "dimensions": x.shape[1],
        "seed": seed,
        "sample": len(x),
        "held_out": len(unseen),
        "held_out_mse": float(distance.double().mean()) / x.shape[1],
        "explained": 1 - float(distance.double().sum() / spread) if spread else float("nan"),
        "dead": int((uses == 0).sum()),
        "dead_held_out": size - len(nearest.unique()),
        "entropy_bits": entropy,
        "perplexity": 2**entropy,
        "history": history,
    }
    texts = {key: str(value) for key, value in (metadata or {}).items()}
    return Codebook((codes + centre).cpu().numpy(), texts), report


def _initial_codes(x, size, rng):
    """Codes [size, d] drawn among x as in k-means++, but many per round."""
    codes = x[rng.integers(len(x), size=1)]
    distance = _assign(x, codes)[1]
    while len(codes) < size:
        new = x[_draw_far(distance, min(-(-size // ROUNDS), size - len(codes)), rng)]
        distance = torch.minimum(distance, _assign(x, new)[1])
        codes = torch.cat([codes, new])
    return codes


def _draw_far(distance, count, rng):
    """`count` different rows, drawn with probabilities in proportion to their squared distance
    (the Gumbel top-k trick)."""
    distance = distance.double().cpu().numpy()
    distance[distance < 1e-6 * distance.mean()] = 0  # equal up to rounding
    with np.errstate(divide="ignore"):
        keys = np.log(distance) + rng.gumbel(size=len(distance))
    return np.argsort(-keys, kind="stable")[:count]


def _lloyd(x, codes, rng):
    """Move each code to the mean of its vectors; a code without vectors, to a far vector."""
    nearest, distance = _assign(x, codes)
    uses = torch.bincount(nearest, minlength=len(codes))
    moved = _sums(x, nearest, uses) / uses.clamp(min=1)[:, None]
    dead = uses == 0
    moved[dead] = x[_draw_far(distance, int(dead.sum()), rng)]
    return moved, _history_row(distance, dead, x)


def _ema(x, codes, rng, decay=0.99, least=0.01):
    """One pass over x in random order: codes follow moving averages over batches.

    Codes start with the weight of a mean code; one whose weight has decayed below `least` of that
    moves to a far vector of the batch.
    """
    batch = min(4096, -(-len(x) // 64))
    mean_uses = batch / len(codes)
    uses = torch.full((len(codes),), mean_uses, device=x.device)
    sums = codes * mean_uses
    dead, errors = torch.zeros(len(codes), dtype=torch.bool, device=x.device), []
    order = rng.permutation(len(x))
    for begin in range(0, len(x), batch):
        vectors = x[order[begin : begin + batch]]
        nearest, distance = _assign(vectors, codes)
        errors.append(distance)
        counts = torch.bincount(nearest, minlength=len(codes))
        uses = decay * uses + (1 - decay) * counts
        sums = decay * sums + (1 - decay) * _sums(vectors, nearest, counts)
        unused = (uses < least * mean_uses).nonzero()[:, 0][: len(vectors)]
        sums[unused] = mean_uses * vectors[_draw_far(distance, len(unused), rng)]
        uses[unused] = mean_uses
        dead[unused] = True
        codes = sums / uses[:, None]
    return codes, _history_row(torch.cat(errors), dead, x)


def _history_row(distance, dead, x):
    return {"mse": float(distance.double().mean()) / x.shape[1], "dead": int(dead.sum())}


def _sums(x, nearest, uses):
    """The sum of each code's vectors [K, d], always added in the same order."""
    return torch.segment_reduce(x[nearest.argsort(stable=True)], "sum", lengths=uses, axis=0)


def _assign(x, codes):
    """The nearest code of each row of x [n, d], and its squared distance."""
    half = codes.square().sum(dim=1) / 2
    nearest = torch.empty(len(x), dtype=torch.long, device=x.device)
    distance = torch.empty(len(x), device=x.device)
    block = max(1, CELLS // len(codes))
    for begin in range(0, len(x), block):
        rows = x[begin : begin + block]
        best, index = torch.addmm(half, rows, codes.T, alpha=-1).min(dim=1)
        nearest[begin : begin + block] = index
        distance[begin : begin + block] = (2 * best + rows.square().sum(dim=1)).clamp(min=0)
    return nearest, distance
