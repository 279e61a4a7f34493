"""One loop for every model of this book, from its settings to its checkpoints (chapter 6).

``config``       ``TrainingConfig``, which checks itself
``schedule``     the learning rate of each step
``optimizers``   AdamW and Muon; what decays and what does not
``objectives``   next token, masked tokens, target tokens, class label
``data``         windows of a text, examples in epochs
``evaluation``   loss, perplexity, bits per byte on held-out data
``history``      what happened, as JSON and as a plot
``trainer``      the loop
``checkpoints``  a run on disk, atomic and verified (``folders``)
``processes``    several processes, through Accelerate
``recipes``      the models that ship with the book; ``shipped`` loads them

``python -m llmbook.training NAME`` trains one of them. Not here: LoRA and preferences
(``llmbook.tuning``), generation (``llmbook.decoding``).
"""

from llmbook.training.config import TrainingConfig
from llmbook.training.data import Examples, TokenWindows
from llmbook.training.errors import CheckpointError, TrainingError
from llmbook.training.evaluation import Evaluation, HeldOut, evaluate
from llmbook.training.history import History
from llmbook.training.objectives import (
    IGNORED,
    ClassLabel,
    MaskedTokens,
    NextToken,
    Objective,
    TargetTokens,
)
from llmbook.training.optimizers import make_optimizers, parameter_groups
from llmbook.training.schedule import learning_rate
from llmbook.training.shipped import load, load_facts
from llmbook.training.trainer import Trainer

__all__ = [
    "IGNORED",
    "CheckpointError",
    "ClassLabel",
    "Evaluation",
    "Examples",
    "HeldOut",
    "History",
    "MaskedTokens",
    "NextToken",
    "Objective",
    "TargetTokens",
    "TokenWindows",
    "Trainer",
    "TrainingConfig",
    "TrainingError",
    "evaluate",
    "learning_rate",
    "load",
    "load_facts",
    "make_optimizers",
    "parameter_groups",
]
