"""Settings of a training run, checked when they are made (chapter 6)."""

from __future__ import annotations

from dataclasses import dataclass

PRECISIONS = ("float32", "bfloat16")
OPTIMIZERS = ("adamw", "muon")


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Settings of one run of ``Trainer``.

    steps           updates of the weights
    batch_size      examples that go through the model at once, over all processes together
    accumulate      batches whose gradients make one update
    learning_rate   its highest value, at the end of the warm-up
    final_rate      the last value of the learning rate, as a share of the highest
    warm_up         steps in which the rate rises
    weight_decay    decoupled from the gradient; of matrices alone, see ``optimizers``
    clip            the greatest norm of all gradients together; 0: none
    precision       "bfloat16": matrix products in bfloat16, weights and sums in float32
    optimizer       "muon": Muon for the matrices inside blocks, AdamW for the rest
    seed            of dropout and of what the objective draws; the data has its own
    evaluate_every  steps between evaluations; 0: after the last step alone
    patience        evaluations without a new best after which training stops; 0: it does not
    save_every      steps between checkpoints; 0: after the last step alone
    """

    steps: int
    batch_size: int = 16
    accumulate: int = 1
    learning_rate: float = 1e-3
    final_rate: float = 0.1
    warm_up: int = 0
    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.95)
    clip: float = 1.0
    precision: str = "float32"
    optimizer: str = "adamw"
    seed: int = 0
    evaluate_every: int = 0
    patience: int = 0
    save_every: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "accumulate"):
            self._check_integer(name, 1)
        for name in ("warm_up", "seed", "evaluate_every", "patience", "save_every"):
            self._check_integer(name, 0)
        if not 0 < self.learning_rate < float("inf"):
            raise ValueError(f"learning_rate ({self.learning_rate}) must be above 0 and finite")
        for name in ("weight_decay", "clip"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} ({getattr(self, name)}) must be at least 0 and finite")
        if not 0 <= self.final_rate <= 1:
            raise ValueError(f"final_rate ({self.final_rate}) is a share: from 0 to 1")
        if self.warm_up >= self.steps:
            raise ValueError(f"warm_up ({self.warm_up}) must be below steps ({self.steps})")
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas ({self.betas}) must be two numbers from 0 to below 1")
        for name, choices in (("precision", PRECISIONS), ("optimizer", OPTIMIZERS)):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {choices}, not {getattr(self, name)!r}")
        if self.patience and not self.evaluate_every:
            raise ValueError(f"patience ({self.patience}) counts evaluations: set evaluate_every")

    def _check_integer(self, name: str, least: int) -> None:
        value = getattr(self, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ValueError(f"{name} ({value}) must be a whole number, at least {least}")
