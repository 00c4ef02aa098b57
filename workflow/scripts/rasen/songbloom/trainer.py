"""Training: sketch and flow together, in steps that any number of processes make alike.

    for step in train(net, windows, settings, state="run/"):
        print(step.number, step.loss)

The windows of a step follow from its number. Losses are divided by the number of terms that all
processes together have in a step, not averaged over processes: these may hold songs of different
lengths.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from math import cos, pi
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

import torch

from rasen.errors import RasenError
from rasen.networks.songbloom import SongBloom
from rasen.songbloom.batches import as_batch, term_counts, window_sample
from rasen.songbloom.engines import (
    Engine,
    gradient_norm,
    local_part,
    process_group,
    processes,
)
from rasen.songbloom.settings import TrainSettings
from rasen.songbloom.state import restore_state, save_state

# changes no result: not part of what a run goes on with
FREE = ("steps", "at_once", "keep", "save", "validate", "validation_windows", "checkpointing")


class WindowSource(Protocol):
    """What training reads: see rasen.songs.dataset.Windows."""

    def __len__(self) -> int: ...
    def __getitem__(self, place: int) -> Mapping[str, Any]: ...
    def identity(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class Step:
    """One step, or a look at the validation windows after it.

    loss = lm + flow_weight flow; lr and norm of the step (None of a look)
    tokens_s: sketch tokens per second; memory: greatest so far in MB, of a process
    kept: the network's tensors after a step whose weights are kept, on the first process
    """

    number: int
    split: str
    loss: float
    lm: float
    flow: float
    lr: float | None = None
    norm: float | None = None
    tokens_s: float | None = None
    memory: float | None = None
    kept: dict[str, torch.Tensor] | None = None


def train(
    network: SongBloom,
    windows: WindowSource,
    settings: TrainSettings,
    state: Path | str,
    validation: WindowSource | None = None,
    begun_with: Mapping[str, Any] | None = None,
) -> Iterator[Step]:
    """The steps of a run as they are made; a run that was killed goes on from its last state.

    state:      folder of its state; every process sees it
    begun_with: what else must be the same when it goes on (where its first weights are from)
    """
    with process_group(network.bos_token.device):
        yield from _train(network, windows, settings, Path(state), validation, begun_with or {})


def _train(network, windows, settings, folder, validation, begun_with):
    settings.require_valid(processes()[1])
    engine = Engine(network, settings.engine_of(processes()[1]))
    if settings.validate and validation is not None and not len(validation):
        raise RasenError("the validation set is empty; see songs.splits")
    if settings.checkpointing:
        network.checkpoint_activations()
    network.train()
    parameters = [p for p in engine.module.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(
        parameters, lr=settings.lr, betas=settings.betas, weight_decay=settings.weight_decay
    )
    average = None
    if settings.ema:
        average = {n: p.detach().clone() for n, p in network.named_parameters()}
    identity = {
        "processes": engine.world,
        "data": dict(windows.identity()),
        "network": asdict(network.config),
        **{key: value for key, value in asdict(settings).items() if key not in FREE},
        "steps": settings.steps,
        **begun_with,
    }
    done = restore_state(folder, engine, optimiser, average, identity)
    if done == 0:
        yield from _after(engine, settings, validation, average, 0, None)
    for number in range(done + 1, settings.steps + 1):
        step = _step(engine, windows, settings, optimiser, parameters, average, number)
        # told before it is saved: what a kill between the two loses is made again
        yield from _after(engine, settings, validation, average, number, step)
        if number % settings.save == 0 or number == settings.steps:
            save_state(folder, engine, optimiser, average, number, identity)


def _step(engine, windows, settings, optimiser, parameters, average, number):
    """One step of the optimiser."""
    start = perf_counter()
    first = (number - 1) * settings.batch
    places = range(first + engine.rank, first + settings.batch, engine.world)
    config = engine.network.config
    samples = [window_sample(windows[place], config, settings) for place in places]
    tokens, patches = engine.total(*term_counts(samples))
    lr = learning_rate(settings, number)
    for group in optimiser.param_groups:
        group["lr"] = lr
    lm = flow = 0.0
    parts = [samples[i : i + settings.at_once] for i in range(0, len(samples), settings.at_once)]
    for index, part in enumerate(parts):
        batch = as_batch(part, config, engine.device)
        with engine.adding(index == len(parts) - 1), _arithmetic(settings, engine.device):
            out = engine.run(batch)
            lm_part, flow_part = out.lm_sum / tokens, out.flow_sum / max(1.0, patches)
            # engines average gradients over processes; the sum is wanted
            ((lm_part + settings.flow_weight * flow_part) * engine.world).backward()
        lm, flow = lm + lm_part.item(), flow + flow_part.item()
    norm = gradient_norm(parameters, settings.clip)
    if not torch.isfinite(torch.tensor(norm)):
        raise RasenError(
            f"step {number}: the gradient is {norm}; lower songbloom lr, or raise warmup"
        )
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    if average is not None:
        _move_average(average, engine.network, settings.ema)
    lm, flow = engine.total(lm, flow)
    return Step(
        number,
        "train",
        lm + settings.flow_weight * flow,
        lm,
        flow,
        lr,
        norm,
        tokens / (perf_counter() - start),
        engine.greatest(peak_memory(engine.device)),
    )


def _after(engine, settings, validation, average, number, step):
    """A step, with its weights where they are kept, and a look at the validation windows."""
    if number in settings.kept:
        state = engine.whole_state(average)
        if step is None:  # step 0: what the run began with
            yield Step(0, "start", *[float("nan")] * 3, kept=state)
        else:
            yield Step(**{**vars(step), "kept": state})
    elif step is not None:
        yield step
    looks = settings.validate and (number % settings.validate == 0 or number == settings.steps)
    if validation is not None and looks:
        yield validate(engine, validation, settings, number)


@torch.no_grad()
def validate(engine: Engine, windows: WindowSource, settings: TrainSettings, number: int) -> Step:
    """The losses of the first windows of a split, whose draws are the same at every look."""
    count = min(len(windows), settings.validation_windows)
    config = engine.network.config
    engine.module.eval()
    sums = [0.0, 0.0]
    terms = [0, 0]
    for first in range(0, count, engine.world):
        place = first + engine.rank
        # all processes run as often; what one runs beyond the last window does not count
        sample = window_sample(windows[min(place, count - 1)], config, settings, "valid")
        with _arithmetic(settings, engine.device):
            out = engine.run(as_batch([sample], config, engine.device))
        if place < count:
            sums = [sums[0] + out.lm_sum.item(), sums[1] + out.flow_sum.item()]
            terms = [a + b for a, b in zip(terms, term_counts([sample]), strict=True)]
    engine.module.train()
    lm_sum, flow_sum, tokens, patches = engine.total(*sums, *terms)
    lm, flow = lm_sum / tokens, flow_sum / patches
    return Step(number, "valid", lm + settings.flow_weight * flow, lm, flow)


def learning_rate(settings: TrainSettings, number: int) -> float:
    """Of step `number` (from 1): a line up over the warm-up, then a half cosine to zero."""
    if number <= settings.warmup:
        return settings.lr * number / settings.warmup
    left = (number - settings.warmup) / max(1, settings.steps - settings.warmup)
    return settings.lr * (1 + cos(pi * left)) / 2


def peak_memory(device: torch.device) -> float:
    """The greatest memory of this process so far, in MB: of the GPU, or of the whole process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def _arithmetic(settings, device):
    return torch.autocast(device.type, torch.bfloat16, enabled=settings.precision == "bf16")


@torch.no_grad()
def _move_average(average: dict[str, torch.Tensor], network: SongBloom, decay: float) -> None:
    for name, parameter in network.named_parameters():
        local_part(average[name]).lerp_(local_part(parameter.detach()), 1 - decay)
