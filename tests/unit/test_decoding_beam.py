"""Beam search on chains whose best answers can be worked out by hand."""

from __future__ import annotations

from itertools import chain, product
from math import exp, log

import pytest
import torch
from decoding_toys import bigram, uneven
from test_decoding_generate import CONFIGS, GPT2, PROMPTS, seq2seq

from llmbook.decoding import Hypothesis, beam_search, generate
from llmbook.models import GPT, GPTConfig

END = 5
O = 1e-12  # noqa: E741  never
# After 0: 1 or 2. After 1 all is uncertain, after 2 a 3 is sure: 0.6 · 0.4 < 0.4 · 1.
GARDEN_PATH = [
    [O, 0.6, 0.4, O, O, O],
    [0.1, O, 0.2, 0.3, 0.4, O],
    [O, O, O, 1, O, O],
    [O, O, O, O, O, 1],
    [O, O, O, O, O, 1],
    [1, O, O, O, O, O],
]


def near(found: float, expected: float) -> None:
    assert found == pytest.approx(expected, abs=1e-5)


def test_two_beams_see_what_greedy_misses() -> None:
    """Greedy goes 1, 4 with 0.6 · 0.4 = 0.24; two beams find 2, 3 with 0.4."""
    model = bigram(GARDEN_PATH)
    settings = {"max_new_tokens": 3, "end_id": END}
    assert generate(model, [[0]], **settings)[0].ids == [1, 4, END]
    (one,) = beam_search(model, [[0]], beams=1, **settings)
    assert [found.ids for found in one] == [[1, 4, END]]
    (two,) = beam_search(model, [[0]], beams=2, **settings)
    assert [found.ids for found in two] == [[2, 3, END], [1, 4, END]]
    near(exp(two[0].log_prob), 0.4)
    near(exp(two[1].log_prob), 0.24)
    near(two[0].score, log(0.4) / 3)


def test_the_length_penalty_decides_between_short_and_long() -> None:
    """Ending at once has 0.4; going on, 0.6 · 0.6 · 1 = 0.36, in 3 tokens.

    Sums: log 0.4 > log 0.36, the short one wins. Means: log 0.4 / 1 < log 0.36 / 3, the long one.
    """
    model = bigram([
        [O, 0.6, O, O, O, 0.4],
        [O, O, 0.6, 0.4, O, O],
        [O, O, O, O, O, 1],
        [O, O, O, O, 1, O],
        [O, O, O, O, O, 1],
        [1, O, O, O, O, O],
    ])  # fmt: skip
    best = {}
    for penalty in (0.0, 1.0):
        (found,) = beam_search(model, [[0]], beams=2, max_new_tokens=3, end_id=END,
                               length_penalty=penalty)
        best[penalty] = found[0].ids
        for answer in found:
            near(answer.score, answer.log_prob / len(answer.ids) ** penalty)
    assert best == {0.0: [END], 1.0: [1, 2, END]}


def test_a_finished_beam_is_not_continued() -> None:
    """After the end token the chain would go on with probability 1; no answer does.

    Here every answer has one END, at its end, and those cut by the limit have none.
    """
    table = torch.full((8, 8), 0.1)
    table[:, END] = 0.3
    table[END] = torch.tensor([O, 1, O, O, O, O, O, O])
    model = bigram(table.tolist())
    (found,) = beam_search(model, [[0]], beams=4, max_new_tokens=6, end_id=END)
    assert len(found) == 4 and any(END in answer.ids for answer in found)
    for answer in found:
        assert END not in answer.ids[:-1]
        assert answer.ids[-1] == END or len(answer.ids) == 6


def every_answer(model: GPT, prompt: list[int], length: int) -> list[Hypothesis]:
    """All V^length continuations, with the whole model."""
    size, found = model.config.vocab_size, []
    for ids in product(range(size), repeat=length):
        with torch.no_grad():
            logits = model(torch.tensor([[*prompt, *ids[:-1]]]))[0, len(prompt) - 1 :]
        log_prob = logits.log_softmax(-1)[range(length), list(ids)].sum().item()
        found.append(Hypothesis(list(ids), log_prob, log_prob / length))
    return sorted(found, key=lambda answer: -answer.score)


