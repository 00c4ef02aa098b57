"""What a training run is asked for: `songbloom.train` of the config."""

from dataclasses import dataclass, field
from typing import Literal

from rasen.errors import raise_all


@dataclass(frozen=True)
class TrainSettings:
    """The defaults are the paper's, where it gives them.

    steps, batch:  optimiser steps, windows of each (over all processes)
    at_once:       windows of one forward pass in a process; changes memory, not results
    seconds:       greatest length of a window
    lr, warmup:    learning rate after `warmup` steps; from there a half cosine down to zero
    clip:          greatest norm of the gradient
    flow_weight:   of the flow's loss beside the sketch's
    flow_patches:  patches of a window whose flow is trained (0: all); the DiT reads 3 P + 2 rows
                   for each, 2.4 times what the decoder reads
    mask:          how guidance is trained. paper: hidden vector and sketch hidden together, and
                   the sketch alone; public: each by itself
    hide:          probability of each of these masks, per patch
    drop_all, drop_prompt: probability that a window loses both conditions, its prompt
    ema:           decay of a running average of the weights, which is what is kept (0: none)
    keep:          steps whose weights are kept, beside step 0 and the last
    engine:        auto: fsdp where there are several processes
    save:          steps between two states from which a killed run goes on
    validate, validation_windows: steps between two looks at so many windows of the split `valid`
    """

    steps: int = 150_000
    batch: int = 128
    at_once: int = 1
    seconds: float = 150.0
    lr: float = 1e-4
    warmup: int = 2000
    betas: tuple[float, ...] = (0.9, 0.95)
    weight_decay: float = 0.01
    clip: float = 1.0
    flow_weight: float = 0.1
    flow_patches: int = 0
    mask: Literal["paper", "public"] = "paper"
    hide: float = 0.05
    drop_all: float = 0.1
    drop_prompt: float = 0.1
    ema: float = 0.0
    precision: Literal["fp32", "bf16"] = "fp32"
    checkpointing: bool = False
    engine: Literal["auto", "single", "ddp", "fsdp"] = "auto"
    seed: int = 0
    keep: tuple[int, ...] = field(default=())
    save: int = 500
    validate: int = 500
    validation_windows: int = 16

    def require_valid(self, processes: int = 1) -> None:
        """Refuse settings that contradict each other or the number of processes; all at once."""
        problems = []
        if self.batch % processes:
            problems.append(
                f"batch {self.batch} over {processes} processes: some would have more windows; "
                f"take a multiple of {processes}"
            )
        elif self.batch // processes % self.at_once:
            problems.append(
                f"at_once {self.at_once} does not divide the {self.batch // processes} windows "
                "of a process"
            )
        if self.engine == "single" and processes > 1:
            problems.append(f"engine single with {processes} processes; take ddp or fsdp")
        if beyond := [step for step in self.keep if not 0 <= step <= self.steps]:
            problems.append(f"keep {beyond}: the run has the steps 0 to {self.steps}")
        raise_all([f"songbloom: {problem}" for problem in problems])

    def engine_of(self, processes: int) -> str:
        """The engine for so many processes."""
        if self.engine != "auto":
            return self.engine
        return "single" if processes == 1 else "fsdp"

    @property
    def kept(self) -> list[int]:
        """All steps whose weights are kept, ascending."""
        return sorted({0, *self.keep, self.steps})
