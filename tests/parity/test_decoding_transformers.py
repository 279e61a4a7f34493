"""Decoding against Transformers' ``generate`` and its logits processors, with the same weights.

Ids are equal; distributions are equal bit for bit. Weights are random, nothing is downloaded.
"""

from __future__ import annotations

from itertools import chain

import pytest
import torch
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM
from transformers.generation.logits_process import (
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from llmbook.decoding import (
    Sampling,
    Written,
    apply_temperature,
    beam_search,
    generate,
    keep_top_k,
    keep_top_p,
    penalize_repetition,
    seen_tokens,
)
from llmbook.decoding.reading import pad_left
from llmbook.models import GPT, GPTConfig, load_weights

SIZE, CONTEXT, PAD = 40, 48, 39
PROMPTS = [[3, 1, 4, 1, 5, 9, 2], [6], [5, 3, 5, 8], [8, 8]]


def redraw(model: torch.nn.Module, seed: int) -> torch.nn.Module:
    """Weights from N(0, 0.3²), biases from N(0, 0.1²): what is written is not one token."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            is_norm = "norm" in name or "ln_" in name
            spread = 0.1 if name.endswith("bias") else 0.3
            parameter.normal_(1.0 if is_norm and name.endswith("weight") else 0.0, spread)
    return model.eval()


def gpt2(seed: int = 0) -> tuple[GPT, GPT2LMHeadModel]:
    theirs = redraw(GPT2LMHeadModel(GPT2Config(
        vocab_size=SIZE, n_positions=CONTEXT, n_embd=24, n_layer=2, n_head=4,
        bos_token_id=None, eos_token_id=None, tie_word_embeddings=False)), seed)
    ours = GPT(GPTConfig.gpt2(vocab_size=SIZE, context_length=CONTEXT, d_model=24, num_layers=2,
                              num_heads=4, tie_embeddings=False))
    load_weights(ours, theirs.state_dict())
    return ours, theirs


def llama(seed: int = 0) -> tuple[GPT, LlamaForCausalLM]:
    theirs = redraw(LlamaForCausalLM(LlamaConfig(
        vocab_size=SIZE, max_position_embeddings=CONTEXT, hidden_size=24, num_hidden_layers=2,
        num_attention_heads=6, num_key_value_heads=2, intermediate_size=40, pad_token_id=None,
        bos_token_id=None, eos_token_id=None)), seed)
    ours = GPT(GPTConfig.modern(vocab_size=SIZE, context_length=CONTEXT, d_model=24, num_layers=2,
                                num_heads=6, num_kv_heads=2, d_hidden=40, norm_eps=1e-6,
                                tie_embeddings=False))
    load_weights(ours, theirs.state_dict())
    return ours, theirs


every_model = pytest.mark.parametrize("make", [gpt2, llama])


def their_answers(theirs, prompts: list[list[int]], **settings) -> list[list[int]]:
    """What ``generate`` appends, cut after the end token: what follows it is padding."""
    ids, mask = pad_left(prompts)
    written = theirs.generate(ids, attention_mask=mask, pad_token_id=PAD, **settings)
    rows = written[:, ids.shape[1] :].tolist()
    end_id = settings.get("eos_token_id")
    cut = [row.index(end_id) + 1 if end_id in row else len(row) for row in rows]
    assert all(set(row[n:]) <= {PAD, end_id} for row, n in zip(rows, cut, strict=True))
    return [row[:n] for row, n in zip(rows, cut, strict=True)]


def ids(found: list[Written]) -> list[list[int]]:
    return [row.ids for row in found]


# Greedy


@every_model
@pytest.mark.parametrize("penalty", [1.0, 1.3])
def test_greedy_is_transformers(make, penalty: float) -> None:
    """Alone and in a batch of unequal prompts, with and without a repetition penalty."""
    ours, theirs = make()
    their = {"max_new_tokens": 30, "do_sample": False, "repetition_penalty": penalty}
    found = generate(ours, PROMPTS, max_new_tokens=30, repetition_penalty=penalty)
    assert ids(found) == their_answers(theirs, PROMPTS, **their)
    assert len({*chain(*ids(found))}) > 5
    for prompt, row in zip(PROMPTS, found, strict=True):
        assert [row.ids] == their_answers(theirs, [prompt], **their)


@every_model
@pytest.mark.parametrize("seed", range(3))
def test_greedy_ends_where_transformers_does(make, seed: int) -> None:
    """The end token is one that the batch writes early in some rows."""
    ours, theirs = make(seed)
    written = ids(generate(ours, PROMPTS, max_new_tokens=30))
    for end_id in sorted({row[5] for row in written}):
        found = generate(ours, PROMPTS, max_new_tokens=30, end_id=end_id)
        assert ids(found) == their_answers(theirs, PROMPTS, max_new_tokens=30, do_sample=False,
                                           eos_token_id=end_id)
        assert {row.reason for row in found} >= {"end"}


# Beams


@every_model
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("beams", [1, 2, 5])
@pytest.mark.parametrize("length_penalty", [0.0, 1.0, 2.5, -1.0])
def test_beam_search_is_transformers(make, seed: int, beams: int, length_penalty: float) -> None:
    """All beams and their scores, in a batch with an end token that is written, and alone."""
    ours, theirs = make(seed)
    end_id = generate(ours, PROMPTS, max_new_tokens=4)[0].ids[-1]
    their = {"max_new_tokens": 12, "num_beams": beams, "length_penalty": length_penalty,
             "do_sample": False, "eos_token_id": end_id}
    if beams == 1:  # Transformers then takes its greedy search, which has no score
        found = beam_search(ours, PROMPTS, beams=1, max_new_tokens=12, end_id=end_id,
                            length_penalty=length_penalty)
        assert [row[0].ids for row in found] == their_answers(theirs, PROMPTS, **their)
        return
    for prompts in (PROMPTS, PROMPTS[:1]):
        found = list(chain(*beam_search(ours, prompts, beams=beams, max_new_tokens=12,
                                        end_id=end_id, length_penalty=length_penalty)))
        expected = their_answers(theirs, prompts, **their, num_return_sequences=beams)
        assert [answer.ids for answer in found] == expected
        tokens, mask = pad_left(prompts)
        scores = theirs.generate(tokens, attention_mask=mask, pad_token_id=PAD, **their,
                                 num_return_sequences=beams, return_dict_in_generate=True,
                                 output_scores=True).sequences_scores
        torch.testing.assert_close(torch.tensor([answer.score for answer in found]), scores,
                                   rtol=1e-5, atol=1e-5)


@every_model
def test_beam_search_without_an_end_is_transformers(make) -> None:
    ours, theirs = make()
    found = beam_search(ours, PROMPTS, beams=4, max_new_tokens=10)
    expected = their_answers(theirs, PROMPTS, max_new_tokens=10, num_beams=4, do_sample=False,
                             num_return_sequences=4)
    assert [answer.ids for row in found for answer in row] == expected


# Samplers


LOGITS = [torch.randn(5, 50, generator=torch.Generator().manual_seed(seed)) * spread
          for seed, spread in enumerate((1.0, 4.0, 0.01))]
LOGITS.append((LOGITS[1] * 2).round() / 2)  # with many ties


@pytest.mark.parametrize("logits", LOGITS)
def test_each_function_is_their_processor(logits: Tensor) -> None:
    """Bit for bit, ties included."""
    nothing = torch.zeros(5, 1, dtype=torch.long)
    for value in (0.1, 0.7, 1.0, 3.0):
        assert torch.equal(apply_temperature(logits, value),
                           TemperatureLogitsWarper(value)(nothing, logits))
    for k in (1, 2, 7, 50, 99):
        assert torch.equal(keep_top_k(logits, k), TopKLogitsWarper(k)(nothing, logits))
    for p in (1e-6, 0.1, 0.5, 0.9, 0.999, 1.0):
        assert torch.equal(keep_top_p(logits, p), TopPLogitsWarper(p)(nothing, logits))


@pytest.mark.parametrize("logits", LOGITS)
@pytest.mark.parametrize("penalty", [0.8, 1.0, 1.2, 2.0])
def test_repetition_penalty_is_theirs(logits: Tensor, penalty: float) -> None:
    """With tokens that repeat, and with padding on the left, which they pass as its length."""
    generator = torch.Generator().manual_seed(9)
    tokens = torch.randint(50, (5, 8), generator=generator)
    expected = RepetitionPenaltyLogitsProcessor(penalty)(tokens, logits)
    assert torch.equal(penalize_repetition(logits, seen_tokens(tokens, 50), penalty), expected)
    padding = torch.tensor([0, 3, 1, 7, 2])
    mask = (torch.arange(8) >= padding[:, None]).long()
    expected = RepetitionPenaltyLogitsProcessor(penalty, padding)(tokens, logits)
    found = penalize_repetition(logits, seen_tokens(tokens, 50, mask), penalty)
    assert torch.equal(found, expected)


@pytest.mark.parametrize("logits", LOGITS)
@pytest.mark.parametrize("settings", [
    {}, {"temperature": 0.6}, {"top_k": 5}, {"top_p": 0.8}, {"temperature": 0.5, "top_p": 0.9},
    {"temperature": 2.0, "top_k": 10, "top_p": 0.7}])
def test_their_distribution_in_the_order_of_their_generate(logits: Tensor, settings: dict) -> None:
    """The processors are those that ``generate`` makes of these settings, in its order."""
    _, theirs = gpt2()
    config, _ = theirs._prepare_generation_config(None, do_sample=True, **{"top_k": 0} | settings)
    theirs._prepare_special_tokens(config, device="cpu")
    processors = theirs._get_logits_processor(config, input_ids_seq_length=1, device="cpu")
    assert isinstance(processors, LogitsProcessorList) and len(processors) == len(settings)
    expected = processors(torch.zeros(5, 1, dtype=torch.long), logits).softmax(-1)
    assert torch.equal(Sampling(**settings).filter(logits).softmax(-1), expected)


@every_model
def test_sampled_text_is_theirs_from_the_same_random_numbers(make) -> None:
    """Transformers draws from the global generator; ours is given one in the same state."""
    ours, theirs = make()
    their = {"do_sample": True, "temperature": 1.5, "top_k": 20, "top_p": 0.9,
             "repetition_penalty": 1.2, "max_new_tokens": 20}
    torch.manual_seed(5)
    expected = their_answers(theirs, PROMPTS, **their)
    found = generate(ours, PROMPTS, max_new_tokens=20, repetition_penalty=1.2,
                     sampling=Sampling(temperature=1.5, top_k=20, top_p=0.9),
                     generator=torch.Generator().manual_seed(5))
    assert ids(found) == expected