def test_with_beams_for_all_beginnings_the_search_is_exhaustive() -> None:
    """6 tokens, 3 beams, 2 steps: all V beginnings have their places among 2 · 3 candidates.

    With 3 of 6 beginnings followed the best answer may be missed in general; in this model not,
    and all 36 answers are computed to see it.
    """
    config = GPTConfig.gpt2(vocab_size=6, context_length=8, d_model=16, num_layers=2, num_heads=4,
                            dropout=0.0, tie_embeddings=False)
    model = uneven(config)
    (found,) = beam_search(model, [[3, 1]], beams=3, max_new_tokens=2)
    expected = every_answer(model, [3, 1], 2)[:3]
    assert [answer.ids for answer in found] == [answer.ids for answer in expected]
    for answer, oracle in zip(found, expected, strict=True):
        near(answer.log_prob, oracle.log_prob)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_one_beam_is_greedy_and_scores_are_the_models(config: GPTConfig) -> None:
    """One beam writes greedily; of any beam the sum of log probabilities is the model's own."""
    model = uneven(config)
    greedy = generate(model, PROMPTS, max_new_tokens=8)
    found = beam_search(model, PROMPTS, beams=1, max_new_tokens=8)
    assert [answers[0].ids for answers in found] == [row.ids for row in greedy]
    for prompt, answers in zip(PROMPTS, beam_search(model, PROMPTS, beams=3, max_new_tokens=8),
                               strict=True):
        assert len(answers) == 3
        assert sorted(answers, key=lambda a: -a.score) == answers
        for answer in answers:
            with torch.no_grad():
                logits = model(torch.tensor([prompt + answer.ids]))[0, len(prompt) - 1 : -1]
            picked = logits.log_softmax(-1)[range(8), answer.ids]
            near(answer.log_prob, picked.sum().item())
            near(answer.score, answer.log_prob / 8)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_a_batch_is_each_prompt_alone_and_the_cache_changes_nothing(config: GPTConfig) -> None:
    """With an end token that is written, so that searches end at different steps."""
    model = uneven(config)
    end_id = generate(model, PROMPTS, max_new_tokens=3)[0].ids[-1]
    settings = {"beams": 3, "max_new_tokens": 8, "end_id": end_id}
    expected = [beam_search(model, [prompt], **settings, cached=False)[0] for prompt in PROMPTS]
    for cached in (True, False):
        found = beam_search(model, PROMPTS, **settings, cached=cached)
        assert [[a.ids for a in row] for row in found] == [[a.ids for a in r] for r in expected]
        for answer, oracle in zip(chain(*found), chain(*expected), strict=True):
            near(answer.log_prob, oracle.log_prob)


def test_each_prompt_has_its_own_room_in_the_context() -> None:
    """24 places: 7, 1 and 4 tokens leave 17, 23 and 20."""
    found = beam_search(uneven(GPT2), PROMPTS, beams=2, max_new_tokens=99)
    assert [{len(answer.ids) for answer in row} for row in found] == [{17}, {23}, {20}]


@pytest.mark.parametrize("cached", [True, False])
def test_a_seq2seq_is_searched_too(cached: bool) -> None:
    """A batch of sources as each alone; one beam as greedy; log probabilities are the model's."""
    model, sources = seq2seq(), [[3, 1, 4, 1, 5], [9], [2, 6]]
    settings = {"max_new_tokens": 6, "start_id": 1, "cached": cached}
    found = beam_search(model, sources, beams=3, **settings)
    assert [a.ids for row in found for a in row] == [
        a.ids for s in sources for a in beam_search(model, [s], beams=3, **settings)[0]]
    one = beam_search(model, sources, beams=1, **settings)
    assert [row[0].ids for row in one] == [r.ids for r in generate(model, sources, **settings)]
    best = found[0][0]
    with torch.no_grad():
        logits = model(torch.tensor(sources[:1]), torch.tensor([[1, *best.ids[:-1]]]))[0]
    near(best.log_prob, logits.log_softmax(-1)[range(6), best.ids].sum().item())


def test_the_mode_comes_back() -> None:
    model = uneven(GPT2).train()
    beam_search(model, PROMPTS, beams=2, max_new_tokens=3)
    assert all(module.training for module in model.modules())
    model(torch.tensor([[1, 2]])).sum().backward()


@pytest.mark.parametrize(("wrong", "message"), [
    ({"beams": 0}, r"beams \(0\) must be at least 1, and at most half of the vocabulary"),
    ({"beams": 16}, r"beams \(16\) must be at least 1, and at most half of the vocabulary"),
    ({"max_new_tokens": 0}, r"max_new_tokens \(0\) must be at least 1"),
    ({"end_id": 30}, r"end_id \(30\) is outside the vocabulary"),
    ({"start_id": 3}, "start_id is for a Seq2Seq"),
    ({"prompts": [[]]}, "prompt 0 is empty"),
    ({"prompts": [[1] * 24]}, "prompt 0 has 24 tokens, which leaves no room in the context")])
def test_impossible_settings_are_an_error(wrong: dict, message: str) -> None:
    settings = {"prompts": [[1]], "beams": 2, "max_new_tokens": 2} | wrong
    with pytest.raises(ValueError, match=message):
        beam_search(uneven(GPT2), **settings)
