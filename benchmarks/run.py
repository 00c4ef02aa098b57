"""Speeds and memory of the engine beside what they are measured against: make bench.

    python benchmarks/run.py [--size small|large|tiny] [--device auto|cpu|cuda] [--only GROUP ...]

Models have MusicGen's real sizes and random weights, made once in benchmarks/work/. Every ratio is
of two things timed in turn in one process; times are medians.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).parent
SCRIPTS = HERE.parent / "workflow/scripts"
sys.path[:0] = [str(HERE), str(SCRIPTS)]

import numpy as np
import pandas as pd
import sizes
import torch
from rows import Rows, add_peak, add_waits, fingerprint, in_turn, tf32

from rasen import stimuli
from rasen.device import pick_device
from rasen.families import LossFamily, open_family
from rasen.io import inputs
from rasen.io.inputs import Inputs
from rasen.measure import activations
from rasen.measure.activations import DumpSettings
from rasen.measure.encoding import encode_clips
from rasen.measure.gradient import correct_network
from rasen.measure.interpolate import initial_tensors
from rasen.measure.perplexity import clip_losses
from rasen.study.recipe import Initialisation
from rasen.weights.lazy_tensors import LazyTensor
from rasen.weights.network_tensors import interpolate_into, load_into, named_tensors

OFFICIAL = Initialisation()
ETA = 1e-9  # of gradient steps: repeated steps must not leave the model
FRAMES = {"tiny": 40, "small": 200, "large": 200}  # 200: 4 s of MusicGen's tokens


@dataclass(frozen=True)
class Bench:
    """What every group of rows needs."""

    rows: Rows
    family: LossFamily
    device: str
    dtypes: list[str]  # of activations and perplexity
    repeats: int
    frames: int  # of each clip
    clips: int
    batch: int

    def target(self, value: float) -> float | None:
        """A target for the models' real sizes; the tiny one has none."""
        return value if self.frames == FRAMES["small"] else None

    @property
    def shapes(self) -> dict[str, torch.Size]:
        """{name: shape} of the network's tensors."""
        network = self.family.build("meta", "float32")
        return {name: tensor.shape for name, tensor in named_tensors(network).items()}

    def network(self, dtype: str = "float32") -> torch.nn.Module:
        """The trained network on the device."""
        network = self.family.build(self.device, dtype)
        load_into(network, self.family.load(self.family.folder))
        return network

    @contextmanager
    def inputs(self, clips: int | None = None) -> Iterator[Inputs]:
        """Random tokens, as encoded clips."""
        rng = np.random.default_rng(0)
        clips = clips or self.clips
        codes = rng.integers(0, 2048, (clips, self.frames, 4)).astype(np.int16)
        with TemporaryDirectory() as folder:
            path = Path(folder) / "inputs.h5"
            table = pd.DataFrame({"clip": [str(clip) for clip in range(clips)]})
            inputs.write_inputs(path, [{"codes": one} for one in codes], table)
            yield Inputs(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="small", choices=sizes.SIZES)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--dtypes", nargs="+", default=["float32"])
    parser.add_argument("--only", nargs="+", choices=GROUPS, default=list(GROUPS))
    parser.add_argument("--rows", type=Path, help="append the rows to this file, as JSON lines")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    device = pick_device(chosen.device)
    where = torch.cuda.get_device_name() if device == "cuda" else f"{chosen.threads} CPU threads"
    family = open_family("musicgen", sizes.checkpoint(chosen.size))
    large = device == "cuda" and chosen.size != "tiny"
    print(f"MusicGen-{chosen.size}, {where}\n")
    bench = Bench(
        rows=Rows(chosen.rows),
        family=family,
        device=device,
        dtypes=chosen.dtypes,
        repeats=chosen.repeats,
        frames=FRAMES[chosen.size],
        clips=256 if large else 8,
        batch=32 if large else 4,
    )
    for group in chosen.only:
        with bench.rows.attempt(group):
            GROUPS[group](bench)


