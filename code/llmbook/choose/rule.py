"""From measurements to a recommendation, by a rule that is printed (chapter 13).

The rule, in this order:

1. Leave out what cannot read the texts, and what is above a limit that the reader set.
2. Leave out what is not surely better than the baseline. The intervals are wider here, since the
   best of several candidates may be lucky. Nothing left: no candidate is worth its cost.
3. Is the interval of the best narrow enough? If not, more texts are needed.
4. Of those that are not told apart from the best, take the fastest.

Not here: a score that adds accuracy, time and size. Whoever weighs them differently sets limits.

Shapes: ``N`` texts.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from llmbook.choose.encoders import Reading
from llmbook.evaluation import Score, compare_means, mean_score

UNREAD = 0.5  # share of the characters; above it a model does not read a text
BYTES = 1.0  # tokens a character; above it a model reads bytes
WIDEST = 0.2  # width of an interval above which it decides nothing


@dataclass(frozen=True)
class Judged:
    """A candidate and what was measured.

    scores      (N,) of each text, the higher the better: right or wrong, 1 / rank
    ms          processor milliseconds a text, in use
    megabytes   on the disk
    seconds     of the processor, to train on all texts
    """

    name: str
    scores: np.ndarray
    ms: float = 0.0
    megabytes: float = 0.0
    seconds: float = 0.0
    licence: str = "no model"
    reading: Reading | None = None


@dataclass(frozen=True)
class Limits:
    """What the reader can afford; None is no limit."""

    ms: float | None = None
    megabytes: float | None = None


@dataclass(frozen=True)
class Advice:
    """The name of the recommended candidate, or None, and a reason for each step of the rule."""

    name: str | None
    reasons: tuple[str, ...]

    def __str__(self) -> str:
        head = f"Recommended: {self.name}" if self.name else "No recommendation"
        return "\n".join([head, *(f"- {reason}" for reason in self.reasons)])


def recommend(
    baseline: Judged,
    candidates: Sequence[Judged],
    groups: Sequence[Hashable] | None = None,
    limits: Limits | None = None,
) -> Advice:
    """Apply the rule at the head of this module.

    Args:
        groups: near-duplicates, which are drawn together (``mean_score``)

    Raises:
        ValueError: for no candidate, or scores of different texts.
    """
    if not candidates:
        raise ValueError("there is no candidate to choose from")
    limits = limits or Limits()
    barred = {c.name: why for c in candidates if (why := bar(c, limits))}
    reasons = [f"{name} is left out: {why}" for name, why in barred.items()]
    able = [c for c in candidates if c.name not in barred]
    if not able:
        return Advice(None, (*reasons, "nothing is left"))
    best = max(able, key=lambda c: (c.scores.mean(), -c.ms))
    score = mean_score(best.scores, groups)
    gains = {c.name: gain(c, baseline, groups, len(candidates)) for c in able}
    worth = [c for c in able if gains[c.name].low > 0]
    if best in worth:
        reasons.append(f"{best.name} has the best score, {bracket(score)}; it is better than "
                       f"{baseline.name} by {signed(gains[best.name])}")  # fmt: skip
    else:
        reasons.append(f"{best.name}, the best, is not surely better than {baseline.name}: "
                       f"difference {signed(gains[best.name])}")  # fmt: skip
    if score.high - score.low > WIDEST:
        reasons.append(needed(score, groups if groups is not None else best.scores))
        return Advice(None, tuple(reasons))
    if best not in worth:
        return Advice(None, tuple(reasons))
    level = [best]
    for other in able:
        if other is best:
            continue
        gap = compare_means(best.scores, other.scores, groups)
        if other not in worth:
            reasons.append(f"{other.name} is not surely better than {baseline.name}: "
                           f"difference {signed(gains[other.name])}")  # fmt: skip
        elif gap.low > 0:
            reasons.append(f"{best.name} is better than {other.name} by {signed(gap)}")
        else:
            level.append(other)
            reasons.append(f"{other.name} is not told apart from {best.name}: "
                           f"{best.name} less {other.name} {signed(gap)}")  # fmt: skip
    chosen = min(level, key=lambda c: c.ms)
    if len(level) > 1:
        reasons.append(f"of these {len(level)}, {chosen.name} is the fastest")
    return Advice(chosen.name, tuple(reasons))


def gain(
    candidate: Judged, baseline: Judged, groups: Sequence[Hashable] | None, comparisons: int
) -> Score:
    """Candidate less baseline. Its interval is made for ``comparisons`` of them together.

    Bonferroni: 5 % of error divided by their number. The bootstrap interval of 95 % is stretched as
    that of a normal distribution would be, by 1.3 for five comparisons.
    """
    found = compare_means(candidate.scores, baseline.scores, groups)
    stretch = norm.ppf(1 - 0.025 / comparisons) / norm.ppf(0.975)
    return Score(found.value, found.value - stretch * (found.value - found.low),
                 found.value + stretch * (found.high - found.value))  # fmt: skip


def bar(candidate: Judged, limits: Limits) -> str:
    """Why a candidate is left out; empty if it is not."""
    reading = candidate.reading
    if reading is not None and reading.frozen:
        if reading.unknown > UNREAD:
            return f"it cannot read {reading.unknown:.2f} of the characters, more than {UNREAD}"
        if reading.tokens > BYTES:
            return f"it reads bytes, {reading.tokens:.1f} tokens a character, not characters"
    if limits.ms is not None and candidate.ms > limits.ms:
        return f"{candidate.ms:.2g} ms a text, above your {limits.ms:g}"
    if limits.megabytes is not None and candidate.megabytes > limits.megabytes:
        return f"{candidate.megabytes:.1f} MB, above your {limits.megabytes:g}"
    return ""


def needed(score: Score, texts: Sequence[Hashable] | np.ndarray) -> str:
    """How many texts would make the interval narrow enough: its width falls as 1 / sqrt(N)."""
    width, number = score.high - score.low, len(texts)
    wanted = int(np.ceil(number * (width / WIDEST) ** 2 / 10) * 10)
    return (f"cannot tell: with {number} texts the interval is {width:.2f} wide, more than "
            f"{WIDEST}; about {wanted} texts would do")  # fmt: skip


def bracket(score: Score) -> str:
    return f"{score.value:.2f} [{score.low:.2f}, {score.high:.2f}]"


def signed(score: Score) -> str:
    return f"{score.value:+.2f} [{score.low:+.2f}, {score.high:+.2f}]"
