"""The head: which vector it reads, padded or not, and predictions in the order of the texts."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from llmbook.models import GPT, Bert, BertConfig, GPTConfig
from llmbook.training import ClassLabel, Examples, Trainer, TrainingConfig
from llmbook.training.data import collate
from llmbook.tuning import (
    Classifier,
    by_length,
    classification_loss,
    freeze,
    last_token,
    mean_pool,
    pool_rows,
    trained_parameters,
)

SIZES = {"vocab_size": 30, "context_length": 12, "d_model": 16, "num_heads": 2, "num_layers": 2}
BERT = BertConfig(**SIZES, d_hidden=32, dropout=0.5)
GPT2 = GPTConfig.gpt2(**SIZES, dropout=0.5)
TEXTS = [[3, 4, 5], [6], [7, 8, 9, 10, 11, 12, 13], [1, 2], [14, 15, 16, 17, 18]]


def near(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def batch(texts: list[list[int]], pad_id: int = 0) -> tuple[Tensor, Tensor]:
    """Ids and attention mask, padded on the right."""
    rows = collate([{"ids": text} for text in texts], pad_id)
    return rows["ids"], rows["attention_mask"]


def encoder(kind: str) -> Bert | GPT:
    """Weights large enough that another vector gives another answer."""
    torch.manual_seed(0)
    model = Bert(BERT) if kind == "bert" else GPT(GPT2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return model


def classifier(kind: str, pooling: str, dropout: float = 0.5) -> Classifier:
    model = Classifier(encoder(kind), 4, pooling, dropout)
    nn.init.normal_(model.head.weight, std=1.0, generator=torch.Generator().manual_seed(1))
    return model


KINDS = [("bert", "mean"), ("bert", "cls"), ("gpt", "mean"), ("gpt", "last")]


@pytest.mark.parametrize(("kind", "pooling"), KINDS)
def test_logits_are_those_of_each_text_alone(kind: str, pooling: str) -> None:
    """A batch padded on the right; GPT counts positions without padding, so the left too."""
    model = classifier(kind, pooling).eval()
    alone = torch.cat([model(torch.tensor([text])) for text in TEXTS])
    ids, mask = batch(TEXTS, pad_id=29)
    assert alone.shape == (5, 4)
    near(model(ids, mask), alone)
    if kind == "gpt":
        left = torch.tensor([[29] * (7 - len(text)) + text for text in TEXTS])
        near(model(left, mask.flip(1)), alone)


def test_the_mean_is_over_tokens_and_not_over_padding() -> None:
    """Rows [2, 4, (100)] and [6, (100), (100)] have the means 3 and 6; a NaN there is no matter."""
    hidden = torch.tensor([[[2.0], [4.0], [100.0]], [[6.0], [100.0], [float("nan")]]])
    mask = torch.tensor([[1, 1, 0], [1, 0, 0]])
    assert mean_pool(hidden, mask).tolist() == [[3.0], [6.0]]


def test_the_last_token_on_either_side_of_padding() -> None:
    hidden = torch.arange(12.0).view(3, 4, 1)
    mask = torch.tensor([[1, 1, 0, 0], [0, 0, 1, 1], [1, 1, 1, 1]])
    assert last_token(hidden, mask).tolist() == [[1.0], [7.0], [11.0]]


def test_cls_goes_through_the_pooler_where_there_is_one() -> None:
    ids = torch.tensor([[1, 2, 3]])
    model = classifier("bert", "cls").eval()
    bert = model.encoder
    near(model(ids), model.head(torch.tanh(bert.pooler(bert(ids)[:, 0]))))
    torch.manual_seed(0)
    plain = Classifier(Bert(replace(BERT, pooler=False)), 4, "cls").eval()
    near(plain(ids), plain.head(plain.encoder(ids)[:, 0]))


@pytest.mark.parametrize(("pooling", "grown"), [("mean", 0), ("cls", 16 * 16 + 16)])
def test_a_pooler_that_is_not_read_is_not_trained(pooling: str, grown: int) -> None:
    """Head 16 x 4 + 4 beside a BERT without pooler; every trained parameter has a gradient."""
    model = classifier("bert", pooling)
    bare = sum(p.numel() for p in Bert(replace(BERT, pooler=False)).parameters())
    assert trained_parameters(model) == bare + 68 + grown
    classification_loss(model(*batch(TEXTS)), torch.arange(5) % 4).backward()
    assert all((p.grad is not None) == p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("tied", [True, False])
def test_the_output_layer_of_a_gpt_is_trained_only_as_its_embedding(tied: bool) -> None:
    model = Classifier(GPT(replace(GPT2, tie_embeddings=tied)), 3, "last")
    at_rest = {name for name, p in model.named_parameters() if not p.requires_grad}
    assert at_rest == (set() if tied else {"encoder.output.weight"})


@pytest.mark.parametrize(("kind", "pooling"), KINDS)
@pytest.mark.parametrize("batch_size", [1, 2, 100])
def test_predictions_stand_in_the_order_of_the_texts(kind, pooling, batch_size) -> None:
    model = classifier(kind, pooling)  # in training mode: dropout 0.5 would change all of it
    found = model.predict_proba(TEXTS, batch_size)
    model.eval()
    expected = torch.cat([model(torch.tensor([text])) for text in TEXTS]).softmax(-1)
    near(found, expected)
    assert len({tuple(row) for row in expected.tolist()}) == 5  # each text has its own answer
    assert torch.equal(model.predict(TEXTS, batch_size), expected.argmax(-1))
    assert not found.requires_grad


def test_predict_leaves_each_mode_as_it_was() -> None:
    """Also where a part was in another mode than the whole, and after an error."""
    model = classifier("bert", "mean").train()
    model.encoder.eval()
    before = {name: module.training for name, module in model.named_modules()}
    assert set(before.values()) == {True, False}
    model.predict(TEXTS)
    assert {name: module.training for name, module in model.named_modules()} == before
    with pytest.raises(ValueError, match="token id 30 is outside"):
        model.predict([[1], [30]])
    assert {name: module.training for name, module in model.named_modules()} == before


def test_dropout_acts_in_training_on_the_vector_of_the_text() -> None:
    """A head of ones on a vector of ones: 16 without dropout; with rate 0.5 an even number."""
    model = Classifier(encoder("bert").eval(), 2, "mean", dropout=0.5)
    nn.init.ones_(model.head.weight)
    model.pool = lambda ids, attention_mask=None: torch.ones(len(ids), 16)
    ids = torch.ones(50, 1, dtype=torch.long)
    assert model.eval()(ids).unique().tolist() == [16.0]
    found = model.train()(ids)[:, 0]
    assert len(found.unique()) > 3 and torch.equal(found % 2, torch.zeros(50))


def test_a_classifier_learns_a_rule() -> None:
    """Whether a text holds the token 5; after 60 steps all 64 training texts are right."""
    torch.manual_seed(0)
    texts = [torch.randint(6, 20, (n,)).tolist() for n in torch.randint(2, 9, (64,)).tolist()]
    labels = torch.arange(64) % 2
    for text, label in zip(texts, labels, strict=True):
        text[len(text) // 2] = 5 if label else 6
    model = Classifier(Bert(replace(BERT, dropout=0.0)), 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for _ in range(60):
        loss = classification_loss(model(*batch(texts)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert torch.equal(model.predict(texts), labels)


def test_the_books_trainer_trains_it() -> None:
    """20 steps with a frozen encoder: the loss falls, and nothing of the encoder has moved."""
    torch.manual_seed(0)
    model = classifier("bert", "mean", dropout=0.0)
    freeze(model, "encoder")
    before = {name: p.clone() for name, p in model.encoder.named_parameters()}
    data = Examples([{"ids": text, "label": i % 4} for i, text in enumerate(TEXTS)])
    config = TrainingConfig(steps=20, batch_size=5, learning_rate=0.1)
    history = Trainer(model, ClassLabel(), data, config, quiet=True).fit()
    assert all(torch.equal(p, before[name]) for name, p in model.encoder.named_parameters())
    assert history.losses[-1] < history.losses[0] / 2


def test_smoothed_loss_by_hand() -> None:
    """Logits log(1/2), log(1/4), log(1/4), label 0, ε = 0.3: the target is (0.8, 0.1, 0.1), the
    loss 0.8 log 2 + 0.2 log 4 = 1.2 log 2; without smoothing it is log 2."""
    logits = torch.tensor([[0.5, 0.25, 0.25]]).log()
    label = torch.tensor([0])
    near(classification_loss(logits, label, 0.3), 1.2 * torch.tensor(2.0).log())
    near(classification_loss(logits, label), torch.tensor(2.0).log())


@pytest.mark.parametrize("label", [-100, -1, 4, 99])
def test_a_label_outside_the_classes_is_an_error(label: int) -> None:
    with pytest.raises(ValueError, match=rf"^label {label} is outside the classes: num_classes "
                                         r"\(4\) allows 0 to 3$"):
        classification_loss(torch.zeros(3, 4), torch.tensor([0, label, 3]))


@pytest.mark.parametrize("labels", [torch.tensor([0, 1]), torch.tensor([[0], [1], [2]]),
                                    torch.tensor([0.0, 1.0, 2.0])])
def test_labels_are_one_whole_number_a_text(labels: Tensor) -> None:
    with pytest.raises(ValueError, match="labels must be one whole number for each of 3 texts"):
        classification_loss(torch.zeros(3, 4), labels)


@pytest.mark.parametrize(("kind", "pooling"), [("bert", "last"), ("gpt", "cls"), ("bert", "max")])
def test_a_pooling_that_the_encoder_lacks_is_an_error(kind: str, pooling: str) -> None:
    with pytest.raises(ValueError, match=f"pooling must be one of .* not '{pooling}'"):
        Classifier(encoder(kind), 4, pooling)


def test_one_class_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"num_classes \(1\) must be at least 2"):
        Classifier(encoder("bert"), 1)


@pytest.mark.parametrize(("kind", "pooling"), [("bert", "mean"), ("gpt", "last")])
def test_a_row_of_padding_alone_is_an_error(kind: str, pooling: str) -> None:
    model = classifier(kind, pooling).eval()
    with pytest.raises(ValueError, match="row 1 is all padding"):
        model(torch.ones(2, 3, dtype=torch.long), torch.tensor([[1, 0, 0], [0, 0, 0]]))


@pytest.mark.parametrize(("texts", "message"), [
    ([], "there is no text to classify"), ([[1], [1] * 13], "position 12 is past the context"),
    ([[1], []], "text 1 has no token")])
def test_texts_that_cannot_be_read_are_an_error(texts: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        classifier("bert", "mean").predict(texts)


def test_batches_hold_rows_of_like_length_longest_first() -> None:
    """Lengths 3, 1, 7, 2, 5 in batches of 2: 7 and 5, 3 and 2, 1."""
    assert list(by_length(TEXTS, 2)) == [[2, 4], [0, 3], [1]]
    with pytest.raises(ValueError, match=r"batch_size \(0\) must be at least 1"):
        list(by_length(TEXTS, 0))


def test_rows_are_pooled_in_their_order_at_length_one() -> None:
    """A text's vector does not depend on its companions, nor on what fills the batch."""
    model = encoder("bert").eval()

    def pool(ids: Tensor, mask: Tensor) -> Tensor:
        return mean_pool(model(ids, mask), mask)

    found = pool_rows(TEXTS, pool, batch_size=2, pad_id=9)
    assert not found.requires_grad
    near(found.norm(dim=1), torch.ones(len(TEXTS)))
    for row, vector in zip(TEXTS, found, strict=True):
        ids, mask = batch([row])
        alone = pool(ids, mask)[0].detach()
        near(vector, alone / alone.norm())
