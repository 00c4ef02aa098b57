"""One vector quantiser: K vectors that stand for all frames of a corpus, and the nearest of them.

    book, report = train(sample, held_out, size=16384, iterations=20, seed=0)
    save(book, "codebook.safetensors")
    sketch = nearest(book, x)                       # x [T, d] -> uint16 [T]

One pass over n vectors costs 2 n K d operations, nearly all of them in matrix products: 6.7e11 for
20 thousand vectors, 16384 codes and 1024 dimensions. The start costs one pass, each iteration one,
the report one.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from rasen.errors import RasenError
from rasen.io.atomic import whole_file
from rasen.seeds import generator
from rasen.weights import lazy_tensors

LARGEST = 65536  # codes that uint16 can tell apart
CELLS = 2**26  # distances held at once (256 MiB)
ROUNDS = 64  # in which the start's codes are drawn


@dataclass
class Codebook:
    """vectors [K, d] float32; metadata: words for words (model, layer, ...)."""

    vectors: np.ndarray
    metadata: dict = field(default_factory=dict)


def train(sample, held_out, size, iterations, seed, method="kmeans", device="cpu", metadata=None):
    """A Codebook of `size` vectors for sample [n, d], and a report with its error on held_out.

    method: `kmeans` (every vector votes in each iteration) or `ema` (moving averages over batches,
        as neural quantisers are trained)
    The report: `held_out_mse` (per vector and dimension), `explained` (fraction of the held-out
    variance), `dead` (codes that no vector of the sample uses) and `dead_held_out`, `entropy_bits`
    and `perplexity` of the codes' use in the sample, `history` (one row an iteration: the sample's
    mse before it, the codes that were dead).
    """
    _check_size(size, "codebook size")
    x, unseen = _vectors(sample, "sample", device), _vectors(held_out, "held_out", device)
    if len(x) < size:
        raise RasenError(f"codebook: {len(x)} vectors for {size} codes; sample more, or ask fewer")
    if x.shape[1] != unseen.shape[1]:
        raise RasenError(
            f"codebook: sample has {x.shape[1]} dimensions, held_out {unseen.shape[1]}"
        )
    middle = x.mean(
        dim=0, dtype=torch.float64
    ).float()  # distances keep more digits around the middle
    x, unseen = x - middle, unseen - middle
    rng = generator(seed, "codebook", method)
    step = {"kmeans": _lloyd, "ema": _ema}[method]
    codes, history = _start(x, size, rng), []
    for _ in range(iterations):
        codes, row = step(x, codes, rng)
        history.append(row)
    near, distance = _assign(unseen, codes)
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
        "dead_held_out": size - len(near.unique()),
        "entropy_bits": entropy,
        "perplexity": 2**entropy,
        "history": history,
    }
    words = {key: str(value) for key, value in (metadata or {}).items()}
    return Codebook((codes + middle).cpu().numpy(), words), report


def _start(x, size, rng):
    """Codes [size, d] drawn among x: far vectors are likelier (k-means++, many in one round)."""
    codes = x[rng.integers(len(x), size=1)]
    distance = _assign(x, codes)[1]
    while len(codes) < size:
        new = x[_far(distance, min(-(-size // ROUNDS), size - len(codes)), rng)]
        distance = torch.minimum(distance, _assign(x, new)[1])
        codes = torch.cat([codes, new])
    return codes


def _far(distance, count, rng):
    """`count` different rows, drawn with chances in proportion to their squared distance."""
    distance = distance.double().cpu().numpy()
    distance[distance < 1e-6 * distance.mean()] = 0  # equal but for rounding
    with np.errstate(divide="ignore"):
        keys = np.log(distance) + rng.gumbel(size=len(distance))
    return np.argsort(-keys, kind="stable")[:count]


def _lloyd(x, codes, rng):
    """Move each code to the mean of its vectors; a code that has none, to a far vector."""
    near, distance = _assign(x, codes)
    uses = torch.bincount(near, minlength=len(codes))
    moved = _sums(x, near, uses) / uses.clamp(min=1)[:, None]
    dead = uses == 0
    moved[dead] = x[_far(distance, int(dead.sum()), rng)]
    return moved, _row(distance, dead, x)


def _ema(x, codes, rng, decay=0.99, least=0.01):
    """One pass over x in random order: codes follow moving averages over batches.

    Codes start with the weight of a mean code; one whose weight has faded below `least` of that
    moves to a far vector of the batch.
    """
    batch = min(4096, -(-len(x) // 64))
    usual = batch / len(codes)
    uses = torch.full((len(codes),), usual, device=x.device)
    sums = codes * usual
    dead, errors = torch.zeros(len(codes), dtype=torch.bool, device=x.device), []
    order = rng.permutation(len(x))
    for at in range(0, len(x), batch):
        part = x[order[at : at + batch]]
        near, distance = _assign(part, codes)
        errors.append(distance)
        now = torch.bincount(near, minlength=len(codes))
        uses = decay * uses + (1 - decay) * now
        sums = decay * sums + (1 - decay) * _sums(part, near, now)
        faded = (uses < least * usual).nonzero()[:, 0][: len(part)]
        sums[faded] = usual * part[_far(distance, len(faded), rng)]
        uses[faded] = usual
        dead[faded] = True
        codes = sums / uses[:, None]
    return codes, _row(torch.cat(errors), dead, x)


def _row(distance, dead, x):
    return {"mse": float(distance.double().mean()) / x.shape[1], "dead": int(dead.sum())}


def _sums(x, near, uses):
    """The sum of each code's vectors [K, d], always added in the same order."""
    return torch.segment_reduce(x[near.argsort(stable=True)], "sum", lengths=uses, axis=0)


