"""Plots say what they are given: cells of an attention map, and a complaint about wrong names."""

from __future__ import annotations

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from llmbook import plots


def test_attention_map_writes_each_weight_but_an_exact_zero() -> None:
    axes = plots.attention_map(np.array([[1, 0], [0.25, 0.75]]), ["a", "b"])
    assert [text.get_text() for text in axes.texts] == ["1.00", "0.25", "0.75"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    plt.close(axes.figure)


def test_attention_map_of_many_columns_has_no_numbers() -> None:
    axes = plots.attention_map(np.full((2, 20), 0.05), ["a", "b"], list("abcdefghijklmnopqrst"))
    assert not axes.texts
    plt.close(axes.figure)


def test_attention_map_complains_about_names_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"need 2 names of queries and 3 of keys, not 2 and 2"):
        plots.attention_map(np.zeros((2, 3)), ["a", "b"])
