"""Smaller models: what is computed by hand equals torch, and the bytes are those of a file."""

from __future__ import annotations

import copy
import io

import pytest
import torch
from torch import nn
from torch.nn.utils import prune as torch_prune

from llmbook.compression import (
    Int8Embedding,
    WordPieceStudent,
    bitmap_bytes,
    dequantize,
    distill,
    int8_linear,
    int8_tables,
    layer_vectors,
    learn_labels,
    prune_linear,
    quantize,
    shallow,
    smallest,
    stored_bytes,
    text_vectors,
)
from llmbook.compression.quantize import quiet
from llmbook.models import Bert, BertConfig

ROWS = [[2, 5, 7, 3], [2, 9, 3], [2, 4, 4, 8, 6, 3], [2, 11, 3]]


def tiny(seed: int = 0) -> Bert:
    torch.manual_seed(seed)
    config = BertConfig(d_model=16, num_heads=2, d_hidden=32, vocab_size=20, context_length=12,
                        num_layers=3, pooler=False)  # fmt: skip
    model = Bert(config).eval()
    for weight in model.parameters():  # far from the small start, so that layers differ
        weight.data += 0.3 * torch.randn_like(weight)
    return model


def test_four_numbers_by_hand() -> None:
    """scale = 2.55 / 127.5 = 0.02; -1.01 is -50.5, which rounds to the even -50."""
    x = torch.tensor([0.0, 0.5, -1.01, 2.55])
    integers, scale = quantize(x)
    assert scale == pytest.approx(0.02)
    assert integers.tolist()[:2] == [0, 25] and integers.tolist()[3] == 127
    assert integers[2] in (-50, -51)
    assert integers.dtype == torch.int8
    assert (dequantize(integers, scale) - x).abs()[:3].max() <= 0.01 + 1e-6


def test_equals_torch_for_a_tensor_and_for_rows() -> None:
    x = torch.randn(7, 12, generator=torch.Generator().manual_seed(0))
    integers, scale = quantize(x)
    with quiet():
        theirs = torch.quantize_per_tensor(x, float(scale), 0, torch.qint8)
    assert torch.equal(theirs.int_repr(), integers)
    rows, scales = quantize(x, per_row=True)
    assert scales.shape == (7, 1)
    for row, numbers, own in zip(x, rows, scales, strict=True):
        alone, its = quantize(row)
        assert torch.equal(alone, numbers) and its == own


def test_the_error_is_half_a_step_but_for_the_largest() -> None:
    """127.5 steps up there is no integer: the largest positive number loses half a step too."""
    x = torch.randn(1000, generator=torch.Generator().manual_seed(1))
    integers, scale = quantize(x)
    assert (dequantize(integers, scale) - x).abs().max() <= scale / 2 * 1.0001


def test_zeros_and_bad_input() -> None:
    integers, scale = quantize(torch.zeros(3))
    assert integers.tolist() == [0, 0, 0] and scale > 0
    with pytest.raises(ValueError, match="matrix"):
        quantize(torch.zeros(3), per_row=True)
    with pytest.raises(ValueError, match="finite"):
        quantize(torch.tensor([1.0, float("nan")]))


def test_int8_linear_has_our_integers_and_computes_with_rounded_inputs() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 5))
    before = copy.deepcopy(model.state_dict())
    small = int8_linear(model)
    assert torch.equal(small[0].weight().int_repr(), quantize(model[0].weight.detach())[0])
    x = torch.randn(4, 8)
    assert (small(x) - model(x)).abs().max() < 0.1
    assert (small(x) - model(x)).abs().max() > 0
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())


def test_a_table_of_integers_looks_up_the_rounded_rows() -> None:
    model = tiny()
    small = int8_tables(model)
    table = small.embeddings.token
    assert isinstance(table, Int8Embedding) and isinstance(model.embeddings.token, nn.Embedding)
    ids = torch.tensor([[3, 4], [19, 0]])
    rounded = dequantize(*quantize(model.embeddings.token.weight.detach(), per_row=True))
    assert torch.equal(table(ids), rounded[ids])
    assert not any(isinstance(m, nn.Embedding) for m in small.modules())
    assert torch.allclose(text_vectors(small, ROWS), text_vectors(model, ROWS), atol=0.05)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
def test_magnitude_pruning_equals_torchs(share: float) -> None:
    torch.manual_seed(0)
    layer = nn.Linear(6, 5)
    zero = smallest(layer.weight, share)
    assert int(zero.sum()) == round(share * 30)
    ours = prune_linear(layer, share)
    theirs = torch_prune.l1_unstructured(copy.deepcopy(layer), "weight", share)
    assert torch.equal(ours.weight, theirs.weight)
    assert torch.equal(ours.bias, layer.bias) and layer.weight.count_nonzero() == 30


def test_pruning_cuts_each_matrix_and_no_table() -> None:
    small = prune_linear(tiny(), 0.5)
    for module in small.modules():
        if isinstance(module, nn.Linear):
            assert module.weight.count_nonzero() == module.weight.numel() / 2
        if isinstance(module, nn.Embedding):
            assert module.weight.all()
    with pytest.raises(ValueError, match="share"):
        prune_linear(tiny(), 1.5)


