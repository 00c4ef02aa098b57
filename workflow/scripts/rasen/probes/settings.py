"""How probes are fitted and scored."""

from dataclasses import dataclass, field

import numpy as np

from rasen.errors import raise_all

KINDS = ("ridge", "logistic", "mlp")


@dataclass(frozen=True)
class ProbeSettings:
    """How probes are fitted and scored; the section `probes` of the config.

    kind: "ridge" (closed form), "logistic" (classes and tags) or "mlp" (one hidden layer)
    folds: of whole groups; each is left out once, and the others are its inner folds
    lambdas: strengths of the penalty, in units of the mean variance of the standardised features:
        lambda times the number of training rows is scikit-learn's alpha of Ridge, and
        1 / (lambda * rows) its C of LogisticRegression; chosen on inner folds
    random: whether a split of rows, not of groups, stands beside the grouped one. It LEAKS: clips
        of one song or notes of one instrument are in the training rows and in the test rows
    mix: whether a softmax-weighted sum of all layers with a linear head is learned as well
    permutations: how often labels are permuted, as rows of their own
    bootstrap: resamples of the groups for intervals
    hidden, epochs, patience, batch, rate: of the MLP and the mix, trained by Adam
    """

    kind: str = "ridge"
    folds: int = 5
    lambdas: list[float] = field(default_factory=lambda: [10.0**power for power in range(-4, 5)])
    random: bool = True
    mix: bool = True
    permutations: int = 1
    bootstrap: int = 1000
    hidden: int = 512
    epochs: int = 50
    patience: int = 5
    batch: int = 256
    rate: float = 1e-3

    def __post_init__(self) -> None:
        mistakes = []
        if self.kind not in KINDS:
            mistakes.append(f"kind: '{self.kind}' is not one of {', '.join(KINDS)}")
        if self.folds < 3:
            mistakes.append(f"folds: {self.folds}; give 3 or more: one to test, one to choose on")
        positive = all(np.isfinite(value) and value > 0 for value in self.lambdas)
        if not self.lambdas or not positive or sorted(set(self.lambdas)) != list(self.lambdas):
            mistakes.append(f"lambdas: {self.lambdas}; give positive numbers that rise")
        if self.permutations < 0:
            mistakes.append(f"permutations: {self.permutations}; give 0 or more")
        for name in ("bootstrap", "hidden", "epochs", "patience", "batch"):
            if getattr(self, name) < 1:
                mistakes.append(f"{name}: {getattr(self, name)}; give 1 or more")
        if not self.rate > 0:
            mistakes.append(f"rate: {self.rate}; give a number above 0")
        raise_all(f"probes.{mistake}" for mistake in mistakes)
