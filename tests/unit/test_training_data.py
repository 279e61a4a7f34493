"""Windows and examples: everything comes, in an order that can be taken up again anywhere."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbook.training import Examples, TokenWindows
from llmbook.training.data import collate


def test_a_window_is_a_piece_of_the_text_and_may_begin_anywhere() -> None:
    """Of 12 tokens, windows of 5: the first tokens 0 to 7, each about 250 times of 2,000."""
    windows = TokenWindows(torch.arange(12), 5).draw(2000)["ids"]
    assert windows.shape == (2000, 5) and windows.dtype == torch.int64
    assert torch.equal(windows, windows[:, :1] + torch.arange(5))
    starts = Counter(windows[:, 0].tolist())
    assert set(starts) == set(range(8)) and min(starts.values()) > 180


def test_a_text_of_one_window() -> None:
    assert TokenWindows([7, 8, 9], 3).draw(2)["ids"].tolist() == [[7, 8, 9]] * 2


@pytest.mark.parametrize("ids", [[], [1], list(range(128))])
def test_a_text_shorter_than_one_window_is_refused(ids: list[int]) -> None:
    with pytest.raises(ValueError) as error:
        TokenWindows(torch.tensor(ids, dtype=torch.int32), 129)
    assert str(error.value) == (f"the text has {len(ids)} tokens, fewer than one window of 129: "
                                "give a longer text, or a shorter context")  # fmt: skip


def test_a_text_is_one_row() -> None:
    with pytest.raises(ValueError, match=r"must have shape \(N,\), not \(2, 3\)"):
        TokenWindows(torch.zeros(2, 3, dtype=torch.long), 2)


EXAMPLES = [{"ids": list(range(n + 1)), "label": n} for n in range(7)]


def test_each_example_comes_once_an_epoch_in_another_order() -> None:
    data = Examples(EXAMPLES, seed=1)
    labels = torch.cat([data.draw(3)["label"] for _ in range(7)]).tolist()  # three epochs of 7
    epochs = [labels[i : i + 7] for i in (0, 7, 14)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert labels[:7] != torch.cat([Examples(EXAMPLES, seed=2).draw(7)["label"]]).tolist()


def make(kind: str, seed: int = 3) -> TokenWindows | Examples:
    return TokenWindows(torch.arange(50), 4, seed) if kind == "windows" else Examples(
        EXAMPLES, seed=seed)  # fmt: skip


@pytest.mark.parametrize("kind", ["windows", "examples"])
@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(1, 9), min_size=2, max_size=8), cut=st.integers(0, 8))
def test_the_position_can_be_taken_up_anywhere(kind: str, sizes: list[int], cut: int) -> None:
    data, resumed = make(kind), make(kind, seed=99)
    whole = []
    for number, size in enumerate(sizes):
        if number == min(cut, len(sizes) - 1):
            state = data.state_dict()
            state = {n: v.clone() if isinstance(v, torch.Tensor) else v for n, v in state.items()}
            left = sizes[number:]
        whole.append(data.draw(size))
    resumed.load_state_dict(state)
    for size, expected in zip(left, whole[-len(left) :], strict=True):
        found = resumed.draw(size)
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], expected[name]) for name in found)


@pytest.mark.parametrize(("one", "other"), [
    (TokenWindows(torch.arange(50), 4), TokenWindows(torch.arange(1, 51), 4)),
    (TokenWindows(torch.arange(50), 4), TokenWindows(torch.arange(50), 5)),
    (Examples(EXAMPLES), Examples(EXAMPLES[1:])),
    (Examples(EXAMPLES), Examples(EXAMPLES, pad_id=1)),
])  # fmt: skip
def test_a_position_in_other_data_is_refused(one, other) -> None:
    with pytest.raises(ValueError, match="not that of the checkpoint: its fingerprint differs"):
        other.load_state_dict(one.state_dict())


def test_padding_by_hand() -> None:
    batch = collate([
        {"ids": [5, 6, 7], "labels": [-100, 6, 7], "target": [1], "label": 2},
        {"ids": [8], "labels": [8], "target": [1, 2], "label": 0},
    ], pad_id=9)  # fmt: skip
    expected = {
        "ids": [[5, 6, 7], [8, 9, 9]],
        "attention_mask": [[1, 1, 1], [1, 0, 0]],
        "labels": [[-100, 6, 7], [8, -100, -100]],
        "target": [[1, 9], [1, 2]],
        "target_mask": [[1, 0], [1, 1]],
        "label": [2, 0],
    }
    assert {name: tensor.tolist() for name, tensor in batch.items()} == expected
    assert all(tensor.dtype == torch.int64 for tensor in batch.values())


def test_examples_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="there are no examples to train on"):
        Examples([])
    with pytest.raises(ValueError, match="example 1 has the fields ids, and the first has ids, l"):
        Examples([{"ids": [1], "label": 0}, {"ids": [1]}])
