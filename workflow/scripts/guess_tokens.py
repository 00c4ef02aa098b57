"""Measure the loss of held-out clips under guessers that know no context."""

from pathlib import Path

from rasen import command
from rasen.families import open_family
from rasen.io import parquet
from rasen.io.inputs import Inputs
from rasen.measure.guessing import guessed_losses
from rasen.study.recipe import Recipe


def guess_tokens(recipe: Recipe, inputs: Path, losses: Path, model: str, stimuli: str):
    """Write the summed cross entropy and the number of targets of every guesser, clip and group."""
    family = open_family(recipe.family, recipe.weights, recipe.options)
    table = guessed_losses(family, Inputs(inputs))
    parquet.write_table(table.assign(model=model, stimuli=stimuli), losses)


if __name__ == "__main__":
    command.run(guess_tokens)
