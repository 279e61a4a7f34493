"""Reading sources, learning, writing greedily and by beam, shipping; and bad input."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch

from llmbook.models.pointer import PointerConfig, PointerDecoder
from llmbook.summarization import learning, summarizer
from llmbook.summarization.learning import Recipe, encoder_of, frequent_tokens, new_decoder
from llmbook.summarization.objective import PointedTokens
from llmbook.summarization.pairs import Pair, pairs
from llmbook.summarization.reading import (
    LONGEST_SOURCE,
    CachedPairs,
    hidden_states,
    source_ids,
    target_ids,
)
from llmbook.summarization.summarizer import Summarizer, ship, shipped
from llmbook.summarization.writing import hypotheses, repeating, tidy, write
from llmbook.tokenizers import minilm_tokenizer
from llmbook.training import IGNORED, CheckpointError

CONFIG = PointerConfig(d_model=32, num_heads=2, d_hidden=32, num_layers=1, d_pointer=16,
                       dropout=0.0)
BODY = "It reads a table from a file and returns a frame with one column for each field."
SPECIAL = minilm_tokenizer().special_tokens


def some_pairs(count: int = 6) -> list[Pair]:
    return list(pairs().train[:count])


def tiny(copying: bool = True) -> PointerDecoder:
    torch.manual_seed(0)
    written = frequent_tokens([target_ids(p.summary) for p in some_pairs(40)], 60)
    return new_decoder(replace(CONFIG, copying=copying), written).eval()


@cache
def read() -> tuple[list[list[int]], list[torch.Tensor]]:
    sources = [source_ids(p.name, p.body) for p in some_pairs(12)]
    return sources, hidden_states(encoder_of("MiniLM"), sources)


def cached(count: int = 6) -> CachedPairs:
    sources, hidden = read()
    targets = [target_ids(p.summary) for p in some_pairs(count)]
    return CachedPairs(sources[:count], hidden[:count], targets)


def test_a_source_is_the_name_then_the_body() -> None:
    tokens = minilm_tokenizer().tokens(source_ids("read_csv", "It reads."))
    assert tokens == ["[CLS]", "read", "cs", "##v", "[SEP]", "it", "reads", ".", "[SEP]"]
    assert minilm_tokenizer().tokens(source_ids("", "It.")) == ["[CLS]", "it", ".", "[SEP]"]


def test_a_long_source_is_cut_and_says_so() -> None:
    text = "word " * 20_000  # 100,000 characters
    with pytest.warns(UserWarning, match="100,000 characters: only its first 96 tokens"):
        ids = source_ids("name", text, warn=True)
    assert len(ids) == LONGEST_SOURCE and ids[-1] == SPECIAL["[SEP]"]
    long_name = source_ids("a_b_" * 500, "body")
    assert len(long_name) <= LONGEST_SOURCE and minilm_tokenizer().tokens(long_name)[-2:] == [
        "body", "[SEP]"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        source_ids("name", "short", warn=True)


def test_hidden_states_are_those_of_each_text_alone() -> None:
    rows = [source_ids("", text) for text in (BODY, "One.", BODY + " " + BODY, "Two words.")]
    encoder = encoder_of("MiniLM")
    found = hidden_states(encoder, rows, batch_tokens=40)
    for row, hidden in zip(rows, found, strict=True):
        expected = encoder(torch.tensor([row]))[0]
        torch.testing.assert_close(hidden.float(), expected, atol=5e-3, rtol=0)


def test_the_random_encoder_has_the_shape_of_minilm_and_other_weights() -> None:
    random, trained = encoder_of("random"), encoder_of("MiniLM")
    assert random.config == trained.config
    assert not torch.equal(random.embeddings.token.weight, trained.embeddings.token.weight)


def test_frequent_tokens_are_counted_once_a_target_and_hold_the_end() -> None:
    end = SPECIAL["[SEP]"]
    targets = [[101, 7000, 7000, 7000, end], [101, 8000, end], [101, 8000, 9000, end]]
    assert frequent_tokens(targets, 2).tolist() == sorted([end, 8000])
    assert frequent_tokens(targets, 99).tolist() == sorted([end, 7000, 8000, 9000])


def test_a_target_that_cannot_be_reached_is_ignored() -> None:
    """Written: 5 and the end, 102. Source: 7 and 101. The target 5 7 9 100 102 loses 9 and 100."""
    batch = {"source": torch.tensor([[101, 7, 100, 102]]),
             "source_mask": torch.ones(1, 4), "hidden": torch.zeros(1, 4, 2),
             "target": torch.tensor([[101, 5, 7, 9, 100, 102, 0]]),
             "target_mask": torch.tensor([[1, 1, 1, 1, 1, 1, 0]])}
    written, special = torch.tensor([5, 102]), torch.tensor([0, 100, 101, 102, 103])
    objective = PointedTokens(written, special)
    prepared = objective.prepare(batch)
    assert prepared["targets"].tolist() == [[5, 7, IGNORED, IGNORED, 102, IGNORED]]
    assert prepared["target"].tolist() == [[101, 5, 7, 9, 100, 102]]
    assert objective.count(prepared) == 3
    plain = PointedTokens(written, special, copying=False).prepare(batch)
    assert plain["targets"].tolist() == [[5, IGNORED, IGNORED, IGNORED, 102, IGNORED]]


@pytest.mark.parametrize("copying", [True, False])
def test_the_loss_is_minus_the_log_of_the_mixture(copying: bool) -> None:
    model, batch = tiny(copying), cached().collate([0, 3])
    objective = PointedTokens(model.written, model.special, copying)
    prepared = objective.prepare(batch)
    loss, count = objective.loss(model, prepared)
    source = model.read(batch["source"], batch["hidden"], batch["source_mask"])
    chances = model.probabilities(model.mix(prepared["target"], source), source)
    targets = prepared["targets"]
    kept = targets != IGNORED
    picked = chances.gather(-1, targets.clamp(min=0)[..., None])[..., 0][kept]
    assert count == int(kept.sum()) == objective.count(prepared)
    torch.testing.assert_close(loss, -picked.log().sum())


def test_every_pair_is_drawn_once_an_epoch() -> None:
    data = cached(6)
    for _ in range(2):
        seen = [tuple(row[row > 0].tolist()) for _ in range(3) for row in data.draw(2)["source"]]
        assert sorted(seen) == sorted(tuple(row) for row in data.sources)


def test_a_batch_is_padded_on_the_right() -> None:
    batch = cached(3).collate([0, 1, 2])
    lengths = [len(source) for source in cached(3).sources]
    assert batch["source_mask"].sum(1).tolist() == lengths
    assert batch["hidden"].shape == (*batch["source"].shape, 384)
    assert (batch["hidden"][batch["source_mask"] == 0] == 0).all()


def test_as_many_sources_as_targets() -> None:
    with pytest.raises(ValueError, match="one of each"):
        CachedPairs([[1]], [], [[1]])
    with pytest.raises(ValueError, match="at least one"):
        CachedPairs([], [], [])


def test_a_run_on_cached_pairs_is_not_resumed() -> None:
    data = cached(2)
    with pytest.raises(ValueError, match="anew"):
        data.load_state_dict(data.state_dict())


def test_one_beam_is_greedy_and_the_cache_changes_nothing() -> None:
    """An own loop: everything is computed anew for each token, and the best one is taken."""
    model, data = tiny(), cached(4)
    banned = [i for token, i in SPECIAL.items() if token != "[SEP]"]
    expected = []
    for i in range(4):
        batch = data.collate([i])
        source = model.read(batch["source"], batch["hidden"], batch["source_mask"])
        ids = [SPECIAL["[CLS]"]]
        while len(ids) < 13:
            chances = model.probabilities(model.mix(torch.tensor([ids]), source), source)[0, -1]
            chances[banned] = 0
            chances[repeating(ids)] = 0
            ids.append(int(chances.argmax()))
            if ids[-1] == SPECIAL["[SEP]"]:
                ids.pop()
                break
        expected.append(ids[1:])
    for kept in (True, False):
        found = write(model, data.sources, data.hidden, max_new_tokens=12, cached=kept)
        assert found == expected


def test_beams_find_answers_at_least_as_probable_in_a_batch_as_alone() -> None:
    model, data = tiny(), cached(4)
    found = hypotheses(model, data.sources, data.hidden, 3, 0.0, max_new_tokens=8)
    greedy = hypotheses(model, data.sources, data.hidden, 1, max_new_tokens=8)
    for i, (beams, one) in enumerate(zip(found, greedy, strict=True)):
        assert beams[0].log_prob >= one[0].log_prob - 1e-4
        alone = hypotheses(model, data.sources[i : i + 1], data.hidden[i : i + 1], 3, 0.0,
                           max_new_tokens=8)[0]
        assert [h.ids for h in alone] == [h.ids for h in beams]


def test_no_run_of_three_tokens_is_written_twice() -> None:
    assert repeating([7, 8, 9, 1, 7, 8]) == [9]
    assert repeating([7, 7, 7]) == [7]
    assert repeating([7, 8]) == repeating([7]) == []
    for ids in write(tiny(), cached(4).sources, cached(4).hidden, beams=2):
        runs = list(zip(ids, ids[1:], ids[2:], strict=False))
        assert len(runs) == len(set(runs))


@pytest.mark.parametrize("beams", [0, 20_000])
def test_an_impossible_number_of_beams_is_refused(beams: int) -> None:
    with pytest.raises(ValueError, match="beams"):
        write(tiny(), cached(1).sources, cached(1).hidden, beams=beams)


def test_text_is_tidy() -> None:
    ids = minilm_tokenizer().encode("return a n_components-wide (sparse) array, or none.")[1:-1]
    assert tidy(ids) == "Return a n_components-wide (sparse) array, or none."
    assert tidy([]) == ""


def test_learning_lowers_the_loss() -> None:
    data, model = cached(12), tiny()
    recipe = Recipe(steps=30, learning_rate=1e-2, precision="float32")
    losses = learning.trainer(model, data, recipe).fit().losses
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    assert not model.vectors.requires_grad


@pytest.mark.parametrize(("change", "message"), [
    ({"encoder": "large"}, "encoder"), ({"share": 0}, "share"), ({"share": 1.5}, "share"),
])
def test_a_recipe_checks_itself(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Recipe(steps=10, **change)


def test_a_recipe_chooses_its_pairs() -> None:
    known = pairs()
    assert len(Recipe(steps=1).pairs()) == len(known.train)
    assert Recipe(steps=1, share=0.25).pairs() == list(known.train[::4])
    assert len(Recipe(steps=1, short=True).pairs()) == len(known.train) + len(known.short)


def test_what_is_shipped_writes_the_same(tmp_path: Path) -> None:
    model = tiny()
    halved = {n: t.half().float() for n, t in model.state_dict().items()}
    model.load_state_dict(halved)
    ship(tmp_path / "s", model, named=False, facts={"command": "x"})
    assert summarizer.shipped_facts(tmp_path / "s")["command"] == "x"
    loaded = shipped(tmp_path / "s")
    assert not loaded.named
    texts = [("read", BODY)]
    assert loaded(texts) == Summarizer(model, named=False)(texts)
    (tmp_path / "s" / "config.json").write_text(json.dumps({}))
    with pytest.raises(CheckpointError, match="altered"):
        shipped(tmp_path / "s")


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"python -m llmbook\.summarization"):
        shipped(tmp_path / "nowhere")


def test_a_trace_holds_weights_and_gate_of_the_summary() -> None:
    own = Summarizer(tiny())
    traced = own.trace("read_table", BODY)
    assert traced.copied.shape == (len(traced.summary), len(traced.source))
    assert traced.gate.shape == (len(traced.summary),)
    assert traced.summary[-1] == "[SEP]" and traced.source[0] == "[CLS]"
    [greedy] = own([("read_table", BODY)], beams=1)
    ids = [minilm_tokenizer().vocabulary[token] for token in traced.summary[:-1]]
    assert tidy(ids) == greedy


def test_a_trace_tells_copied_from_generated() -> None:
    """Not in the source: 0. Nowhere else: 1. In both: between the copied probability and 1."""
    decoder = tiny()
    traced = Summarizer(decoder).trace("read_table", BODY)
    kinds = set()
    for t, token in enumerate(traced.summary):
        places = [i for i, other in enumerate(traced.source) if other == token != "[SEP]"]
        copied = sum((1 - traced.gate[t]) * traced.copied[t, i] for i in places)
        generable = minilm_tokenizer().vocabulary[token] in decoder.written.tolist()
        kinds.add((bool(places), generable))
        if not places:
            assert traced.part[t] == 0
        elif not generable:
            assert traced.part[t] == pytest.approx(1)
        else:
            assert copied < traced.part[t] < 1
    assert len(kinds) > 1


@pytest.mark.parametrize("texts", [[("", "")], [("", " \n ")], [("__", "")]])
def test_nothing_to_read_is_refused(texts: list[tuple[str, str]]) -> None:
    with pytest.raises(ValueError, match="text 0 is empty"):
        Summarizer(tiny())(texts)


def test_one_text_without_its_list_is_refused() -> None:
    with pytest.raises(ValueError, match="list of"):
        Summarizer(tiny())("a text")  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "body"), [
    ("read_csv", ""), ("", "这个函数返回数组的平均值。"), ("", "🙂🙂"), ("a", "x" * 5000),
])
def test_strange_texts_are_summarized(name: str, body: str) -> None:
    [found] = Summarizer(tiny())([(name, body)])
    assert isinstance(found, str)


def test_a_text_of_100_000_characters_is_cut_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="100,000 characters"):
        assert len(Summarizer(tiny())([("f", "long text " * 10_000)])) == 1


def test_the_same_recipe_reads_the_same() -> None:
    recipe = Recipe(steps=1, named=False, precision="float32")
    data = learning.cached(recipe, some_pairs(2))
    assert data.sources == [source_ids("", p.body) for p in some_pairs(2)]
    assert len(learning.held_out(data, 1).batches) == 2
