"""GloVe (Pennington, Socher & Manning 2014): weighted least squares on the log of counts.

    J = sum over cells with X > 0 of f(X_ij) (w_i . c_j + b_i + d_j - log X_ij)^2,
    f(x) = min(1, x / x_max) ** power                                    (equations 8 and 9)

trained by AdaGrad. A batch is a random set of cells; its gradient is two products of a sparse
matrix of residuals with the vectors. The original updates cell by cell, with one thread racing the
other; batches make a run repeatable. Like the original, a step uses half the gradient of J, and the
sums of squares start at 1; unlike it, they take in the gradient before they divide it.

One departure, off unless asked for: ``empty_cells``. GloVe never looks at a pair that does not
occur. With it, as many random cells join each batch as the share says, as if they had been counted
``empty_count`` times; they are drawn from the whole table, nearly all of which is empty (the idea,
in another form, is Swivel's: Shazeer et al. 2016).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sparse
from tqdm.auto import tqdm

from llmbook.vectors.keyed import WordVectors, check_dimension, check_seed
from llmbook.vectors.state import load_state, save_state
from llmbook.vectors.vocabulary import Vocabulary


@dataclass(frozen=True)
class GloveConfig:
    """Settings of GloVe; x_max and power as in the paper, section 4.2, unless the text is small."""

    dimension: int = 100
    epochs: int = 25
    x_max: float = 100.0
    power: float = 0.75
    learning_rate: float = 0.05
    batch_cells: int = 65536
    empty_cells: float = 0.0
    empty_count: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        check_dimension(self.dimension)
        for name in ("epochs", "batch_cells", "x_max", "learning_rate", "empty_count"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} ({getattr(self, name)}) must be above 0")
        check_seed(self.seed)
        if not self.empty_cells >= 0:
            raise ValueError(f"empty_cells ({self.empty_cells}) must be at least 0")


class Glove:
    """Trains ``word`` and ``context`` vectors, each (V, D), and a bias for each, (V,).

    The result is their sum, as in the paper, section 4.2. Biases are the last column of a table
    (V, D + 1), so that one AdaGrad step serves both.
    """

    def __init__(self, vocabulary: Vocabulary, config: GloveConfig | None = None) -> None:
        self.vocabulary = vocabulary
        self.config = config = config or GloveConfig()
        random = np.random.default_rng(config.seed)
        shape = (2, len(vocabulary), config.dimension + 1)
        table = ((random.random(shape) - 0.5) / config.dimension).astype(np.float32)
        table[:, :, -1] = 0
        self.table = table  # [0] words, [1] contexts
        self.squares = np.ones(shape, dtype=np.float32)  # AdaGrad: sums of squared gradients
        self.losses: list[float] = []  # mean weighted squared error a cell, one number an epoch

    @property
    def vectors(self) -> WordVectors:
        """The sums of the two vectors of each word, (V, D)."""
        return WordVectors(self.vocabulary.words, self.table[:, :, :-1].sum(axis=0))

    def train(self, counts: sparse.sparray, save_to: str | Path | None = None) -> WordVectors:
        """Run the epochs that are still to do on a (V, V) matrix of counts.

        Raises ``ValueError`` when the matrix does not fit the vocabulary or has a negative count.
        """
        size = len(self.vocabulary)
        if counts.shape != (size, size):
            raise ValueError(f"counts of shape {counts.shape} do not fit {size} words")
        counts = counts.tocoo()
        if counts.nnz == 0 or counts.data.min() <= 0:
            raise ValueError("counts must hold at least one cell, and no cell at or below zero")
        todo = range(len(self.losses), self.config.epochs)
        for epoch in tqdm(todo, unit="epoch", leave=False):
            self.losses.append(self._epoch(counts, epoch))
            if save_to is not None:
                self.save(save_to)
        return self.vectors

    def _epoch(self, counts: sparse.coo_array, epoch: int) -> float:
        config = self.config
        random = np.random.default_rng([config.seed, epoch])
        row, column = counts.coords
        order = random.permutation(counts.nnz)
        loss = 0.0
        for start in range(0, counts.nnz, config.batch_cells):
            cells = np.sort(order[start : start + config.batch_cells])  # near in memory is faster
            i, j, x = row[cells], column[cells], counts.data[cells]
            if config.empty_cells:
                many = int(config.empty_cells * len(i))
                extra = random.integers(0, len(self.vocabulary), (2, many))
                i, j = np.r_[i, extra[0]], np.r_[j, extra[1]]
                x = np.r_[x, np.full(many, config.empty_count, dtype=np.float32)]
            loss += self._step(i, j, x)
        return loss / (counts.nnz * (1 + config.empty_cells))

    def _step(self, i: np.ndarray, j: np.ndarray, x: np.ndarray) -> float:
        word, context = self.table
        prediction = np.einsum("nd,nd->n", word[i, :-1], context[j, :-1])
        error = prediction + word[i, -1] + context[j, -1] - np.log(x)
        pull = cell_weight(x, self.config.x_max, self.config.power) * error
        size = len(self.vocabulary)
        residual = sparse.csr_array((pull, (i, j)), shape=(size, size))
        gradients = [
            np.c_[residual @ context[:, :-1], residual.sum(axis=1)],
            np.c_[residual.T @ word[:, :-1], residual.sum(axis=0)],
        ]
        for side, gradient in enumerate(gradients):
            self.squares[side] += gradient**2
            step = self.config.learning_rate * gradient / np.sqrt(self.squares[side])
            self.table[side] -= step
        return float(pull @ error)

    def save(self, path: str | Path) -> None:
        """Write vectors, AdaGrad's sums and settings to one file, or leave the old one."""
        arrays = {"table": self.table, "squares": self.squares, "counts": self.vocabulary.counts}
        facts = {"kind": "GloVe", "config": asdict(self.config), "words": self.vocabulary.words}
        save_state(path, arrays, facts | {"losses": self.losses})

    @classmethod
    def resume(cls, path: str | Path) -> Glove:
        """Read what ``save`` wrote; ``train`` goes on from there."""
        arrays, facts = load_state(path, "GloVe")
        vocabulary = Vocabulary(tuple(facts["words"]), arrays["counts"])
        model = cls(vocabulary, GloveConfig(**facts["config"]))
        model.table, model.squares = arrays["table"], arrays["squares"]
        model.losses = facts["losses"]
        return model


def cell_weight(x: np.ndarray, x_max: float, power: float) -> np.ndarray:
    """f of equation 9: how much a cell with count ``x`` matters, from 0 to 1."""
    return np.minimum(1.0, x / x_max, dtype=np.float32) ** np.float32(power)
