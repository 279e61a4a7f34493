"""The log-probability of an answer, and the loss of a pair, as Transformers' models give them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F
from transformers import AutoModelForCausalLM

from llmbook.models import GPT, GPTConfig, save_transformers
from llmbook.tokenizers import train_bpe
from llmbook.training import Examples
from llmbook.tuning import DPO, Preference, encode_preferences, reference_log_probs

END = "<|endoftext|>"
PAIRS = [Preference("Two?", "yes", "no no no"), Preference("One or two?", "no no", "yes")]


def test_dpo_of_two_models_of_transformers(tmp_path: Path) -> None:
    """Row by row, without padding, from their mean losses; a policy that is not the reference."""
    tokenizer = train_bpe(["Question: Answer: yes no " * 20], 290, (END,))
    examples = encode_preferences(tokenizer, PAIRS)
    ours, theirs = [], []
    for seed in range(2):
        torch.manual_seed(seed)
        ours.append(GPT(GPTConfig.modern(vocab_size=290, context_length=64, d_model=32,
                                         num_layers=2, num_heads=4)))  # fmt: skip
        save_transformers(ours[seed], tmp_path / str(seed))
        theirs.append(AutoModelForCausalLM.from_pretrained(tmp_path / str(seed)))

    @torch.no_grad()
    def log_prob(model: torch.nn.Module, example: dict, side: str) -> float:
        ids = torch.tensor([example[side]])
        labels = ids.clone()
        labels[:, : example["prompt"]] = -100
        return -model(ids, labels=labels).loss * (ids.shape[1] - example["prompt"])

    wanted = 0.0
    for example in examples:
        moved = [log_prob(theirs[1], example, side) - log_prob(theirs[0], example, side)
                 for side in ("chosen", "rejected")]  # fmt: skip
        wanted -= float(F.logsigmoid(0.7 * (moved[0] - moved[1])))
    objective = DPO(reference_log_probs(ours[0], examples), beta=0.7)
    loss, number = objective(ours[1], Examples(examples, seed=1).draw(2))
    assert number == 2
    assert loss.item() == pytest.approx(wanted, abs=1e-4)
