"""The memory of tensors, against sizes that can be worked out on paper."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from llmbook.attention import scaled_dot_product_attention
from llmbook.measure import fastest, peak_bytes

MILLION = torch.zeros(1000, 1000)  # 4,000,000 bytes


def test_two_terms_and_their_sum() -> None:
    """1000 x 1000 floats of 4 bytes, three times."""
    assert peak_bytes(lambda: torch.zeros(1000, 1000) + torch.ones(1000, 1000)) == 12_000_000


def test_what_was_there_before_and_views_take_nothing() -> None:
    assert peak_bytes(lambda: MILLION.T.reshape(-1)[:10]) == 4_000_000
    assert peak_bytes(lambda: MILLION[10:].view(-1)) == 0
    assert peak_bytes(lambda: MILLION.add_(1)) == 0


def test_what_died_no_longer_counts() -> None:
    """Each step of the chain holds its input and its output: two tensors, however long it is."""

    def chain() -> torch.Tensor:
        x = MILLION + 1
        for _ in range(5):
            x = x * 2
        return x

    assert peak_bytes(chain) == 8_000_000


def test_a_second_call_begins_at_nothing() -> None:
    assert [peak_bytes(lambda: MILLION + 1) for _ in range(3)] == [4_000_000] * 3


@pytest.mark.parametrize("length", [64, 256])
def test_attention_holds_two_tables_of_scores(length: int) -> None:
    """The readable path: H T x T tables of 4 bytes an entry, twice; the fused one: none."""
    query, key, value = torch.randn(3, 1, 2, length, 8)
    table = 2 * length * length * 4
    readable = peak_bytes(lambda: scaled_dot_product_attention(query, key, value))
    fused = peak_bytes(lambda: F.scaled_dot_product_attention(query, key, value))
    assert 2 * table <= readable < 2 * table + table / 2
    assert fused <= 2 * length * 8 * 4 + 2 * length * 4  # the output, and a number for each row


def test_the_least_time_of_each_function_after_one_run_that_does_not_count() -> None:
    """A clock that the functions move: 9 s the first time, then 3, 2, 4 and 1, 1, 1."""
    now, calls = [0.0], []
    slow, quick = iter([9.0, 3.0, 2.0, 4.0]), iter([9.0, 1.0, 1.0, 1.0])

    def takes(name: str, times) -> None:
        calls.append(name)
        now[0] += next(times)

    found = fastest(
        {"slow": lambda: takes("slow", slow), "quick": lambda: takes("quick", quick)},
        repeats=3, clock=lambda: now[0],
    )  # fmt: skip
    assert found == {"slow": 2.0, "quick": 1.0}
    assert calls == ["slow", "quick"] * 4  # taking turns
    with pytest.raises(ValueError, match="nothing to measure"):
        fastest({})
