"""Repositories on disk: what is written is what Transformers reads; a hash follows every byte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from llmbook.hub import (
    attempt,
    commit,
    probe_difference,
    save_probe,
    save_tokenizer,
    sha256,
    with_settings,
)
from llmbook.models import GPT, GPTConfig, save_transformers
from llmbook.tokenizers import train_bpe

SPECIAL = ("[PAD]", "[MASK]", "[CLS]", "[SEP]")


def small(seed: int) -> GPT:
    torch.manual_seed(seed)
    return GPT(GPTConfig.modern(vocab_size=40, context_length=16, d_model=24, num_heads=2,
                                num_layers=1)).eval()


def test_an_attempt_gives_a_value_or_one_line(tmp_path: Path) -> None:
    assert attempt(lambda: 7) == (7, "loaded")

    def fail() -> None:
        raise OSError(f"no {tmp_path}/file at https://example.org/x, really\nand more")

    value, line = attempt(fail, hide=tmp_path)
    assert value is None and line == "OSError: no …/file at … really"
    assert attempt(fail, hide=tmp_path, width=12)[1] == "OSError: no …/file …"
    assert attempt(lambda: next(iter([])))[1] == "StopIteration: "


def test_a_tokenizer_for_transformers(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    ours = train_bpe(["the sum of the two arrays and the mean"] * 3, 280, SPECIAL)
    save_tokenizer(ours, tmp_path / "plain", mask_token="[MASK]", model_max_length=9)
    save_tokenizer(ours, tmp_path / "around", around=("[CLS]", "[SEP]"), mask_token="[MASK]")
    text = "the mean[MASK] of"
    ids = ours.encode(text, allow_special=True)
    plain = AutoTokenizer.from_pretrained(tmp_path / "plain")
    assert plain(text)["input_ids"] == ids and plain.model_max_length == 9
    assert plain.mask_token_id == ours.special_tokens["[MASK]"]
    around = AutoTokenizer.from_pretrained(tmp_path / "around")(text)["input_ids"]
    assert around == [ours.special_tokens["[CLS]"], *ids, ours.special_tokens["[SEP]"]]


@pytest.mark.parametrize("around", [("[CLS]",), ("[CLS]", "[NONE]")])
def test_what_stands_around_a_text_must_be_tokens(around, tmp_path: Path) -> None:
    ours = train_bpe(["a b"], 260, SPECIAL)
    with pytest.raises(ValueError, match="around must be two tokens of the vocabulary"):
        save_tokenizer(ours, tmp_path, around=around)


class Theirs(nn.Module):
    """Gives a tuple, as the models of Transformers do; each output depends on its own id."""

    def forward(self, ids):
        return (ids[..., None].float() * torch.tensor([1.0, 10.0]),)


def test_a_probe_finds_a_difference_within_its_length(tmp_path: Path) -> None:
    ids = torch.tensor([[1, 2, 3]])
    expected = Theirs()(ids)[0]
    expected[0, 2, 0] += 0.5
    save_probe(tmp_path, ids, expected)
    assert probe_difference(tmp_path, Theirs()) == 0.5
    assert probe_difference(tmp_path, Theirs(), length=2) == 0.0


def test_other_settings_in_a_copy(tmp_path: Path) -> None:
    save_transformers(small(0), tmp_path / "a")
    before = sha256(tmp_path / "a")
    copy = with_settings(tmp_path / "a", tmp_path / "b", rms_norm_eps=0.5, new=1)
    settings = json.loads((copy / "config.json").read_text())
    assert settings["rms_norm_eps"] == 0.5 and settings["new"] == 1 and settings["vocab_size"] == 40
    assert sha256(tmp_path / "a") == before
    assert sha256(copy)["model.safetensors"] == before["model.safetensors"]
    assert sha256(copy)["config.json"] != before["config.json"]


def test_sha256_of_a_known_file(tmp_path: Path) -> None:
    """FIPS 180-2, appendix B.1."""
    (tmp_path / "abc").write_text("abc")
    (tmp_path / "inner").mkdir()
    assert sha256(tmp_path) == {
        "abc": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}


def test_a_name_moves_and_a_hash_does_not(tmp_path: Path, monkeypatch) -> None:
    from transformers import AutoModelForCausalLM

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)  # else it asks and waits

    def theirs(**revision):
        model = AutoModelForCausalLM.from_pretrained(
            "reader/small", cache_dir=tmp_path / "hub", local_files_only=True, **revision)
        return model(torch.arange(8)[None]).logits

    hashes = []
    for seed in (0, 1):
        save_transformers(small(seed), tmp_path / str(seed))
        hashes.append(commit(tmp_path / str(seed), tmp_path / "hub", "reader/small"))
        torch.testing.assert_close(theirs(), small(seed)(torch.arange(8)[None]))
    assert len(set(hashes)) == 2 and all(len(h) == 40 for h in hashes)
    torch.testing.assert_close(theirs(revision=hashes[0]), small(0)(torch.arange(8)[None]))
    assert commit(tmp_path / "0", tmp_path / "hub", "reader/small") == hashes[0]
    (tmp_path / "0" / "README.md").write_text("one byte more")
    assert commit(tmp_path / "0", tmp_path / "hub", "reader/small") not in hashes
