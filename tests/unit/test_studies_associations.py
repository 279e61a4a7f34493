"""The study of associations: its controls are controls, and its rows come out again."""

from __future__ import annotations

import numpy as np
import pytest

from llmbook.classify import exchange
from llmbook.studies import associations as study
from llmbook.studies import stored
from llmbook.vectors import WordVectors
from llmbook.vectors.association import WEAT


def test_no_gendered_word_is_both_taken_out_and_asked_for() -> None:
    pairs = {word for pair in exchange.PAIRS for word in pair}
    asked = [word for pair in study.GENDERED for word in pair]
    assert len(study.GENDERED) == 24 and len(set(asked)) == 48
    assert not pairs & set(asked)
    assert [len(set(names)) for names in study.NAMES] == [40, 40]
    assert not set(study.NAMES[0]) & set(study.NAMES[1])


def test_a_drawn_topic_is_a_word_with_its_neighbours() -> None:
    """Words on a circle, 9 degrees apart: a topic is eight in a row, two topics share none."""
    angles = np.radians(np.arange(40) * 9)
    table = WordVectors([f"w{i}" for i in range(40)], np.stack([np.cos(angles), np.sin(angles)], 1))
    for seed in range(20):
        rows = study.draw(table, True, np.random.default_rng(seed))
        assert len(set(rows)) == 16
        for half in (rows[:8], rows[8:]):
            places = np.sort((half - half[0] + 20) % 40)
            assert (np.diff(places) == 1).all()
    assert len(set(study.draw(table, False, np.random.default_rng(0)))) == 16


def test_an_end_is_found_again_through_a_second_column_alone() -> None:
    """What the direction says stands in another column too, or it does not."""
    random = np.random.default_rng(0)
    number = 2 * study.EXTREMES
    sides = np.repeat([-1.0, 1.0], study.EXTREMES)
    words = [f"w{i}" for i in range(number)]
    for second, low, high in ((sides, 0.95, 1.0), (random.choice([-1.0, 1.0], number), 0.4, 0.6)):
        noise = random.normal(scale=0.1, size=(number, 4))
        table = WordVectors(words, np.column_stack([sides, second, noise]))
        direction = np.eye(6)[0]
        assert study.told_apart(table, direction, False, 0) > 0.95
        assert low <= study.told_apart(table, direction, True, 0) <= high


def test_pooled_counts_all_rows_and_gives_their_range() -> None:
    rows = [{"0.9 none": {"names": {"changed": [n, n, 10], "control": [0, 0]}}} for n in (2, 6)]
    assert study.pooled(rows, "0.9 none", "changed") == "0.400 (0.20 to 0.60)"
    assert study.pooled(rows, "0.9 none", "control") == "none"


def test_the_first_rows_come_out_again() -> None:
    rows = stored.load(study.NAME)
    [row] = stored.select(rows, part="recovery", seed=0)
    for name, value in study.recovery(0).items():
        assert row[name] == pytest.approx(value, abs=0.03)
    [row] = stored.select(rows, part="decisions", seed=0)
    found = study.decide(exchange.Actions.draw(0), 0.9, "none", 0)["names"]["changed"][0]
    assert found == pytest.approx(row["0.9 none"]["names"]["changed"][0], abs=6)
    [row] = stored.select(rows, part="lots", seed=0)
    d, p = study.by_lot(WEAT["mathematics"], True, 0, number=50)
    assert len(d) == len(p) == 50 and d.std() > 0.7
    blind = study.decide(exchange.Actions.draw(0), 0.9, "blind", 0)
    assert blind["names"]["changed"][0] == 0
