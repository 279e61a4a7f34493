"""The study of smaller models: its splits are clean, and its cheap rows come out again."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from llmbook import corpora
from llmbook.compression import text_vectors
from llmbook.studies import efficiency, stored


@pytest.mark.parametrize("seed", [0, 1, 100])
def test_no_module_is_on_both_sides_and_packages_are_balanced(seed: int) -> None:
    _, labels, modules = efficiency.texts()
    train, test = efficiency.split(seed)
    assert not set(modules[train]) & set(modules[test])
    assert np.bincount(labels[train]).tolist() == [efficiency.LABELS] * 8
    assert np.bincount(labels[test]).tolist() == [efficiency.TESTED] * 8
    assert len(set(train)) == 600 and len(set(test)) == 800


def test_the_seed_draws_the_modules() -> None:
    assert set(efficiency.split(0).train) != set(efficiency.split(1).train)
    assert np.array_equal(efficiency.split(0).test, efficiency.split(0).test)


def test_the_students_read_no_module_of_the_task() -> None:
    modules = set(efficiency.texts()[2])
    outside = {record.text for record in corpora.docstrings() if record.document not in modules}
    allowed = {tuple(row) for row in efficiency.read(sorted(outside))}
    rows = efficiency.unlabelled()
    assert len(rows) == efficiency.UNLABELLED
    assert all(tuple(row) in allowed for row in rows)
    assert max(map(len, rows)) <= efficiency.TOKENS


def test_a_new_student_trains_no_table_and_the_seed_is_its_own() -> None:
    block, pieces = (efficiency.new_student(kind, 0) for kind in efficiency.STUDENTS)
    for student in (block, pieces):
        sizes = [p.numel() for p in student.parameters() if p.requires_grad]
        assert 0 < sum(sizes) < 2_000_000  # a table has eleven million
    again, other = (efficiency.new_student("word pieces", seed) for seed in (0, 1))
    assert torch.equal(again.up.weight, pieces.up.weight)
    assert not torch.equal(other.up.weight, pieces.up.weight)


def test_the_baseline_and_no_layers_come_out_again() -> None:
    """The two variants that cost nearly nothing; the others are left to the command."""
    row = stored.load(efficiency.NAME)[0]
    places = efficiency.split(0)
    fresh = {"tf-idf": efficiency.counted(places)}
    both = np.concatenate(places)
    x = np.zeros((len(efficiency.texts()[0]), 384))
    encoder = efficiency.shallow(efficiency.teacher(), 0)
    x[both] = text_vectors(encoder, [efficiency.rows()[i] for i in both]).numpy()
    fresh["0 layers"] = efficiency.answers(x, places, efficiency.usual("0 layers"))
    for name, found in fresh.items():
        assert (found == efficiency.given(row, name)).mean() > 0.99


def test_right_answers_are_the_packages() -> None:
    row = stored.load(efficiency.NAME)[1]
    truth = efficiency.texts()[1][efficiency.split(1).test]
    row = {**row, "answers": {"x": "".join(map(str, truth))}}
    assert efficiency.right(row, "x").all()
    row["answers"]["x"] = "".join(map(str, (truth + 1) % 8))
    assert not efficiency.right(row, "x").any()
