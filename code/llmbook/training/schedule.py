"""The learning rate of each step: a straight warm-up, then half a cosine (chapter 6).

Large steps are harmful while Adam's averages are young, and useless at the end. The cosine is from
Loshchilov & Hutter (2017), without its restarts; the warm-up from Vaswani et al. (2017), 5.3.
"""

from __future__ import annotations

import math

from llmbook.training.config import TrainingConfig


def learning_rate(step: int, config: TrainingConfig) -> float:
    """The rate of step 0, 1, …, ``config.steps`` - 1.

    In the warm-up of W steps it is 1/W, 2/W, …, 1 of the highest: never 0, or the first batch would
    be read in vain. The last step has ``final_rate`` of the highest; so has each after it.
    """
    if step < config.warm_up:
        return config.learning_rate * (step + 1) / config.warm_up
    done = min((step + 1 - config.warm_up) / (config.steps - config.warm_up), 1.0)
    share = config.final_rate + (1 - config.final_rate) * (1 + math.cos(math.pi * done)) / 2
    return config.learning_rate * share