def test_bytes_of_a_bitmap() -> None:
    """Ten entries need two bytes of bits; three of them are no zero: 2 + 3 * 4."""
    weight = torch.zeros(2, 5)
    weight[0, :3] = 1.0
    assert bitmap_bytes(weight) == 14


@pytest.mark.parametrize("change", [lambda m: m, int8_linear, int8_tables,
                                    lambda m: prune_linear(m, 0.9)])  # fmt: skip
def test_stored_bytes_are_those_of_a_file_but_for_the_names(change) -> None:
    torch.manual_seed(0)
    wide = BertConfig(d_model=64, num_heads=2, d_hidden=256, vocab_size=2000, context_length=12,
                      num_layers=2, pooler=False)  # fmt: skip
    model = change(Bert(wide))
    stream = io.BytesIO()
    torch.save(model.state_dict(), stream)
    assert stored_bytes(model) == pytest.approx(stream.tell(), rel=0.1)


def test_stored_bytes_by_hand() -> None:
    """Float: 4 * (15 + 3). As integers: 15 and 16 of the matrix, 12 of the bias, and what torch
    keeps of the output: a scale (4) and a zero point (8)."""
    model = nn.Sequential(nn.Linear(5, 3))
    assert stored_bytes(model) == 72
    assert stored_bytes(int8_linear(model)) == 15 + 16 + 12 + 12
    assert stored_bytes(Int8Embedding(torch.randn(6, 8))) == 48 + 24


def test_vectors_have_length_one_and_do_not_depend_on_the_batch() -> None:
    model = tiny()
    vectors = text_vectors(model, ROWS, batch_size=4)
    assert torch.allclose(vectors.norm(dim=1), torch.ones(4))
    assert torch.allclose(vectors, text_vectors(model, ROWS, batch_size=1), atol=1e-5)
    hidden = model(torch.tensor([ROWS[1]]))[0].mean(0)
    assert torch.allclose(vectors[1], hidden / hidden.norm(), atol=1e-5)
    with pytest.raises(ValueError, match="no text"):
        text_vectors(model, [])


def test_the_layers_are_those_of_the_shallow_models() -> None:
    model = tiny()
    layers = layer_vectors(model, ROWS, batch_size=2)
    for k in range(4):
        small = shallow(model, k)
        assert len(small.stack.blocks) == k
        assert torch.allclose(layers[k], text_vectors(small, ROWS), atol=1e-5)
    assert len(model.stack.blocks) == 3
    for k in (-1, 4):
        with pytest.raises(ValueError, match="layers"):
            shallow(model, k)


def test_a_student_learns_the_vectors_of_its_teacher() -> None:
    model = tiny()
    rows = [[2, i, (i * 7) % 20, 3] for i in range(20)] + ROWS
    targets = text_vectors(model, rows)
    student = shallow(model, 1)
    student.embeddings.requires_grad_(False)
    table = student.embeddings.token.weight.clone()
    before = 1 - (text_vectors(student, rows) * targets).sum(1).mean()
    losses = distill(student, rows, targets, epochs=20, learning_rate=3e-3, batch_size=8)
    after = 1 - (text_vectors(student, rows) * targets).sum(1).mean()
    assert len(losses) == 20
    assert after < before / 3 and losses[-1] == pytest.approx(float(after), rel=0.3)
    assert torch.equal(student.embeddings.token.weight, table)
    with pytest.raises(ValueError, match="targets"):
        distill(student, rows, targets[:3], epochs=1, learning_rate=1e-3)


def test_the_seed_of_a_student_decides() -> None:
    model, found = tiny(), []
    rows = [[2, i, 3] for i in range(16)]
    targets = text_vectors(model, rows)
    for seed in (0, 0, 1):
        student = shallow(model, 1)
        found.append(distill(student, rows, targets, epochs=2, learning_rate=1e-3, batch_size=2,
                             seed=seed))  # fmt: skip
    assert found[0] == found[1] != found[2]


def test_labels_alone_are_learned_too() -> None:
    """Each text of class 1 holds the token 9."""
    model = tiny()
    rows = [[2, 4 + i % 4, 9 if i % 2 else 12, 3] for i in range(24)]
    labels = torch.arange(24) % 2
    head = learn_labels(model, rows, labels, steps=30, learning_rate=1e-3, batch_size=8)
    said = head(text_vectors(model, rows)).argmax(-1)
    assert (said == labels).float().mean() > 0.9
    with pytest.raises(ValueError, match="0 texts"):
        learn_labels(model, [], labels, steps=1, learning_rate=1e-3)


def test_word_pieces_do_not_know_their_order_and_the_table_stays() -> None:
    torch.manual_seed(0)
    teacher = tiny()
    student = WordPieceStudent(teacher, hidden=8)
    one, other = text_vectors(student, [[2, 5, 7, 3], [2, 7, 5, 3]])
    assert torch.allclose(one, other, atol=1e-6)
    trained = {name for name, p in student.named_parameters() if p.requires_grad}
    assert "table.weight" not in trained and "up.weight" in trained
    student.table.weight.data += 1
    assert not torch.equal(student.table.weight, teacher.embeddings.token.weight)
