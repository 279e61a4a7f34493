"""Which parameter gets which update: AdamW and Muon, with and without weight decay (chapter 6).

Weight decay pulls weights to 0. For a matrix that is a preference for small maps; a norm's scale, a
bias or a token's vector has no reason to be near 0 (as GPT-2's and nanoGPT's groups).
"""

from __future__ import annotations

import re

import torch
from torch import nn
from torch.optim import Optimizer

from llmbook.training.config import TrainingConfig

IN_BLOCK = re.compile(r"(^|\.)blocks\.\d+\.")
POSITION = re.compile(r"position", re.IGNORECASE)


def parameter_groups(model: nn.Module) -> dict[str, list[str]]:
    """Names of the trained parameters by what is done to them.

    "block matrices"  decay, and are what Muon is for
    "matrices"        decay: the other matrices, such as an output layer that is not tied
    "rest"            does not decay: biases, norms, embeddings, positions

    A tied parameter has the name of its first place, which in our models is the embedding. What
    does not require a gradient is left out.
    """
    embeddings = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, nn.Embedding)
        for parameter in module.parameters(recurse=False)
    }
    groups: dict[str, list[str]] = {"block matrices": [], "matrices": [], "rest": []}
    for name, parameter in model.named_parameters():  # each tensor once, tied or not
        if not parameter.requires_grad:
            continue
        if parameter.dim() < 2 or id(parameter) in embeddings or POSITION.search(name):
            groups["rest"].append(name)
        else:
            inside = IN_BLOCK.search(name) and parameter.dim() == 2
            groups["block matrices" if inside else "matrices"].append(name)
    return groups


def make_optimizers(model: nn.Module, config: TrainingConfig) -> list[Optimizer]:
    """AdamW (Loshchilov & Hutter 2019), or Muon for the block matrices and AdamW for the rest.

    Muon (Jordan et al. 2024) makes each update an orthogonal matrix. It is scaled to the size that
    AdamW's updates have (Liu et al. 2025, section 2.2), so both take the same learning rate.

    Raises:
        ValueError: if no parameter is left to train.
    """
    named = dict(model.named_parameters())
    groups = {
        kind: [named[name] for name in names] for kind, names in parameter_groups(model).items()
    }
    if not any(groups.values()):
        raise ValueError("no parameter requires a gradient: there is nothing to train")
    muon = groups.pop("block matrices") if config.optimizer == "muon" else []
    decayed = groups.pop("block matrices", []) + groups.pop("matrices")
    kinds = [
        {"params": decayed, "weight_decay": config.weight_decay},
        {"params": groups.pop("rest"), "weight_decay": 0.0},
    ]
    optimizers: list[Optimizer] = []
    if kinds := [kind for kind in kinds if kind["params"]]:
        optimizers.append(
            torch.optim.AdamW(kinds, lr=config.learning_rate, betas=config.betas, fused=True)
        )
    if muon:
        optimizers.append(
            torch.optim.Muon(
                muon,
                lr=config.learning_rate,
                weight_decay=config.weight_decay,
                adjust_lr_fn="match_rms_adamw",
            )
        )
    return optimizers
