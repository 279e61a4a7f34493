"""Plots of the book: one style, colours that a colour-blind reader can tell apart.

A figure is a white card with dark ink, so it reads the same on a light and on a dark page. Caption,
name and alt text stand in the metadata of the cell that draws it.
"""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.transforms import Bbox

# Okabe & Ito's palette without its yellow, which is too pale on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = "osD^vP*"


def use_style() -> None:
    """Set matplotlib's defaults; ``environment.start`` calls this in the first cell of a lab."""
    plt.rcParams.update(
        {
            "figure.figsize": (6.4, 3.6),
            "figure.dpi": 110,
            "figure.constrained_layout.use": True,
            "savefig.facecolor": "white",
            "axes.prop_cycle": plt.cycler(color=COLOURS),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.color": "#dddddd",
            "grid.linewidth": 0.6,
            "axes.axisbelow": True,
            "font.size": 10,
            "legend.frameon": False,
            "lines.linewidth": 1.8,
        }
    )


def word_map(
    groups: dict[str, Sequence[str]], points: np.ndarray, axes: Axes | None = None
) -> Axes:
    """Words as labelled points, a colour and a marker for each group.

    ``points`` has shape (number of words, 2), in the order of the groups.
    """
    axes = axes or plt.subplots(figsize=(6.4, 5.2))[1]
    start = 0
    for (name, words), colour, marker in zip(groups.items(), COLOURS, MARKERS, strict=False):
        block = points[start : start + len(words)]
        axes.scatter(*block.T, s=26, color=colour, marker=marker, label=name)
        start += len(words)
    axes.set(xticks=[], yticks=[])
    axes.margins(0.12)
    axes.legend(loc="best", fontsize=8)
    label_points([word for words in groups.values() for word in words], points, axes)
    return axes


def label_points(labels: Sequence[str], points: np.ndarray, axes: Axes) -> None:
    """Write each label beside its point, in the first of eight places where it covers nothing.

    ``points`` has shape (number of labels, 2), in data coordinates. Call it when the limits of the
    axes are final: what is free depends on them.

    Raises:
        ValueError: if a label finds no free place, or labels and points differ in number.
    """
    axes.figure.draw_without_rendering()  # the layout moves the axes only when it is drawn
    dots = axes.transData.transform(points)
    taken = [Bbox.from_bounds(x - 4, y - 4, 8, 8) for x, y in dots]
    legend = axes.get_legend()
    taken += [legend.get_window_extent()] if legend else []
    sides = {-1: "right", 0: "center", 1: "left"}
    for label, place in zip(labels, points, strict=True):
        for right, up in ((1, 1), (-1, 1), (1, -1), (-1, -1), (1, 0), (-1, 0), (0, 1), (0, -1)):
            text = axes.annotate(
                label, place, (4 * right, 5 * up), textcoords="offset points", fontsize=8,
                ha=sides[right], va={-1: "top", 0: "center", 1: "bottom"}[up],
            )
            box = text.get_window_extent().shrunk(1, 0.8)
            if box.count_overlaps(taken) == 0:
                break
            text.remove()
        else:
            raise ValueError(f"no free place for {label!r}: make the figure larger")
        taken.append(box)


def score_bars(
    names: Sequence[str], scores: Sequence, value: str = "rho", axes: Axes | None = None
) -> Axes:
    """One horizontal bar a model with its 95 % interval; scores carry ``low`` and ``high``."""
    axes = axes or plt.subplots(figsize=(6.4, 0.5 * len(names) + 0.9))[1]
    middle = np.array([getattr(score, value) for score in scores])
    reach = np.array([[m - s.low, s.high - m] for m, s in zip(middle, scores, strict=True)]).T
    place = np.arange(len(names))[::-1]
    axes.barh(place, middle, xerr=reach, height=0.6, color=COLOURS[0], ecolor="#333333", capsize=3)
    axes.set_yticks(place, names)
    axes.grid(axis="y", visible=False)
    axes.axvline(0, color="#333333", linewidth=0.8)
    return axes


def attention_map(
    weights: np.ndarray,
    queries: Sequence[str],
    keys: Sequence[str] | None = None,
    axes: Axes | None = None,
    numbers: bool | None = None,
) -> Axes:
    """Attention weights (T, S) as a table: a row for each query, a column for each key it looks at.

    White is 0, dark blue is 1, in every map, so that maps can be compared. ``numbers`` writes each
    weight into its cell, and is the rule up to ten columns; a cell that is exactly 0 stays empty.

    Raises:
        ValueError: if the names do not fit the shape.
    """
    weights = np.asarray(weights)
    keys = queries if keys is None else keys
    if weights.shape != (len(queries), len(keys)):
        raise ValueError(
            f"weights {weights.shape} need {weights.shape[0]} names of queries and "
            f"{weights.shape[-1]} of keys, not {len(queries)} and {len(keys)}"
        )
    if axes is None:
        size = (min(0.42 * len(keys) + 1.6, 6.8), min(0.36 * len(queries) + 1.3, 4.8))
        axes = plt.subplots(figsize=size)[1]
    shades = LinearSegmentedColormap.from_list("attention", ["#ffffff", COLOURS[0], "#00304d"])
    axes.imshow(weights, cmap=shades, vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(keys)), keys, rotation=60, ha="left", rotation_mode="anchor")
    axes.set_yticks(range(len(queries)), queries)
    axes.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    axes.set_xticks(np.arange(-0.5, len(keys)), minor=True)
    axes.set_yticks(np.arange(-0.5, len(queries)), minor=True)
    axes.grid(visible=False)
    axes.grid(which="minor", color="#dddddd", linewidth=0.6)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(False)
    if numbers if numbers is not None else len(keys) <= 10:
        for (row, column), weight in np.ndenumerate(weights):
            if weight != 0:
                ink = "white" if weight > 0.45 else "#1f2933"
                axes.text(column, row, f"{weight:.2f}", ha="center", va="center", color=ink,
                          fontsize=8)
    return axes
