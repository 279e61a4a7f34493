"""Of a question and its answer exactly the answer and its end token are learned."""

from __future__ import annotations

import pytest
import torch

from llmbook.models import GPT, GPTConfig
from llmbook.tokenizers import BPETokenizer, train_bpe
from llmbook.training import Examples, NextToken, Trainer, TrainingConfig
from llmbook.training.data import collate
from llmbook.tuning import encode_instructions, prompt_text

END = "<|endoftext|>"
PAIRS = [("Two?", "yes yes"), ("One or two?", "no")]


@pytest.fixture(scope="module")
def tokenizer() -> BPETokenizer:
    """Learned from the words of the template and of the answers; the end token is the last id."""
    text = "Question: Answer: yes no " * 20
    return train_bpe([text], vocab_size=290, special_tokens=[END])


def test_the_ids_that_are_learned_are_exactly_these(tokenizer: BPETokenizer) -> None:
    """Place by place: the prompt -100, then " yes", " yes" and the end token, each its own label.

    The list of labels is written out; a label one place off, one of the prompt, or a missing end
    token would show here.
    """
    first, second = encode_instructions(tokenizer, PAIRS)
    yes, no, end = tokenizer.encode(" yes"), tokenizer.encode(" no"), tokenizer.special_tokens[END]
    assert len(yes) == len(no) == 1
    prompt = tokenizer.encode("Question: Two?\nAnswer:")
    assert first["ids"] == [*prompt, *yes, *yes, end]
    assert first["labels"] == [*[-100] * len(prompt), *yes, *yes, end]
    prompt = tokenizer.encode("Question: One or two?\nAnswer:")
    assert second["ids"] == [*prompt, *no, end]
    assert second["labels"] == [*[-100] * len(prompt), *no, end]
    assert tokenizer.decode(first["ids"]) == f"Question: Two?\nAnswer: yes yes{END}"


def test_in_a_batch_padding_is_not_learned_though_its_id_is_that_of_the_end(tokenizer) -> None:
    """What the objective of pretraining makes of them: the targets, place by place."""
    end = tokenizer.special_tokens[END]
    batch = collate(encode_instructions(tokenizer, PAIRS), pad_id=end)
    prepared = NextToken().prepare(batch)
    learned = [[i for i in row if i != -100] for row in prepared["targets"].tolist()]
    assert learned == [[*tokenizer.encode(" yes yes"), end], [*tokenizer.encode(" no"), end]]
    read = [[i for i, t in zip(*rows, strict=True) if t != -100]
            for rows in zip(prepared["ids"].tolist(), prepared["targets"].tolist(), strict=True)]
    colon = tokenizer.encode("Answer:")[-1]
    assert read == [[colon, *tokenizer.encode(" yes yes")], [colon, *tokenizer.encode(" no")]]


def test_the_boundary_is_where_the_prompt_ends_when_it_is_encoded_alone() -> None:
    """A tokenizer that has ": " as a token, 256: encoded together, prompt and answer share it.

    Of "Answer: no" it takes the space off the answer. When the model is used, the prompt ends with
    ":", which it would never have seen, and the label of its first answer would be "n".
    """
    vocabulary = {bytes([i]): i for i in range(256)} | {b": ": 256}
    tokenizer = BPETokenizer(vocabulary, [(b":", b" ")], {END: 257}, pattern=r"[\s\S]+")
    prompt = tokenizer.encode(prompt_text("Two?"))
    together = tokenizer.encode(f"{prompt_text('Two?')} no")
    assert prompt[-1] == ord(":") and together[len(prompt) - 1] == 256  # the trap
    [example] = encode_instructions(tokenizer, [("Two?", "no")])
    assert example["ids"] == [*prompt, *b" no", 257]
    assert example["labels"] == [*[-100] * len(prompt), *b" no", 257]


def test_the_template_and_its_space(tokenizer: BPETokenizer) -> None:
    """No space at the end of the prompt: it belongs to the answer's first token."""
    assert prompt_text("  What is it?\n") == "Question: What is it?\nAnswer:"
    bare, spaced = (encode_instructions(tokenizer, [("a", answer)]) for answer in ("yes", " yes "))
    assert bare == spaced


def test_the_name_of_the_end_token_in_a_text_does_not_end_it(tokenizer: BPETokenizer) -> None:
    [example] = encode_instructions(tokenizer, [(f"Is {END} text?", f"{END} is")])
    assert example["ids"].count(tokenizer.special_tokens[END]) == 1
    assert example["ids"][-1] == tokenizer.special_tokens[END]


def test_a_long_answer_loses_its_end_and_the_end_token_with_it(tokenizer: BPETokenizer) -> None:
    [whole] = encode_instructions(tokenizer, PAIRS[:1])
    prompt = len(tokenizer.encode(prompt_text("Two?")))
    for length in range(prompt + 1, len(whole["ids"]) + 2):
        [cut] = encode_instructions(tokenizer, PAIRS[:1], max_length=length)
        assert cut == {name: column[:length] for name, column in whole.items()}
        assert any(label != -100 for label in cut["labels"])
    assert cut == whole


def test_a_prompt_that_leaves_no_room_is_an_error(tokenizer: BPETokenizer) -> None:
    prompt = len(tokenizer.encode(prompt_text("One or two?")))
    for length in (prompt, prompt - 1, 1):
        with pytest.raises(ValueError, match=rf"^the prompt of pair 0 has {prompt} tokens, so "
                           rf"max_length \({length}\) leaves nothing of its answer"):
            encode_instructions(tokenizer, PAIRS[1:], max_length=length)
    assert encode_instructions(tokenizer, PAIRS[1:], max_length=prompt + 1)


@pytest.mark.parametrize(("pair", "name"), [(("", "yes"), "question"), ((" \n", "yes"), "question"),
                                            (("Two?", ""), "answer"), (("Two?", " "), "answer")])
def test_an_empty_question_or_answer_is_an_error(tokenizer, pair, name: str) -> None:
    with pytest.raises(ValueError, match=f"^the {name} of pair 1 is empty$"):
        encode_instructions(tokenizer, [PAIRS[0], pair])


def test_a_tokenizer_without_the_end_token_is_an_error(tokenizer: BPETokenizer) -> None:
    with pytest.raises(ValueError, match=r"no special token '<eos>', which ends an answer"):
        encode_instructions(tokenizer, PAIRS, end="<eos>")


def test_a_small_gpt_learns_to_answer_and_to_stop(tokenizer: BPETokenizer) -> None:
    """40 steps of the book's trainer; from the prompt alone then follow each answer and its end."""
    torch.manual_seed(0)
    model = GPT(GPTConfig.gpt2(vocab_size=len(tokenizer), context_length=64, d_model=32,
                               num_heads=2, num_layers=2, dropout=0.0))
    data = Examples(encode_instructions(tokenizer, PAIRS))
    config = TrainingConfig(steps=40, batch_size=2, learning_rate=0.005)
    Trainer(model, NextToken(), data, config, quiet=True).fit()
    model.eval()
    for question, answer in PAIRS:
        ids = tokenizer.encode(prompt_text(question))
        while ids[-1] != tokenizer.special_tokens[END] and len(ids) < 60:
            ids.append(int(model(torch.tensor([ids]))[0, -1].argmax()))
        assert tokenizer.decode(ids) == f"{prompt_text(question)} {answer}{END}"