@torch.no_grad()
def blending(bench: Bench) -> None:
    """A checkpoint on disk (warm) and theta_init into a model, against lerp_ in memory.

    theta_init is given in memory: drawing it is timed apart.
    """
    family, network = bench.family, bench.network()
    trained = family.load(family.folder)
    ours = named_tensors(network)
    starts = {name: tensor.read() for name, tensor in trained.items()}
    drawn = {name: LazyTensor(t.shape, lambda t=t: t) for name, t in starts.items()}

    def lerp():
        """On the CPU as ours; then, for a GPU, the copy to it."""
        for name, tensor in ours.items():
            if bench.device == "cpu":
                tensor.lerp_(starts[name], 0.3)
            else:
                tensor.copy_(torch.lerp(starts[name], starts[name], 0.3))

    both, one, plain = in_turn(
        bench.repeats,
        lambda: interpolate_into(network, trained, trained, 0.3),
        lambda: interpolate_into(network, drawn, trained, 0.3),
        lerp,
    )
    target = bench.target(0.5) if bench.device == "cpu" else None
    bench.rows.add("blend: plain lerp_ of tensors in memory", plain, "s")
    bench.rows.add("blend: ours", one, "s")
    bench.rows.add("blend: speed / speed of lerp_", plain / one, target=target)
    bench.rows.add("blend, theta_init on disk too: same", plain / both)


def memory(bench: Bench) -> None:
    """Peak memory of processes: one that opens a point, one that also runs it and writes.

    Beside the model the first holds two tensors, the second also a batch's hidden states; both
    hold a GB of libraries.
    """
    shapes = bench.shapes
    numbers = sum(shape.numel() for shape in shapes.values())
    largest = max(shape.numel() for shape in shapes.values())
    opened = 4 * numbers if bench.device == "cpu" else 0  # otherwise it lies on the GPU
    opened += 8 * largest + 1e9
    states = 4 * bench.batch * bench.frames * shapes["model.decoder.layer_norm.weight"].numel()
    states *= len(bench.family.layers)
    target = opened / 1e9 if bench.device == "cpu" else None
    unit = "GB" if bench.device == "cpu" else "GB of main memory"
    with bench.inputs() as encoded:
        peak, _ = peak_of_job(bench, encoded.path, "open")
        bench.rows.add("job that opens a point: peak", peak, unit, target=target, at_most=True)
        peak, card = peak_of_job(bench, encoded.path, "dump")
        wanted = target and target + states / 1e9
        bench.rows.add("job that dumps a point: peak", peak, unit, target=wanted, at_most=True)
        if bench.device != "cpu":
            bench.rows.add("job that dumps a point: peak on the GPU", card, "GB")


def peak_of_job(bench: Bench, encoded: Path | str, what: str) -> tuple[float, float]:
    """Peak memory, GB, of a process of its own: main memory, and that of the GPU."""
    command = [
        sys.executable, HERE / "job.py", what, bench.family.folder, encoded,
        bench.device, str(bench.batch),
    ]  # fmt: skip
    with TemporaryDirectory() as locks:  # its own: this process holds the GPU's, and waits
        printed = subprocess.run(
            command, check=True, stdout=subprocess.PIPE, text=True,
            env=os.environ | {"TMPDIR": locks},
        ).stdout  # fmt: skip
    main, card = printed.split()[-2:]
    return float(main), float(card)


def drawing(bench: Bench) -> None:
    """theta_init drawn tensor by tensor, against torch's own truncated normal."""
    made = initial_tensors(bench.family, OFFICIAL)
    tensors = {name: lazy.read() for name, lazy in made.items()}

    def ours():
        for lazy in made.values():
            lazy.read()

    def theirs():
        for tensor in tensors.values():
            torch.nn.init.trunc_normal_(tensor, std=0.02, a=-0.06, b=0.06)

    drawn, torchs = in_turn(1, ours, theirs)
    numbers = sum(tensor.numel() for tensor in tensors.values())
    bench.rows.add("theta_init: million numbers a second", numbers / drawn / 1e6)
    bench.rows.add("theta_init: speed / torch's trunc_normal_", torchs / drawn)


