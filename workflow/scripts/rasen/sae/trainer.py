"""Train many SAEs in one pass over the activations.

    from rasen.sae import train
    table = train("activations.h5", {"k": [8, 32], "lr": [3e-4, 1e-3]}, 0, "saes", layer=6)

Every batch is read and normalised once and given to all SAEs, each with weights and an optimiser
of its own. Data order and first weights depend on the seed alone.
"""

from pathlib import Path

import pandas as pd
import torch
from tqdm import tqdm

from rasen import tables
from rasen.sae import folder as folders
from rasen.sae import metrics, normalise, state, weights
from rasen.sae import settings as grids
from rasen.sae.kernel import ROWS, largest, pre_activations
from rasen.sae.losses import add_gradients
from rasen.sae.source import open_source
from rasen.sae.split import TEST, TRAIN, VALIDATION, some, split
from rasen.sae.stream import Stream
from rasen.seeds import generator

TABLE, OUTLIERS = "metrics.parquet", "outliers.parquet"
WARM_UP, COOL_DOWN = 0.05, 0.2  # of the steps: the learning rate rises, later falls to 0
SAMPLE = 4096  # rows for medians, variances and factors
HELD_OUT = 100_000  # at most so many rows choose the learning rate, and as many test
FIRED_AT_LAST = 10_000_000  # rows; see dead_after


def train(
    source,
    settings,
    seed,
    folder,
    layer=None,
    groups=None,
    metadata=None,
    device="cpu",
    save_every=1000,
    held_out=HELD_OUT,
    outlier=metrics.OUTLIER,
):
    """Train one SAE a setting; write a SAELens folder for each and a table of metrics.

    source:    a dump of `rasen.activations` with pool "all" (then `layer` too), or an array
               [rows, d] (then `groups` may say which document or song a row is of)
    settings:  see `rasen.sae.settings`; a dict or a list of dicts, lists in them are grids
    metadata:  what each cfg.json should say: model_name, hook_name, model, point, layer, recipe
    save_every: steps between states on disk, from which an interrupted run goes on
    Returns the table (also folder/metrics.parquet): a row an SAE; `best` marks the learning rate
    with the least validation loss among SAEs that differ in that alone.
    """
    with open_source(source, layer, groups) as data:
        settings = grids.expand(settings)
        grids.check(settings, data.d)
        names = grids.names(settings, data.d)
        parts = split(data.groups, seed)
        rows = int((parts == TRAIN).sum())
        steps = grids.steps(settings[0], rows)
        batch = settings[0]["batch"]
        grids.warn_of_few_rows(settings, data.d, steps * batch)

        stream = Stream(data, parts == TRAIN, seed, batch)
        sample = _rows(_sample(stream, seed), device)
        runs = [Run(setting, sample, seed, steps * batch) for setting in settings]
        begun_with = {
            "settings": settings,
            "seed": seed,
            "shape": [data.rows, data.d],
            "activations": data.provenance,
        }
        done = state.restore(folder, runs, stream, begun_with)
        for step in tqdm(
            range(done, steps), f"{len(runs)} SAEs", steps, initial=done, disable=None
        ):
            x = _rows(stream.next(), device)
            inputs = {}
            for run in runs:
                key = run.setting["normalise"]
                if key not in inputs:
                    inputs[key] = normalise.apply(key, x, run.rms)
                run.step(inputs[key], rate(step, steps))
            if (step + 1) % save_every == 0 and step + 1 < steps:
                state.save(folder, runs, stream, step + 1, begun_with)

        chosen_on, tested_on = (
            some(parts, data.groups, part, held_out, seed) for part in (VALIDATION, TEST)
        )
        validation, test = _rows(data.take(chosen_on), device), data.take(tested_on)
        summary, huge = metrics.describe_norms(metrics.row_norms(test), tested_on, data, outlier)
        table = []
        for run, name in zip(runs, names, strict=True):
            sae, loss = run.finish(validation, metadata)
            folders.save(sae, Path(folder) / name)
            about = {"sae": name, "n": sae.n, "d": sae.d, "seed": seed} | run.setting
            found = metrics.evaluate(sae, test, outlier) | {"dead_in_training": run.dead_share()}
            table.append(about | found | summary | {"steps": steps, "validation_loss": loss})
    table = _mark_best(pd.DataFrame(table))
    tables.write(huge, Path(folder) / OUTLIERS)
    tables.write(table, Path(folder) / TABLE)
    state.remove(folder)
    return table


