"""Energy and emissions of a computation, from stated assumptions (chapter 11).

An assumption is a range. Ranges of independent factors are multiplied on a logarithmic scale, where
their widths add like the sides of a right angle.

Not here: a power meter. ``processor_energy`` reads the one that many Intel and AMD processors have,
where the system lets it; few laptops let an ordinary user.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

KILOWATT_HOUR = 3.6e6  # joules
RAPL = Path("/sys/class/powercap")


@dataclass(frozen=True)
class Range:
    """A positive factor that lies between ``low`` and ``high`` with a probability of 95 %.

    It is taken as log-normal: the middle is the geometric mean, as far from the one end as from
    the other in factors.

    Raises:
        ValueError: unless 0 < low <= high.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 < self.low <= self.high:
            raise ValueError(f"a range needs 0 < low <= high, not {self.low} and {self.high}")

    @property
    def middle(self) -> float:
        """The geometric mean of the two ends, in their unit."""
        return math.sqrt(self.low * self.high)

    @property
    def factor(self) -> float:
        """How far, as a factor, each end is from the middle."""
        return math.sqrt(self.high / self.low)

    def __mul__(self, other: Range | float) -> Range:
        """The range of the product of two independent factors, or of a multiple of one."""
        other = other if isinstance(other, Range) else Range(other, other)
        width = math.hypot(math.log(self.factor), math.log(other.factor))
        middle = self.middle * other.middle
        return Range(middle / math.exp(width), middle * math.exp(width))

    __rmul__ = __mul__

    def __str__(self) -> str:
        return f"{self.middle:.2g} [{self.low:.2g}, {self.high:.2g}]"


def processor_energy(folder: Path = RAPL) -> float | None:
    """Joules that the processors have taken since some moment; None where it cannot be read.

    The difference of two readings is the energy in between, of all that ran in the meantime. The
    counter starts again at zero now and then (running average power limit, RAPL).
    """
    total = 0.0
    packages = sorted(folder.glob("intel-rapl:[0-9]"))
    for package in packages:
        try:
            total += int((package / "energy_uj").read_text()) / 1e6
        except OSError:
            return None
    return total if packages else None
