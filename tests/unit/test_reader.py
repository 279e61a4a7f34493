"""Questions made by rule, spans, exact match and F1 (SQuAD)."""

from __future__ import annotations

import random

import pytest
import torch

from llmbook.corpora import Docstring
from llmbook.models import Bert, BertConfig, load_minilm
from llmbook.retrieval.questions import ask, draw, entries, make_questions
from llmbook.retrieval.reader import (
    AnswerSpan,
    SpanReader,
    best_span,
    encode_questions,
    read,
    train_reader,
)
from llmbook.retrieval.squad import answer_f1, exact_match, normalize
from llmbook.training.data import collate

TABLE = """axis : int, optional
    The axis along which it is joined. Default: 3. More words are here.

out : ndarray
    Where the result shall be placed."""
PAGE = Docstring("m:stack", "numpy", "m", "stack", "function", "Join.", "", TABLE, "")


def test_normalize() -> None:
    assert normalize("The Array's  shape.") == "arrays shape"


@pytest.mark.parametrize(("said", "true", "exact", "f1"), [
    ("an int", "the int", 1, 1),
    ("int array", "int", 0, 2 / 3),  # one common word, of 2 + 1
    ("a b b", "b", 0, 2 / 3),  # "a" is an article: b b and b
    ("", "", 1, 1),
    ("", "int", 0, 0),
    ("-1", "1", 1, 1),  # what SQuAD's rule does to code
])
def test_scores_by_hand(said: str, true: str, exact: float, f1: float) -> None:
    assert exact_match(said, true) == exact
    assert answer_f1(said, true) == pytest.approx(f1)


def test_rows_of_both_kinds_of_table() -> None:
    assert entries(TABLE)[1] == ("out", "ndarray", "Where the result shall be placed.")
    google = "    dim (int): the dimension\n        to join.\n    x (str): y"
    assert entries(google) == [("dim", "int", "the dimension to join."), ("x", "str", "y")]


def test_the_answers_stand_where_it_is_said() -> None:
    found = [q for seed in range(9) for q in ask(PAGE, random.Random(seed), "nowhere")]
    answers = {(q.kind, q.answer) for q in found}
    assert ("default", "3") in answers
    assert ("type", "int") in answers
    assert ("meaning", "The axis along which it is joined.") in answers
    assert ("default", "") in answers  # of out, for which none is stated
    for q in found:
        assert q.text[q.start : q.start + len(q.answer)] == q.answer
        assert q.question != q.reworded


def test_a_parameter_of_the_page_is_never_called_missing() -> None:
    found = [q for seed in range(20) for q in ask(PAGE, random.Random(seed), "axis")]
    assert not [q for q in found if "axis" in q.question and not q.answer]


def test_no_question_twice() -> None:
    found = make_questions([PAGE, PAGE])
    assert len({(q.question, q.text) for q in found}) == len(found)


def test_the_best_span_ends_after_it_begins() -> None:
    """Token 3 is the best first, token 1 the best last; 3 to 3 gives 3 + 1, 1 to 1 gives 0 + 5."""
    scores = torch.tensor([[1.0, 1.0], [0.0, 5.0], [0.0, 0.0], [3.0, 1.0], [9.0, 9.0]])
    allowed = torch.tensor([False, True, True, True, False])
    assert best_span(scores, allowed) == (1, 1, 3.0)


def test_a_question_becomes_the_tokens_of_its_answer() -> None:
    [question] = [q for q in ask(PAGE, random.Random(0), "no") if q.kind == "type"][:1]
    [row] = encode_questions([question])
    assert row["types"][row["first"]] == 1
    nothing = question._replace(answer="", start=0)
    [row] = encode_questions([nothing])
    assert (row["first"], row["last"]) == (0, 0)


def small_reader() -> SpanReader:
    torch.manual_seed(0)
    return SpanReader(Bert(BertConfig(d_model=32, num_heads=2, d_hidden=32, num_layers=1)))


def test_the_loss_is_the_mean_of_both_ends() -> None:
    """All scores equal: each end costs log T."""
    questions = [q for q in ask(PAGE, random.Random(0), "no") if q.answer][:1]
    reader = small_reader().eval()
    torch.nn.init.zeros_(reader.head.weight)
    batch = collate(encode_questions(questions))
    loss, number = AnswerSpan()(reader, batch)
    assert number == 1
    assert loss.item() == pytest.approx(float(torch.tensor(batch["ids"].shape[1]).log()), rel=1e-4)


def test_reading_keeps_the_order_and_does_not_depend_on_the_batch() -> None:
    reader = small_reader().eval()
    pairs = [("what?", TABLE), ("why?", "short text"), ("who?", "one two three four five")]
    together = read(reader, pairs)
    alone = [read(reader, [pair])[0] for pair in pairs]
    for one, other in zip(together, alone, strict=True):
        assert one.answer == other.answer
        assert one.margin == pytest.approx(other.margin, abs=1e-4)
    assert all(found.answer in text for found, (_, text) in zip(together, pairs, strict=True))


def test_the_end_of_the_sequence_is_no_answer() -> None:
    """Its scores are made the highest of all; the span that is given still stands in the text."""
    reader = small_reader().eval()
    text = "one two three"

    class Loves(torch.nn.Module):
        def forward(self, ids, attention_mask, types):
            scores = torch.zeros(*ids.shape, 2)
            scores[:, attention_mask.sum() - 1] = 9.0
            return scores

    reader.forward = Loves().forward  # type: ignore[method-assign]
    [found] = read(reader, [("what?", text)])
    assert found.answer
    assert found.answer in text
    assert found.margin < 9


def test_questions_are_drawn_by_the_seed_alone() -> None:
    pages = [PAGE._replace(id=str(i), name=f"stack_{i}") for i in range(6)]
    every = draw(pages, 1000)
    assert sorted(every) == sorted(make_questions(pages))
    assert draw(pages, 3) == every[:3] != draw(pages, 3, seed=1)


def test_training_moves_the_head_and_the_upper_layers_alone() -> None:
    """And the seed decides, whatever was drawn before."""
    pages = [PAGE._replace(id=str(i), name=f"stack_{i}") for i in range(60)]
    before, questions = SpanReader(load_minilm()).state_dict(), draw(pages, 176)
    assert len(questions) == 176
    one, other = train_reader(questions, seed=1), train_reader(questions, seed=1)
    after, again = one.state_dict(), other.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {name for name, p in one.named_parameters() if p.requires_grad}
    still = ("encoder.embeddings", *(f"encoder.stack.blocks.{i}." for i in range(3)))
    assert {name for name in before if name.startswith(still)}.isdisjoint(moved)
    assert "encoder.stack.blocks.3.attention_norm.weight" in moved
    assert all(torch.equal(after[name], again[name]) for name in after)
    with pytest.raises(ValueError, match="warm_up"):
        train_reader(questions[:175])
