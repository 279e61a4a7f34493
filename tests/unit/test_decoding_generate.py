"""Writing with a GPT and a Seq2Seq: cache, batches, ends, the context, modes, bad input."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

import pytest
import torch
from decoding_toys import bigram, next_logits, scripted, uneven
from torch import nn

from llmbook.decoding import Sampling, Written, generate
from llmbook.decoding.reading import GPTReader
from llmbook.decoding.step import FastStep
from llmbook.models import GPT, GPTConfig, Seq2Seq, Seq2SeqConfig

SIZES = {"vocab_size": 30, "context_length": 24, "d_model": 16, "num_layers": 2, "num_heads": 4}
GPT2 = GPTConfig.gpt2(**SIZES, dropout=0.0, tie_embeddings=False)
MODERN = GPTConfig.modern(**SIZES, tie_embeddings=False)
CONFIGS = {
    "gpt2": GPT2,
    "tied": replace(GPT2, tie_embeddings=True),
    "modern": MODERN,
    "one key head": replace(MODERN, num_kv_heads=1),
    "sinusoidal": replace(GPT2, positions="sinusoidal"),
    "none": replace(GPT2, positions="none"),
    "relative": replace(GPT2, positions="relative"),
    "post-norm": replace(GPT2, norm_first=False),
    "modern, post-norm, learned": replace(MODERN, positions="learned", norm_first=False),
    "rotary, exact gelu, bias": replace(GPT2, positions="rotary", activation="gelu"),
}
every_config = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
PROMPTS = [[3, 1, 4, 1, 5, 9, 2], [6], [5, 3, 5, 8]]


def by_hand(model: GPT, prompt: list[int], new: int) -> list[int]:
    """Greedy, with the whole model for each token."""
    ids = list(prompt)
    for _ in range(new):
        ids.append(int(next_logits(model, ids).argmax()))
    return ids[len(prompt) :]


def ids(found: list[Written]) -> list[list[int]]:
    return [row.ids for row in found]


@every_config
@pytest.mark.parametrize("cached", [True, False])
def test_greedy_is_the_argmax_of_the_model_alone_and_in_a_batch(
    config: GPTConfig, cached: bool
) -> None:
    """Prompts of 7, 1 and 4 tokens, 12 new ones each."""
    model = uneven(config)
    expected = [by_hand(model, prompt, 12) for prompt in PROMPTS]
    assert len({*map(tuple, expected)}) == 3 and len({*chain(*expected)}) > 3
    assert ids(generate(model, PROMPTS, max_new_tokens=12, cached=cached)) == expected
    alone = [generate(model, [p], max_new_tokens=12, cached=cached)[0].ids for p in PROMPTS]
    assert alone == expected


@every_config
def test_cached_logits_are_the_models_own(config: GPTConfig) -> None:
    """To 1e-5, for padded rows, after each of 6 tokens, fast and slow, and after a selection."""
    model = uneven(config)
    for fast in (True, False):
        rows = [list(prompt) for prompt in PROMPTS]
        reader = GPTReader(model, rows, 9, cached=True)
        assert (reader.fast is None) == (config.positions == "relative")
        if not fast:
            reader.fast = None
        with torch.no_grad():
            found = reader.start()
            for turn in range(7):
                expected = torch.stack([next_logits(model, row) for row in rows])
                torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
                if turn == 3:
                    reader.select(torch.tensor([2, 1]))
                    rows = [list(rows[2]), list(rows[1])]
                new = [(7 * turn + row) % 30 for row in range(len(rows))]
                rows = [[*row, token] for row, token in zip(rows, new, strict=True)]
                found = reader.step(torch.tensor(new))


def test_a_tensor_of_prompts_is_its_rows() -> None:
    model = uneven(GPT2)
    prompts = torch.tensor([[3, 1], [6, 2]])
    expected = generate(model, [[3, 1], [6, 2]], max_new_tokens=5)
    assert generate(model, prompts, max_new_tokens=5) == expected
    assert generate(model, list(prompts), max_new_tokens=5) == expected


# Ends


def test_a_row_that_has_ended_stays_ended_and_the_others_go_on() -> None:
    """A chain 0 → 1 → … → 9 → 0 with the end token 5: rows end after 1, 4 and 9 tokens."""
    chain = torch.full((10, 10), 1e-4)
    chain[torch.arange(10), (torch.arange(10) + 1) % 10] = 1
    model = bigram(chain.tolist())
    for cached in (True, False):
        found = generate(model, [[4], [1], [2, 1, 6]], max_new_tokens=20, end_id=5, cached=cached)
        assert ids(found) == [[5], [2, 3, 4, 5], [7, 8, 9, 0, 1, 2, 3, 4, 5]]
        assert [row.reason for row in found] == ["end"] * 3
        assert [row.answer for row in found] == [[], [2, 3, 4], [7, 8, 9, 0, 1, 2, 3, 4]]


def test_an_end_token_in_the_prompt_ends_nothing() -> None:
    model = scripted([7, 7, 7, 5, 7])
    assert generate(model, [[5, 5]], max_new_tokens=4, end_id=5) == [Written([7, 7, 5], "end")]


def test_max_new_tokens_is_exact() -> None:
    found = generate(scripted([7] * 9), [[1]], max_new_tokens=3)
    assert found == [Written([7, 7, 7], "length")]
    assert found[0].answer == [7, 7, 7]


@every_config
@pytest.mark.parametrize("cached", [True, False])
def test_writing_stops_where_the_context_is_full(config: GPTConfig, cached: bool) -> None:
    """24 places: prompts of 7, 1 and 4 leave 17, 23 and 20, each as alone; 20 asked for."""
    model = uneven(config)
    found = generate(model, PROMPTS, max_new_tokens=20, cached=cached)
    assert [len(row.ids) for row in found] == [17, 20, 20]
    assert [row.reason for row in found] == ["context", "length", "length"]
    more = generate(model, PROMPTS, max_new_tokens=1000, cached=cached)
    assert [len(row.ids) for row in more] == [17, 23, 20]
    assert {row.reason for row in more} == {"context"}
    assert [row.ids[:17] for row in more] == [row.ids[:17] for row in found]
    assert ids(generate(model, [[1] * 23], max_new_tokens=5, cached=cached)) == [
        by_hand(model, [1] * 23, 1)]


def test_stop_ids_end_a_row_and_are_no_part_of_the_answer() -> None:
    """The sequence [3, 4] is found where it is complete, not at its first token."""
    model = scripted([9, 1, 3, 2, 3, 4, 5, 6])
    found = generate(model, [[0]], max_new_tokens=8, stop=[[8, 8], [3, 4]])
    assert found == [Written([9, 1, 3, 2, 3, 4], "stop", (3, 4))]
    assert found[0].answer == [9, 1, 3, 2]


def test_stop_ids_are_not_looked_for_in_the_prompt() -> None:
    """The prompt ends with 3; the first new token is 4."""
    model = scripted([0, 4, 6, 7])
    assert generate(model, [[0, 3]], max_new_tokens=2, stop=[[3, 4]])[0].ids == [4, 6]


def test_a_stop_at_the_last_token_is_a_stop_and_an_end_comes_first() -> None:
    model = scripted([9, 1, 3])
    assert generate(model, [[0]], max_new_tokens=2, stop=[[9, 1]])[0].reason == "stop"
    assert generate(model, [[0]], max_new_tokens=2, stop=[[9, 1]], end_id=1)[0] == Written(
        [9, 1], "end")


# Choosing


def test_sampling_follows_the_chain() -> None:
    """After 0 comes 1 or 2, after each of them 0; the shares are 3/4 and 1/4.

    1,000 draws: one standard deviation is 0.014.
    """
    tiny = 1e-9
    model = bigram([[tiny, 0.75, 0.25], [1, tiny, tiny], [1, tiny, tiny]], context_length=2100)
    generator = torch.Generator().manual_seed(1)
    found = generate(model, [[0]], max_new_tokens=2000, sampling=Sampling(), generator=generator)
    written = found[0].ids
    assert set(written[1::2]) == {0} and 0 not in written[::2]
    assert written[::2].count(1) / 1000 == pytest.approx(0.75, abs=0.05)
    colder = generate(model, [[0]], max_new_tokens=2000, generator=generator,
                      sampling=Sampling(temperature=0.5))[0].ids
    assert colder[::2].count(1) / 1000 == pytest.approx(0.9, abs=0.04)  # 9/16 of 10/16
    nucleus = generate(model, [[0]], max_new_tokens=50, generator=generator,
                       sampling=Sampling(top_p=0.7))
    assert nucleus[0].ids == [1, 0] * 25


def test_the_same_generator_state_writes_the_same_with_and_without_cache() -> None:
    model, written = uneven(GPT2), []
    for seed, cached in ((0, True), (0, True), (0, False), (1, True)):
        generator = torch.Generator().manual_seed(seed)
        written.append(ids(generate(model, PROMPTS, max_new_tokens=9, cached=cached,
                                    generator=generator, sampling=Sampling(temperature=2.0))))
    assert written[0] == written[1] == written[2] != written[3]
    assert len({*map(tuple, written[0])}) == 3


def test_top_k_one_is_greedy() -> None:
    model, generator = uneven(MODERN), torch.Generator()
    for sampling in (Sampling(top_k=1), Sampling(top_p=1e-6), Sampling(temperature=1e-4)):
        assert generate(model, PROMPTS, max_new_tokens=9, sampling=sampling,
                        generator=generator) == generate(model, PROMPTS, max_new_tokens=9)


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("ends", [False, True])
def test_repetition_penalty_counts_prompt_and_answer_of_its_own_row(
    cached: bool, ends: bool
) -> None:
    """By hand: lower the logits of the tokens so far, take the largest; padding is no token.

    Padding has the id 0, which prompt 1, padded, writes. With an end token the first row ends
    after three tokens, and the others keep what they have seen.
    """
    model = uneven(GPT2, seed=28)
    expected = []
    for prompt in PROMPTS:
        row = list(prompt)
        for _ in range(9):
            logits = next_logits(model, row)
            for token in set(row):
                logits[token] = logits[token] / 1.3 if logits[token] > 0 else logits[token] * 1.3
            row.append(int(logits.argmax()))
        expected.append(row[len(prompt) :])
    end_id = expected[0][2] if ends else None
    if ends:
        expected = [row[: [*row, end_id].index(end_id) + 1] for row in expected]
        assert sorted(map(len, expected)) == [3, 9, 9]
    settings = {"max_new_tokens": 9, "end_id": end_id, "cached": cached}
    found = generate(model, PROMPTS, repetition_penalty=1.3, **settings)
    assert ids(found) == expected != ids(generate(model, PROMPTS, **settings))


# What the model is left with


@pytest.mark.parametrize("cached", [True, False])
def test_modes_come_back_module_by_module_and_dropout_is_off_meanwhile(cached: bool) -> None:
    model = uneven(replace(GPT2, dropout=0.5))
    expected = ids(generate(uneven(GPT2), PROMPTS, max_new_tokens=9))
    model.train()
    model.stack.blocks[0].eval()  # a frozen part, say
    before = [module.training for module in model.modules()]
    assert ids(generate(model, PROMPTS, max_new_tokens=9, cached=cached)) == expected
    assert [module.training for module in model.modules()] == before
    with pytest.raises(ValueError, match="outside the vocabulary"):
        generate(model, [[99]], max_new_tokens=2)
    assert [module.training for module in model.modules()] == before


def test_no_gradient_is_recorded_and_training_can_go_on() -> None:
    """Tensors made while writing must not end up in the model, where they would refuse training."""
    model = uneven(MODERN).train()
    generate(model, PROMPTS, max_new_tokens=3)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.is_grad_enabled()
    model(torch.tensor([[1, 2, 3]])).square().mean().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_new_weights_count_at_once() -> None:
    """Nothing that was made ready for speed outlives a call."""
    model = uneven(GPT2)
    before = generate(model, PROMPTS, max_new_tokens=9)
    with torch.no_grad():
        for block in model.stack.blocks:
            block.attention.query.weight.mul_(-3)
    after = generate(model, PROMPTS, max_new_tokens=9)
    assert after != before and ids(after) == [by_hand(model, p, 9) for p in PROMPTS]


# The fast step knows what it knows


def test_a_hook_is_run_for_each_token() -> None:
    model, seen = uneven(GPT2), []
    model.stack.blocks[1].register_forward_hook(lambda *parts: seen.append(1))
    found = generate(model, PROMPTS, max_new_tokens=5)
    assert len(seen) == 5 and ids(found) == [by_hand(model, p, 5) for p in PROMPTS]


class Doubled(nn.Module):
    """In the place of a linear layer, or of any other."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        self.out_features = getattr(layer, "out_features", None)

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return 2 * self.layer(*inputs)


