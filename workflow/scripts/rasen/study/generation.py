"""What the config says of generated songs: which weights make them, and what jobs are given."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from rasen.errors import suggestion
from rasen.study.checkpoints import kept_steps


def generating_steps(config: Mapping[str, Any]) -> list[tuple[str, int]]:
    """(run, step) of all weights that make songs; of every run its last where none are named."""
    bloom = config["songbloom"]
    if not bloom["generate"]:
        return []
    chosen = bloom["generate"]["runs"]
    if chosen is None:
        chosen = {name: [kept_steps(run)[-1]] for name, run in bloom["runs"].items()}
    return [(name, step) for name, steps in chosen.items() for step in steps]


def per_generated(config: Mapping[str, Any], pattern: str) -> list[str]:
    """`pattern` for all weights that make songs."""
    return [pattern.format(run=name, step=f"{step:06d}") for name, step in generating_steps(config)]


def prompts(config: Mapping[str, Any]) -> str:
    """The kinds of prompts that the generating runs learned from, as JSON."""
    runs = config["songbloom"]["runs"]
    return json.dumps(
        sorted({runs[name]["data"]["prompt"] for name, _ in generating_steps(config)})
    )


def contradictions_of_generation(config: Mapping[str, Any]) -> Iterator[str]:
    """What contradicts itself in `songbloom.generate`, without the place of the section."""
    generate, runs = config["songbloom"]["generate"], config["songbloom"]["runs"]
    if not generate:
        return
    if not config.get("songs"):
        yield ": needs the VAE and phonemes of `songs`; write that section too"
    if not runs:
        yield ": no run is named in songbloom.runs; train one first"
    for name, steps in (generate["runs"] or {}).items():
        if name not in runs:
            yield f".runs: no run '{name}'; {suggestion(name, [*runs])}"
            continue
        kept = kept_steps(runs[name])
        if lacking := [step for step in steps if step not in kept]:
            yield (
                f".runs.{name}: steps {lacking} are not kept (kept: {kept}); add them to "
                f"songbloom.runs.{name}.train.keep"
            )