def _assign(x, codes):
    """The nearest code of each row of x [n, d], and its squared distance."""
    half = codes.square().sum(dim=1) / 2
    near = torch.empty(len(x), dtype=torch.long, device=x.device)
    distance = torch.empty(len(x), device=x.device)
    block = max(1, CELLS // len(codes))
    for at in range(0, len(x), block):
        part = x[at : at + block]
        best, index = torch.addmm(half, part, codes.T, alpha=-1).min(dim=1)
        near[at : at + block] = index
        distance[at : at + block] = (2 * best + part.square().sum(dim=1)).clamp(min=0)
    return near, distance


@torch.inference_mode()
def nearest(codebook, x, block=None, device="cpu"):
    """The nearest code of each row of x [T, d], uint16 [T]; the lowest of equally near ones.

    The product of all rows and codes leaves, of each row, those codes that rounding cannot tell
    from the nearest; among these the distances are compared in float64. So the result does not
    depend on the block (rows at once), the machine, or where equal codes stand.
    """
    codes = _vectors(codebook.vectors, "codebook", device)
    x = _vectors(x, "x", device, empty=True)
    if x.shape[1] != codes.shape[1]:
        raise RasenError(
            f"codebook: made for {codes.shape[1]} dimensions, not the {x.shape[1]} of these "
            "vectors; encode with the model and layer it was trained on"
        )
    _check_size(len(codes), "codebook")
    half = (codes.double().square().sum(dim=1) / 2).float()
    largest = (2 * half.max()).sqrt()
    block = block or max(1, CELLS // len(codes))
    out = np.empty(len(x), dtype=np.uint16)
    for at in range(0, len(x), block):
        part = x[at : at + block]
        score = torch.addmm(half, part, codes.T, alpha=-1)
        # twice the bound on the rounding of a sum of d products
        doubt = (part.norm(dim=1) + largest) * largest * (len(part[0]) + 4) * 2**-23
        rows, close = (score <= (score.min(dim=1).values + doubt)[:, None]).nonzero(as_tuple=True)
        exact = torch.cat(
            [
                (part[r].double() - codes[c].double()).square().sum(dim=1)
                for r, c in zip(rows.split(4096), close.split(4096), strict=True)
            ]
        )
        rows, close, exact = rows.cpu().numpy(), close.cpu().numpy(), exact.cpu().numpy()
        order = np.lexsort((close, exact, rows))
        first = np.unique(rows[order], return_index=True)[1]
        out[at : at + block] = close[order][first]
    return out


def save(codebook, path):
    """Write codebook.safetensors: `codebook` [K, d] and the metadata; whole or not at all."""
    from safetensors.numpy import save_file

    vectors = np.ascontiguousarray(codebook.vectors, dtype=np.float32)
    with whole_file(path) as partial:
        save_file({"codebook": vectors}, partial, metadata=codebook.metadata or None)


def load(path):
    """A Codebook from a file of ours, or of a user's.

    A .safetensors or .npy file with one array [K, d], or the state dict of a VectorQuantize of
    vector-quantize-pytorch (.safetensors, .pt) whose codes are as wide as its input.
    """
    path = Path(path)
    if not path.is_file():
        raise RasenError(f"{path}: no such file; run train_codebook, or correct the path")
    arrays, metadata = _arrays(path)
    if any(name.startswith("project_") for name in arrays):
        raise RasenError(
            f"{path}: its codes lie behind a projection; give them as wide as the input"
        )
    for name in ("codebook", "_codebook.embed"):
        arrays = {name: arrays[name]} if name in arrays else arrays
    if len(arrays) != 1:
        raise RasenError(f"{path}: holds {len(arrays)} arrays; give one, named `codebook`")
    (vectors,) = arrays.values()
    if vectors.ndim == 3 and len(vectors) == 1:  # one head
        vectors = vectors[0]
    if vectors.ndim != 2 or vectors.dtype.kind != "f":
        raise RasenError(
            f"{path}: {vectors.dtype} {vectors.shape}; give numbers [codes, dimensions]"
        )
    _check_size(len(vectors), path)
    return Codebook(_vectors(vectors, path).numpy(), metadata)


def _arrays(path):
    """{name: array} and the metadata of a file; nothing in it is run."""
    from safetensors import SafetensorError, safe_open

    try:
        if path.suffix == ".npy":
            return {"codebook": np.load(path, allow_pickle=False)}, {}
        if path.suffix == ".safetensors":
            with safe_open(path, "pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                metadata = file.metadata() or {}
        else:
            tensors, metadata = lazy_tensors.load_pytorch(path), {}
        floats = {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}
        return {name: tensor.numpy() for name, tensor in floats.items()}, metadata
    except (SafetensorError, EOFError, ValueError, AttributeError) as error:
        raise RasenError(f"{path}: not a codebook, or damaged ({error}); get it again") from None


def _vectors(values, name, device="cpu", empty=False):
    """values [n, d] as a float32 tensor, or a refusal."""
    x = torch.as_tensor(np.asarray(values, dtype=np.float32)).to(device)
    if x.ndim != 2 or (not empty and not len(x)):
        raise RasenError(f"{name}: {tuple(x.shape)}; give vectors [count, dimensions]")
    if not torch.isfinite(x).all():
        raise RasenError(f"{name}: holds numbers that are not finite; make it again")
    return x


def _check_size(size, name):
    if not 1 <= size <= LARGEST:
        raise RasenError(f"{name}: {size} codes; a sketch holds 1 to {LARGEST} (uint16)")
