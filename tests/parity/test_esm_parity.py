"""Our encoder with rotary positions equals Transformers' ESM, loaded from what we save."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForMaskedLM, EsmForMaskedLM

from llmbook.models import BertConfig, BertForMaskedTokens, save_esm, save_transformers, to_esm

CONFIG = BertConfig(
    vocab_size=50, context_length=12, d_model=24, num_heads=3, d_hidden=40, num_layers=2,
    norm_eps=1e-3, norm_first=True, positions="rotary", rotary_base=100.0, token_types=1,
    pooler=False, dropout=0.25)  # fmt: skip


def model() -> BertForMaskedTokens:
    """With every parameter away from its first value: zeros and ones hide mistakes."""
    torch.manual_seed(0)
    made = BertForMaskedTokens(CONFIG)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return made.eval()


def test_esm_loads_what_we_save(tmp_path: Path) -> None:
    """Also with padding, and with nothing missing, surplus or of another shape."""
    ours = model()
    save_esm(ours, tmp_path, pad_id=0, mask_id=1)
    theirs, report = AutoModelForMaskedLM.from_pretrained(tmp_path, output_loading_info=True)
    assert type(theirs) is EsmForMaskedLM and not any(report.values()), report
    ids, mask = torch.randint(50, (3, 9)), torch.ones(3, 9, dtype=torch.long)
    ids[0, :3], mask[1, 5:] = 1, 0
    there = theirs(ids, attention_mask=mask).logits
    torch.testing.assert_close(ours(ids, mask)[mask.bool()], there[mask.bool()],
                               rtol=1e-5, atol=1e-5)
    settings = theirs.config
    assert (settings.pad_token_id, settings.mask_token_id) == (0, 1)
    assert settings.rope_theta == 100.0  # the file has the angles' speeds, too
    assert settings.hidden_dropout_prob == settings.attention_probs_dropout_prob == 0.25


def test_names_are_those_of_esm(tmp_path: Path) -> None:
    save_esm(model(), tmp_path, pad_id=0, mask_id=1)
    theirs = EsmForMaskedLM.from_pretrained(tmp_path)
    assert to_esm(model()).keys() == theirs.state_dict().keys()


@pytest.mark.parametrize("change", [
    {"positions": "learned"}, {"norm": "rms_norm"}, {"norm_first": False}, {"bias": False},
    {"activation": "relu"}, {"token_types": 2}, {"pooler": True}, {"num_kv_heads": 1}])
def test_what_esm_cannot_do_is_an_error(change, tmp_path: Path) -> None:
    other = BertForMaskedTokens(replace(CONFIG, **change))
    name = re.sub("num_", "", next(iter(change)))
    with pytest.raises(ValueError, match=f"ESM needs {name} "):
        save_esm(other, tmp_path / "x", pad_id=0, mask_id=1)
    assert not (tmp_path / "x").exists()


def test_a_masked_encoder_that_bert_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Transformers has no such model: it needs bert's"):
        save_transformers(model(), tmp_path / "x")
    assert not (tmp_path / "x").exists()
