"""What happened in a run: losses, evaluations, time; as JSON and as a plot (chapter 6)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmbook.corpora.cache import write_whole
from llmbook.training.evaluation import Evaluation

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass
class History:
    """A run so far.

    losses       of each step, in nats per target, smoothed labels and dropout included
    norms        of the gradient at each step, before clipping
    evaluations  rows with "step", "name", "loss", "targets", "text_bytes" (see ``Evaluation``)
    targets      targets that were learned from
    cpu_seconds  of this process and all its threads, evaluations included
    """

    losses: list[float] = field(default_factory=list)
    norms: list[float] = field(default_factory=list)
    evaluations: list[dict[str, Any]] = field(default_factory=list)
    targets: int = 0
    cpu_seconds: float = 0.0

    def note(self, step: int, name: str, evaluation: Evaluation) -> None:
        """Add an evaluation after ``step`` steps."""
        self.evaluations.append({"step": step, "name": name, **asdict(evaluation)})

    def curve(self, name: str) -> list[tuple[int, Evaluation]]:
        """Steps and evaluations on one held-out text."""
        facts = ("loss", "targets", "text_bytes")
        return [
            (row["step"], Evaluation(*(row[fact] for fact in facts)))
            for row in self.evaluations
            if row["name"] == name
        ]

    def stale(self, name: str) -> int:
        """Evaluations since the best one; 0 if the last is the best, or there is none."""
        losses = [evaluation.loss for _, evaluation in self.curve(name)]
        return len(losses) - 1 - losses.index(min(losses)) if losses else 0

    def smooth(self, width: int) -> list[tuple[int, float]]:
        """Means of ``width`` losses, each with the step after it; a shorter rest is a mean too."""
        parts = range(0, len(self.losses), width)
        means = []
        for start in parts:
            part = self.losses[start : start + width]
            means.append((start + len(part), sum(part) / len(part)))
        return means

    def plot(self, axes: Axes | None = None) -> Axes:
        """The loss in training and on each held-out text, against the steps."""
        import matplotlib.pyplot as plt

        from llmbook import plots

        axes = axes or plt.subplots()[1]
        width = max(1, len(self.losses) // 100)
        axes.plot(*zip(*self.smooth(width), strict=True), color="#8a8a8a", label="training")
        names = dict.fromkeys(row["name"] for row in self.evaluations)
        for name, colour, marker in zip(names, plots.COLOURS, plots.MARKERS, strict=False):
            curve = [(step, evaluation.loss) for step, evaluation in self.curve(name)]
            axes.plot(*zip(*curve, strict=True), color=colour, marker=marker, ms=4, label=name)
        axes.set(xlabel="step", ylabel="loss (nats per token)")
        axes.legend()
        return axes

    def save(self, path: str | Path) -> None:
        """Write JSON, whole or not at all."""
        write_whole(Path(path), json.dumps(asdict(self)).encode())

    @classmethod
    def load(cls, path: str | Path) -> History:
        """Read what ``save`` wrote."""
        return cls(**json.loads(Path(path).read_bytes()))