class Run:
    """One SAE in training."""

    def __init__(self, setting, sample, seed, rows):
        self.setting = setting
        self.rms = normalise.size(sample)
        x = normalise.apply(setting["normalise"], sample, self.rms)
        self.variance = float((x - x.mean(0)).double().square().sum(1).mean()) or 1.0
        n = grids.latents(setting, x.shape[1])
        self.weights = weights.start(n, x, seed)
        # eps of Gao et al.: gradients of rare latents are small
        self.adam = torch.optim.Adam(self.weights.tensors(), fused=True, eps=6.25e-10)
        self.silent = torch.zeros(n, dtype=torch.int64, device=x.device)  # rows since it fired
        self.dead_after = setting["dead_after"] or min(FIRED_AT_LAST, max(1, rows // 10))

    def step(self, x, rate):
        """One batch x [rows, d], normalised, at `rate` times the learning rate."""
        dead = torch.nonzero(self.silent >= self.dead_after)[:, 0]
        loss, fired = add_gradients(self.weights, x, self.setting, self.variance, dead)
        self.weights.keep_gradient_on_sphere()
        self.adam.param_groups[0]["lr"] = self.setting["lr"] * rate
        self.adam.step()
        self.weights.normalise_decoder()
        self.adam.zero_grad()
        self.silent += len(x)
        self.silent[fired] = 0
        return loss

    def dead_share(self):
        """Share of latents that did not fire in the last `dead_after` training rows."""
        return float((self.silent >= self.dead_after).float().mean())

    def finish(self, validation, metadata):
        """The SAE as it will be stored, and its loss on validation rows [rows, d]."""
        x = normalise.apply(self.setting["normalise"], validation, self.rms)
        threshold = None
        if self.setting["kind"] in ("batchtopk", "matryoshka"):
            threshold = self.threshold(x)
        sae = folders.finished(self.weights, self.setting, self.rms, threshold, metadata)
        return sae, self.validation_loss(sae, validation, x)

    @torch.no_grad()
    def threshold(self, x):
        """The mean over blocks of rows of the weakest winner: with it, l0 is k on average."""
        before = pre_activations(self.weights.encoder, self.weights.b_enc)
        weakest = [
            largest(before(rows - self.weights.b_dec).view(1, -1), len(rows) * self.setting["k"])[
                0
            ].min()
            for rows in x.split(ROWS)
        ]
        return float(torch.stack(weakest).mean().clamp_min(0))

    @torch.no_grad()
    def validation_loss(self, sae, validation, x):
        """|x - x^|^2 (and l1 |z|_1) as in training, over the variance there."""
        factor = normalise.as_stored(self.setting["normalise"], sae.d, self.rms)
        error, norm = 0.0, 0.0
        for rows, target in zip(validation.split(4096), x.split(4096), strict=True):
            codes = sae.encode(rows)
            codes.shift, codes.scale = 0 * codes.shift, 0 * codes.scale + 1 / factor
            error += float((sae.decode(codes) - target).double().square().sum())
            norm += float(codes.amounts.double().sum())
        return (error + (self.setting["l1"] or 0) * norm) / (len(x) * self.variance)

    def state(self):
        """Everything that changes in training, by name."""
        found = {"silent": self.silent}
        for name, tensor in zip(weights.NAMES, self.weights.tensors(), strict=True):
            found[name] = tensor
            for key, value in self._moments(tensor).items():
                found[f"{name}.{key}"] = value
        return found

    def restore(self, tensors):
        """Set what `state` gave."""
        with torch.no_grad():
            for name, tensor in self.state().items():
                tensor.copy_(tensors[name])

    def _moments(self, tensor):
        """Adam's tensors for one of the weights; made with zeros before the first step."""
        moments = self.adam.state[tensor]
        if not moments:
            moments["step"] = torch.zeros((), device=tensor.device)
            moments["exp_avg"] = torch.zeros_like(tensor)
            moments["exp_avg_sq"] = torch.zeros_like(tensor)
        return moments


def rate(step, steps):
    """Factor of the learning rate: rises over the first 5 %, falls to 0 over the last 20 %."""
    return min(1.0, (step + 1) / (WARM_UP * steps), (steps - step) / (COOL_DOWN * steps))


def _sample(stream, seed):
    """Rows of the reservoir as it is first filled: of at least 8 blocks from all over the file."""
    stream.fill()
    order = generator(seed, "sae", "sample").permutation(stream.filled)
    return stream.values[order[:SAMPLE]]


def _rows(rows, device):
    """Stored rows as float32 on the device."""
    return torch.from_numpy(rows).to(device).float()


def _mark_best(table):
    """`best`: the least validation loss among SAEs that differ in the learning rate alone."""
    alike = table.groupby(["kind", "n", "k", "l1", "normalise"], dropna=False)
    table["best"] = table.index.isin(alike["validation_loss"].idxmin())
    return table