def running(bench: Bench) -> None:
    """Activations of every layer, pooled and written, against the bare forward passes."""
    for dtype in bench.dtypes:
        with bench.rows.attempt(f"activations in {dtype}"), bench.inputs() as encoded:
            running_in(bench, dtype, encoded)


@torch.inference_mode()
def running_in(bench: Bench, dtype: str, encoded: Inputs) -> None:
    """The same in one number format."""
    network = bench.network(dtype)
    path = Path(encoded.path).with_name("activations.h5")

    def forward():
        for part in encoded.batches(bench.batch, bench.device):
            bare_forward(network, part)

    def dump(**settings):
        chosen = DumpSettings(**settings)
        activations.dump(bench.family, network, encoded, path, chosen, bench.device, bench.batch)

    bare, pooled, every = in_turn(
        bench.repeats, forward, dump, lambda: dump(pool="all", dtype="float16")
    )
    add = bench.rows.add
    add(f"{dtype}: bare forward passes", bench.clips * bench.frames / bare, "frames/s")
    target = bench.target(0.9)
    add(f"{dtype}: activations (mean), speed / bare forward", bare / pooled, target=target)
    add(f"{dtype}: activations (all frames, float16), same", bare / every)
    batches = -(-bench.clips // bench.batch)
    add_waits(bench.rows, f"{dtype}: waits for the GPU, {batches} batches (mean)", dump)
    add_peak(bench.rows, f"{dtype}: peak on the GPU (mean)", dump)


def gradient(bench: Bench) -> None:
    """A step of the gradient correction, with and without checkpointing, against a bare one."""
    clips = max(bench.clips // 4, 2 * (bench.batch // 4))
    with bench.inputs(clips) as encoded:
        network = bench.network()
        batch = max(1, bench.batch // 4)

        def bare():
            network.requires_grad_(True)
            for part in encoded.batches(batch, bench.device):
                sums, targets = bench.family.losses(network, part)
                (sums.sum() / targets.sum()).backward()

        def forget():
            network.zero_grad(set_to_none=True)
            network.requires_grad_(False)

        def step(checkpointing):
            correct_network(
                bench.family, network, encoded, ETA, 1, bench.device, batch, checkpointing
            )

        def bare_and_forget():
            bare()
            forget()

        ways = {"": False, ", checkpointing": True}
        repeats = min(2, bench.repeats)
        for way, checkpointing in ways.items():
            with bench.rows.attempt(f"gradient{way}"):
                plain, ours = in_turn(
                    repeats, bare_and_forget, lambda again=checkpointing: step(again)
                )
                what = f"gradient{way}: time of a step / bare forward and backward"
                note = "a step also runs forward for the loss behind it"
                bench.rows.add(what, ours / plain, note=note)
                add_peak(
                    bench.rows,
                    f"gradient{way}: peak on the GPU",
                    lambda again=checkpointing: step(again),
                )
            forget()
        bench.rows.add(
            "gradient: bare forward and backward", clips * bench.frames / plain, "frames/s"
        )
        add_waits(bench.rows, "gradient, checkpointing: waits for the GPU", lambda: step(True))
        prints = []
        for _ in range(2):
            bare()
            prints.append(fingerprint(p.grad for p in network.parameters() if p.grad is not None))
            forget()
        equal = prints[0] == prints[1]
        bench.rows.add("gradient: twice the same bits (1: yes)", float(equal))


def perplexity(bench: Bench) -> None:
    """The loss of every clip, against the bare forward passes."""
    losses = {}
    for dtype in bench.dtypes:
        with bench.rows.attempt(f"perplexity in {dtype}"), bench.inputs() as encoded:
            losses[dtype] = perplexity_in(bench, dtype, encoded)
    if len(losses) == 2:
        first, second = losses.values()
        bench.rows.add("perplexity: difference of the dtypes", abs(first - second), "nats")


@torch.inference_mode()
def perplexity_in(bench: Bench, dtype: str, encoded: Inputs) -> float:
    """The same in one number format; returns the mean loss in nats."""
    network = bench.network(dtype)

    def forward():
        for part in encoded.batches(bench.batch, bench.device):
            bare_forward(network, part)

    def ours():
        return clip_losses(bench.family, network, encoded, bench.device, bench.batch)

    bare, whole = in_turn(bench.repeats, forward, ours)
    add = bench.rows.add
    add(f"{dtype}: perplexity", bench.clips * bench.frames / whole, "frames/s")
    add(f"{dtype}: perplexity, speed / bare forward", bare / whole)
    add_waits(bench.rows, f"{dtype}: perplexity, waits for the GPU", ours)
    first, second = ours(), ours()
    equal = (first["loss"] == second["loss"]).all()
    add(f"{dtype}: losses twice the same bits (1: yes)", float(equal))
    return float(first["loss"].sum() / first["targets"].sum())


def precision(bench: Bench) -> None:
    """What TF32 would give and cost. torch's defaults: products without it, convolutions with."""
    network = bench.network()
    with bench.inputs(bench.batch) as encoded, torch.inference_mode():
        part = next(encoded.batches(bench.batch, bench.device))

        def forward(allowed):
            with tf32(allowed):
                return bare_forward(network, part)

        exact, fast = in_turn(bench.repeats, lambda: forward(False), lambda: forward(True))
        bench.rows.add("float32: forward, speed with TF32 / without", exact / fast)
        one, other = (forward(allowed)[0].float() for allowed in (False, True))
        change = (one - other).norm() / one.norm()
        bench.rows.add("float32: forward, change by TF32 (of the norm)", float(change))
    sound = next(rendered(bench, 1))
    codes = []
    for allowed in (False, True):
        with tf32(allowed):
            codes.append(bench.family.encode(sound, bench.device)["codes"])
    bench.rows.add("codec: tokens that TF32 changes", float((codes[0] != codes[1]).mean()))


def encoding(bench: Bench) -> None:
    """Notes to tokens, rendered and written, against the bare codec."""
    count = min(bench.clips, 4 if bench.frames < 100 else 16)
    sounds = list(rendered(bench, count))
    codec = bench.family.codec(bench.device)
    bandwidth = codec.config.target_bandwidths[-1]
    audio = [torch.from_numpy(sound).to(bench.device)[None, None] for sound in sounds]

    @torch.inference_mode()
    def bare():
        for one in audio:
            codec.encode(one, bandwidth=bandwidth)

    with TemporaryDirectory() as folder:
        path = Path(folder) / "inputs.h5"
        table = note_table(bench, count)
        plain, ours, rendering = in_turn(
            min(3, bench.repeats),
            bare,
            lambda: encode_clips(bench.family, table, path, bench.device),
            lambda: list(rendered(bench, count)),
        )
    length = sum(map(len, sounds)) / bench.family.sample_rate
    bench.rows.add("encoding: sound", length / ours, "s/s")
    bench.rows.add("encoding: speed / bare codec", plain / ours)
    bench.rows.add("encoding: share of the time for rendering", rendering / ours)


def note_table(bench: Bench, count: int) -> pd.DataFrame:
    """Clips of single notes, as long as those of the other groups."""
    length = bench.frames / bench.family.frame_rate
    settings = {"kind": "notes", "keys": 36, "repeats": 1, "beats": 1, "tempo": 60 / length}
    return stimuli.clips(settings).head(count)


def rendered(bench: Bench, count: int) -> Iterator[np.ndarray]:
    """The sounds of these clips."""
    for row in note_table(bench, count).itertuples(index=False):
        yield stimuli.render(row, bench.family)


def bare_forward(network: torch.nn.Module, part: dict[str, torch.Tensor]) -> torch.Tensor:
    """The decoder alone, on tokens as they are."""
    tokens = part["codes"].long().transpose(1, 2)
    return network.model.decoder(input_ids=tokens, use_cache=False)


GROUPS: dict[str, Callable[[Bench], None]] = {
    "blend": blending,
    "memory": memory,
    "draw": drawing,
    "activations": running,
    "gradient": gradient,
    "perplexity": perplexity,
    "precision": precision,
    "encoding": encoding,
}

if __name__ == "__main__":
    main()
