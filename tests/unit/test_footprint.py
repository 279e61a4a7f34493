"""Ranges multiply as their logarithms add, and a meter that cannot be read says so."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from llmbook.footprint import KILOWATT_HOUR, Range, processor_energy


def test_the_middle_is_as_far_from_both_ends() -> None:
    it = Range(2, 32)
    assert it.middle == 8
    assert it.factor == 4  # 8 / 2 and 32 / 8
    assert str(it) == "8 [2, 32]"


def test_a_kilowatt_hour_is_a_thousand_watts_for_3600_seconds() -> None:
    assert KILOWATT_HOUR == 1000 * 3600


def test_a_multiple_moves_both_ends() -> None:
    assert (3 * Range(1, 4)).low == pytest.approx(3)
    assert (Range(1, 4) * 3).high == pytest.approx(12)


def test_the_product_of_two_ranges_is_that_of_log_normal_draws() -> None:
    """Widths ln 2 and ln 3: together exp(sqrt(ln² 2 + ln² 3)) = 3.66, not 6."""
    product = Range(1, 4) * Range(1, 9)
    assert product.middle == pytest.approx(2 * 3)
    assert product.factor == pytest.approx(math.exp(math.hypot(math.log(2), math.log(3))))
    random = np.random.default_rng(0)
    draws = np.exp(random.normal(math.log(2), math.log(2) / 1.96, 400_000)
                   + random.normal(math.log(3), math.log(3) / 1.96, 400_000))  # fmt: skip
    low, high = np.quantile(draws, (0.025, 0.975))
    assert product.low == pytest.approx(low, rel=0.02)
    assert product.high == pytest.approx(high, rel=0.02)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-1, 1), (2, 1)])
def test_what_is_no_range_is_refused(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="0 < low <= high"):
        Range(low, high)


def test_packages_are_added_in_joules(tmp_path: Path) -> None:
    for name, microjoules in (("intel-rapl:0", 2_000_000), ("intel-rapl:1", 500_000),
                              ("intel-rapl:0:0", 9_000_000)):  # fmt: skip
        (tmp_path / name).mkdir()
        (tmp_path / name / "energy_uj").write_text(f"{microjoules}\n")
    assert processor_energy(tmp_path) == 2.5  # a part of a package is not counted again


def test_without_a_counter_or_without_permission_there_is_none(tmp_path: Path) -> None:
    assert processor_energy(tmp_path) is None
    (tmp_path / "intel-rapl:0").mkdir()
    assert processor_energy(tmp_path) is None
