"""Where a small masked model stands still: ``python -m llmbook.studies.plateau``.

Three kinds of positions and two optimizers, three seeds each, on documentation strings. About
an hour of one core; ``--device cuda`` for an accelerator.
"""

from __future__ import annotations

from functools import cache, partial
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional as F

from llmbook import corpora
from llmbook.models import BertConfig, BertForMaskedTokens
from llmbook.studies import stored
from llmbook.studies.language_model import documentation_fingerprint as text
from llmbook.tokenizers import BPETokenizer, train_bpe
from llmbook.training import MaskedTokens, TokenWindows, Trainer, TrainingConfig
from llmbook.training.objectives import IGNORED

NAME = "plateau"
VOCAB_SIZE, CONTEXT, BATCH_SIZE, RATE, STEPS, EVERY = 2048, 64, 16, 1.5e-3, 2000, 100
SPECIAL = ("[SEP]", "[MASK]")
POSITIONS, OPTIMIZERS = ("learned", "rotary", "relative"), ("adamw", "muon")
SETTINGS = [
    {"optimizer": optimizer, "positions": positions, "seed": seed}
    for optimizer, positions, seed in product(OPTIMIZERS, POSITIONS, (1, 2, 3))
]


def config(positions: str) -> BertConfig:
    return BertConfig(
        vocab_size=VOCAB_SIZE, context_length=CONTEXT, d_model=128, num_heads=4, d_hidden=512,
        num_layers=4, norm_first=True, norm_eps=1e-5, positions=positions, dropout=0.0,
        token_types=1, pooler=False,
    )  # fmt: skip


@cache
def tokenizer() -> BPETokenizer:
    texts = (record.text for record in corpora.docstrings().split("train"))
    return train_bpe(texts, VOCAB_SIZE, SPECIAL)


@cache
def encoded(split: str) -> Tensor:
    """The documents of a split as one row of ids, [SEP] after each."""
    bpe = tokenizer()
    end = bpe.special_tokens["[SEP]"]
    documents = corpora.docstrings().split(split)
    return torch.tensor([i for document in documents for i in [*bpe.encode(document.text), end]])


def masked_tokens() -> MaskedTokens:
    special = tokenizer().special_tokens
    return MaskedTokens(special["[MASK]"], VOCAB_SIZE, tuple(special.values()), rate=0.2)


class Judge:
    """Looks at a model on 512 fixed windows, at what is hidden and what is not apart."""

    def __init__(self, ids: Tensor, objective: MaskedTokens, device: str) -> None:
        starts = torch.linspace(0, len(ids) - CONTEXT, 512).long()
        windows = ids[starts[:, None] + torch.arange(CONTEXT)]
        prepared = objective.prepare({"ids": windows}, torch.Generator().manual_seed(0))
        self.ids = prepared["ids"].to(device)
        self.chosen = (prepared["targets"] != IGNORED).to(device)
        self.targets = windows.to(device)[self.chosen]
        given = self.ids[self.chosen]
        self.hidden, self.given = given == objective.mask_id, given == self.targets

    @torch.no_grad()
    def __call__(self, model: BertForMaskedTokens) -> dict[str, float]:
        """Losses in nats; ``information``: how much the answers differ by their context, in nats.

        It is the mean Kullback-Leibler divergence of an answer from the mean answer: 0 if the
        model says the same of every hidden token.
        """
        model.eval()
        parts = zip(self.ids.split(64), self.chosen.split(64), strict=True)
        log_p = torch.cat([model(ids)[chosen].log_softmax(-1) for ids, chosen in parts])
        model.train()
        losses = F.nll_loss(log_p, self.targets, reduction="none")
        answers = log_p[self.hidden]
        mean = answers.exp().mean(0).log()
        right = (log_p.argmax(-1) == self.targets).float()
        found = {
            "loss": losses.mean(),
            "hidden": losses[self.hidden].mean(),
            "hidden_right": right[self.hidden].mean(),
            "given_right": right[self.given].mean(),
            "information": F.kl_div(mean.expand_as(answers), answers, log_target=True,
                                    reduction="batchmean"),
        }  # fmt: skip
        return {name: round(value.item(), 4) for name, value in found.items()}


def run(optimizer: str, positions: str, seed: int, device: str = "cpu") -> stored.Row:
    """Train one model and judge it every ``EVERY`` steps; the rate is constant after a warm-up."""
    objective = masked_tokens()
    judge = Judge(encoded("validation"), objective, device)
    torch.manual_seed(seed)
    model = BertForMaskedTokens(config(positions)).to(device)
    settings = TrainingConfig(
        steps=STEPS, batch_size=BATCH_SIZE, learning_rate=RATE, final_rate=1.0, warm_up=100,
        weight_decay=0.01, betas=(0.9, 0.98), optimizer=optimizer, seed=seed,
    )  # fmt: skip
    data = TokenWindows(encoded("train"), CONTEXT, seed)
    trainer = Trainer(model, objective, data, settings, quiet=True)
    curve = []
    for step in range(EVERY, STEPS + 1, EVERY):
        trainer.fit(until=step)
        curve.append({"step": step, **judge(model)})
    return {"curve": curve, "cpu_seconds": round(trainer.history.cpu_seconds)}


if __name__ == "__main__":
    stored.main(NAME, text(), SETTINGS, partial(run, device=stored.device()))