@pytest.mark.parametrize("place", [
    "attention.query", "attention.value", "attention.output", "feed_forward.up",
    "feed_forward", "attention_norm", "feed_forward_norm"])
def test_a_layer_that_was_replaced_is_used(place: str) -> None:
    for config in (GPT2, MODERN):
        model = uneven(config)
        plain = generate(model, PROMPTS, max_new_tokens=9)
        for block in model.stack.blocks:
            parent, _, name = f"block.{place}".rpartition(".")
            parent = block.get_submodule(parent.partition(".")[2])
            setattr(parent, name, Doubled(getattr(parent, name)))
        assert FastStep.is_known(model)
        found = generate(model, PROMPTS, max_new_tokens=9)
        assert found != plain and ids(found) == [by_hand(model, p, 9) for p in PROMPTS]


def test_an_unknown_block_takes_the_slow_way() -> None:
    class Reversed(type(GPT(GPT2).stack.blocks[0])):
        def forward(self, x, *rest):
            return -super().forward(x, *rest)

    model = uneven(GPT2)
    model.stack.blocks[1].__class__ = Reversed
    assert not FastStep.is_known(model)
    assert ids(generate(model, PROMPTS, max_new_tokens=9)) == [by_hand(model, p, 9)
                                                              for p in PROMPTS]


