"""Grid, random search and TPE at equal budgets: ``python -m llmbook.studies.search``.

Four hyperparameters of the network of ``llmbook.trials``. Each search has a seed, which draws its
configurations and is also the seed of its trainings, as in a search that is run once. Ten seeds,
two minutes of one core.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import optuna

from llmbook import corpora
from llmbook.studies import stored
from llmbook.trials import Trial, package_task
from llmbook.trials import run as train

NAME = "search"
SEEDS, BUDGETS, EPOCHS = range(10), (9, 18, 36), 9
# The grids: the inner points of each range; what is not in a grid has its usual value.
RATES, DECAYS = (0.001, 0.01, 0.1), (0.01, 0.1, 1.0)
GRIDS: dict[int, dict[str, tuple[float, ...]]] = {
    9: {"learning_rate": RATES, "weight_decay": DECAYS},
    18: {"learning_rate": RATES, "weight_decay": DECAYS, "dropout": (0.0, 0.4)},
    36: {"learning_rate": RATES, "weight_decay": DECAYS, "dropout": (0.0, 0.4), "width": (16, 128)},
}
SAMPLERS = {"random": optuna.samplers.RandomSampler, "TPE": optuna.samplers.TPESampler}
SETTINGS = [
    *({"method": "grid", "trials": budget, "seed": seed}
      for budget, seed in product(BUDGETS, SEEDS)),
    *({"method": method, "trials": max(BUDGETS), "seed": seed}
      for method, seed in product(SAMPLERS, SEEDS)),
]  # fmt: skip


def space(trial: optuna.Trial) -> dict[str, Any]:
    """One configuration: rate, weight decay and width on a logarithmic scale, dropout linear."""
    return {
        "learning_rate": trial.suggest_float("learning_rate", 1e-4, 1, log=True),
        "weight_decay": trial.suggest_float("weight_decay", 1e-3, 10, log=True),
        "dropout": trial.suggest_float("dropout", 0, 0.8),
        "width": trial.suggest_int("width", 8, 256, log=True),
    }


def configurations(budget: int) -> list[dict[str, Any]]:
    """Those of a grid."""
    grid = GRIDS[budget]
    return [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]


def search(method: str, number: int, seed: int, score: Callable[[dict[str, Any]], float]) -> None:
    """Ask ``score``, which is to be large, for ``number`` configurations, one after the other.

    Raises:
        KeyError: for an unknown method, or a grid that does not exist.
    """
    if method == "grid":
        for found in configurations(number):
            score(found)
        return
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize", sampler=SAMPLERS[method](seed=seed))
    study.optimize(lambda trial: score(space(trial)), n_trials=number)


def run(method: str, trials: int, seed: int) -> stored.Row:
    """One search: its configurations, their accuracies, and which validation texts are right.

    "right": 320 bits of each trial, as hexadecimal digits.
    """
    task, found = package_task(), []

    def score(config: dict[str, Any]) -> float:
        result = train(Trial(**config, epochs=EPOCHS, seed=seed), task)
        found.append((config, result))
        return result.validation

    search(method, trials, seed, score)
    return {
        "configurations": [{k: float(f"{v:.4g}") if isinstance(v, float) else v
                            for k, v in config.items()} for config, _ in found],
        "validation": [round(result.validation, 5) for _, result in found],
        "test": [round(result.test, 4) for _, result in found],
        "right": [np.packbits(result.right).tobytes().hex() for _, result in found],
    }  # fmt: skip


def right(row: stored.Row) -> np.ndarray:
    """Whether each answer of each trial is right, (trials, 320)."""
    return np.array([np.unpackbits(np.frombuffer(bytes.fromhex(bits), np.uint8))
                     for bits in row["right"]], bool)  # fmt: skip


def text() -> str:
    """Fingerprint of the texts."""
    return corpora.package_labels().provenance.fingerprint


if __name__ == "__main__":
    stored.main(NAME, text(), SETTINGS, run)
