"""All that can be measured on a file, as a table, with the recommendation (chapter 13)."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from time import process_time

import numpy as np

from llmbook.choose.encoders import Encoder
from llmbook.choose.files import FEWEST, TextFile, script
from llmbook.choose.labelled import Task, judge, telling
from llmbook.choose.rule import Advice, Judged, Limits, bracket, recommend, signed
from llmbook.choose.unlabelled import fit_bits, halves, search
from llmbook.evaluation import Score, mean_score
from llmbook.evaluation.scores import interval
from llmbook.training.shipped import find

TOLD_BY_A_WORD = 0.5  # difference of shares above which a word is reported


@dataclass(frozen=True)
class Report:
    """What was found: ``print`` shows it.

    judged      the baseline and the candidates; empty where the task is not possible
    measure     what a score is: "accuracy", "balanced accuracy", "1 / rank"
    notes       what the rule does not know and a reader should
    seconds     of the processor, that all of this took
    """

    facts: tuple[str, ...]
    measure: str
    judged: tuple[Judged, ...]
    groups: tuple[Hashable, ...] | None
    advice: Advice
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    def __str__(self) -> str:
        lines = [*self.facts, ""]
        if self.judged:
            lines += [table(self.judged, self.measure, self.groups), ""]
        lines.append(str(self.advice))
        lines += [f"! {note}" for note in self.notes]
        return "\n".join([*lines, f"({self.seconds:.0f} s of the processor)"])


def choose(
    file: TextFile,
    encoders: Sequence[Encoder],
    limits: Limits | None = None,
    limit: int = 600,
    balanced: bool = False,
    grouped: bool = True,
    say: Callable[[str], None] = lambda line: None,
) -> Report:
    """Judge all candidates on a file: classification with labels, search without.

    Args:
        limit: texts that are looked at; more are drawn by lot
        balanced: each label weighs as much as any other
        grouped: near-duplicates stay on one side of a split
    """
    start = process_time()
    file = file.sample(limit)
    facts = [f"{len(file)} texts, {np.median([len(t) for t in file.texts]):.0f} characters in the "
             f"middle; {script(file.texts)}", *file.notes]  # fmt: skip
    if file.labels is None:
        report = _without_labels(file, facts, encoders, limits, say)
    else:
        report = _with_labels(file, facts, encoders, limits, balanced, grouped, say)
    return replace(report, seconds=process_time() - start)


def _with_labels(
    file: TextFile, facts: list[str], encoders: Sequence[Encoder], limits: Limits | None,
    balanced: bool, grouped: bool, say: Callable[[str], None],
) -> Report:  # fmt: skip
    task = Task.of(file.texts, file.labels, grouped)
    label, share = task.commonest
    copies = len(task.texts) - len(set(task.groups))
    facts.append(f'{len(task.names)} labels, the most frequent, "{label}", at {share:.2f}; '
                 + (f"{copies} near-duplicates" if grouped else "near-duplicates not looked for"))
    say(f"{len(file)} texts, {len(task.names)} labels: {2 + len(encoders)} candidates")
    judged = judge(task, encoders, balanced)
    advice = recommend(judged[0], judged[1:], task.groups, limits)
    measure = "balanced accuracy" if balanced else "accuracy"
    notes = [f"{word}: about the text, or about where it comes from?"
             for word in telling(file.texts, file.labels)
             if word.inside - word.outside > TOLD_BY_A_WORD]  # fmt: skip
    return Report(tuple(facts), measure, tuple(judged), tuple(task.groups), advice, tuple(notes))


def table(
    judged: Sequence[Judged], measure: str, groups: Sequence[Hashable] | None = None
) -> str:
    """One line a candidate. "unread" is the share of characters that are unknown tokens."""
    lines = [f"{'':21s}{measure:18s}unread tok/ch    ms    MB train s  licence"]
    for one in judged:
        row = f"{one.name[:20]:21s}{bracket(mean_score(one.scores, groups)):18s}"
        if one.reading is None:
            lines.append(row.rstrip())
            continue
        tokens = "-" if math.isnan(one.reading.tokens) else f"{one.reading.tokens:.2f}"
        row += (f"{one.reading.unknown:6.2f}{tokens:>7s}{one.ms:6.2f}{one.megabytes:6.1f}"
                f"{one.seconds:8.1f}  {one.licence}")
        lines.append(row)
    return "\n".join(lines)


def _without_labels(
    file: TextFile, facts: list[str], encoders: Sequence[Encoder], limits: Limits | None,
    say: Callable[[str], None],
) -> Report:  # fmt: skip
    pairs = halves(file.texts)
    notes = fit_lines(*fit_bits(file.texts))
    if len(pairs) < FEWEST:
        return Report(tuple(facts), "1 / rank", (), None, Advice(None, (
            f"cannot tell: without labels, and with a first sentence and a rest to search for in "
            f"only {len(pairs)} of the texts, there is no task to judge by; {FEWEST} are needed",)),
            tuple(notes))  # fmt: skip
    facts.append(f"search: {len(pairs)} first sentences, each looks for its own rest")
    say(f"{len(pairs)} texts to search: {2 + len(encoders)} candidates")
    judged = search(pairs, encoders)
    advice = recommend(judged[0], judged[1:], None, limits)
    return Report(tuple(facts), "1 / rank", tuple(judged), None, advice, tuple(notes))


def fit_lines(bits: dict[str, np.ndarray], text_bytes: np.ndarray) -> list[str]:
    """Whether our GPT knows this kind of text, in sentences."""
    each = {name: _per_byte(found, text_bytes) for name, found in bits.items()}
    gap = _per_byte(bits["our GPT"] - bits["n-grams"], text_bytes)
    shown = ", ".join(f"{name} {bracket(score)}" for name, score in each.items())
    verdict = ("it knows this kind of text better than a count of the file's other texts does"
               if gap.high < 0 else
               "a count of the file's other texts knows this kind of text better"
               if gap.low > 0 else
               "it is not told apart from a count of the file's other texts")  # fmt: skip
    home = ", ".join(f"{value:.2f} on {name}" for name, value in at_home().items())
    return [f"bits per byte: {shown}",
            f"our GPT less n-grams {signed(gap)}: {verdict} (at home it has {home})"]  # fmt: skip


def at_home() -> dict[str, float]:
    """Bits per byte of our GPT on held-out texts of each kind that it was trained on."""
    recipe = json.loads((find("gpt") / "recipe.json").read_text("utf8"))
    return {name: recipe["validation"][f"{name}, float32"]["bits_per_byte"]
            for name in recipe["recipe"]["texts"]}  # fmt: skip


def _per_byte(bits: np.ndarray, text_bytes: np.ndarray) -> Score:
    """All bits by all bytes; texts are drawn, each with its length."""

    def ratio(one: np.ndarray, other: np.ndarray, axis: int = -1) -> np.ndarray:
        return one.sum(axis=axis) / other.sum(axis=axis)

    return interval(ratio, (bits, text_bytes.astype(float)))