# Seq2Seq

PAPER = Seq2SeqConfig(vocab_size=20, context_length=12, d_model=16, num_heads=4, d_hidden=32,
                      num_layers=2, dropout=0.0)


def seq2seq(config: Seq2SeqConfig = PAPER) -> Seq2Seq:
    torch.manual_seed(4)
    model = Seq2Seq(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(1.0 if "norm.weight" in name else 0.0, 0.3)
    return model.eval()


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("norm_first", [True, False])
def test_a_seq2seq_writes_what_its_own_greedy_writes(cached: bool, norm_first: bool) -> None:
    """Sources of three lengths, in a batch and alone; here padded left, there one by one."""
    model = seq2seq(replace(PAPER, norm_first=norm_first))
    sources = [[3, 1, 4, 1, 5], [9], [2, 6]]
    end = model.greedy(torch.tensor([sources[0]]), start_id=1, end_id=0, max_new_tokens=8)[0, 3]
    settings = {"max_new_tokens": 8, "end_id": int(end), "start_id": 1}
    expected = []
    for source in sources:
        row = model.greedy(torch.tensor([source]), **settings)[0].tolist()
        expected.append(row[: row.index(end) + 1] if end in row else row)
    assert ids(generate(model, sources, **settings, cached=cached)) == expected
    assert [ids(generate(model, [s], **settings, cached=cached))[0] for s in sources] == expected


def test_a_seq2seq_stops_where_its_context_is_full() -> None:
    """12 places: the start token and 11 more."""
    found = generate(seq2seq(), [[3] * 12, [4]], max_new_tokens=50, start_id=1)
    assert [(len(row.ids), row.reason) for row in found] == [(11, "context")] * 2


# Bad input


@pytest.mark.parametrize(("prompts", "message"), [
    ([], "no prompt: give a list of prompts, each a list of token ids"),
    ([1, 2], r"prompts must be a list of lists of token ids: for one prompt give \[prompt\]"),
    (torch.tensor([1, 2]), r"for one prompt give \[prompt\]"),
    (["text"], "prompts must be a list of lists of token ids"),
    ([[1], []], "prompt 1 is empty: give at least one token"),
    ([[1], [2] * 24], r"prompt 1 has 24 tokens, which leaves no room in the context: context_leng"),
    ([[1], [2] * 30], r"context_length \(24\) counts prompt and answer together"),
    ([[1], [30]], "token id 30 is outside the vocabulary")])
@pytest.mark.parametrize("cached", [True, False])
def test_impossible_prompts_are_an_error(prompts, message: str, cached: bool) -> None:
    with pytest.raises(ValueError, match=message):
        generate(uneven(GPT2), prompts, max_new_tokens=3, cached=cached)


@pytest.mark.parametrize(("wrong", "message"), [
    ({"max_new_tokens": 0}, r"max_new_tokens \(0\) must be at least 1"),
    ({"sampling": Sampling()}, r"sampling needs generator=torch.Generator\(\).manual_seed"),
    ({"repetition_penalty": 0.0}, r"repetition_penalty \(0.0\) must be above 0"),
    ({"end_id": 30}, r"end_id \(30\) is outside the vocabulary: it allows 0 to 29"),
    ({"end_id": -1}, r"end_id \(-1\) is outside the vocabulary"),
    ({"stop": [[3, 30]]}, r"stop \(30\) is outside the vocabulary"),
    ({"stop": [[3], []]}, "a stop sequence is empty: it would end every text"),
    ({"stop": [""]}, "a stop sequence is empty"),
    ({"stop": "\n"}, r"stop must be a list of stop sequences: \['\\n'\]"),
    ({"stop": ["\n"]}, "a stop string needs tokenizer=..., which tells the text of a token"),
    ({"start_id": 1}, "start_id is for a Seq2Seq: a GPT begins with its prompt")])
def test_impossible_settings_are_an_error(wrong: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        generate(uneven(GPT2), [[1]], **{"max_new_tokens": 3} | wrong)


@pytest.mark.parametrize(("sources", "start_id", "message"), [
    ([[1]], None, "a Seq2Seq needs start_id, the token that each target begins with"),
    ([[1]], 20, r"start_id \(20\) is outside the vocabulary: it allows 0 to 19"),
    ([[1], []], 1, r"source 1 has 0 tokens: give 1 to 12 \(context_length\)"),
    ([[1], [2] * 13], 1, r"source 1 has 13 tokens: give 1 to 12 \(context_length\)")])
def test_impossible_sources_are_an_error(sources, start_id, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        generate(seq2seq(), sources, max_new_tokens=3, start_id=start_id)
