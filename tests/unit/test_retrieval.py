"""Search terms, pages, fusion, keywords, the index on disk; answers in ``test_ask``."""

from __future__ import annotations

import numpy as np
import pytest

from llmbook.corpora import Docstring
from llmbook.retrieval import Keywords, fuse, index, name_words, ranks, right_ranks, terms, to_pages
from llmbook.retrieval.index import Index, open_index
from llmbook.retrieval.public import public_pages, usage


def record(name: str, summary: str = "Sum.", kind: str = "function", module: str = "numpy.core",
           parameters: str = "", examples: str = "") -> Docstring:  # fmt: skip
    return Docstring(f"{module}:{name}", "numpy", module, name, kind, summary, "", parameters,
                     examples)  # fmt: skip


@pytest.mark.parametrize(("name", "words"), [
    ("BaseSearchCV.best_score_", ["base", "search", "cv", "best", "score"]),
    ("HTTPServer2D", ["http", "server", "2", "d"]),
    ("train_test_split", ["train", "test", "split"]),
])
def test_a_name_is_cut_where_a_programmer_joined_it(name: str, words: list[str]) -> None:
    assert name_words(name) == words


def test_terms_are_stems() -> None:
    assert terms("Stacked np.stack stacking") == ["stack", "np", "stack", "stack"]


def test_private_names_and_modules_are_no_pages() -> None:
    records = [record("stack"), record("_help"), record("A.__init__"), record("", kind="module")]
    assert [page.title for page in to_pages(records)] == ["numpy: stack"]


def test_passages_are_sentences_then_parameters() -> None:
    [page] = to_pages([record("f", "One. Two.", parameters="a : int\n    First.\n\nb : int")])
    assert page.passages == ["One.", "Two.", "a : int First.", "b : int"]


def test_equal_scores_keep_their_order() -> None:
    assert ranks(np.array([[1.0, 3.0, 1.0]])).tolist() == [[2, 1, 3]]


def test_fusion_by_hand() -> None:
    """1/61 + 1/63, 1/62 + 1/61, 1/63 + 1/62."""
    found = fuse([np.array([3.0, 2.0, 1.0]), np.array([0.1, 0.9, 0.5])])
    assert np.allclose(found, [1 / 61 + 1 / 63, 1 / 62 + 1 / 61, 1 / 63 + 1 / 62])


def test_fusion_of_other_shapes_is_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        fuse([np.zeros(2), np.zeros(3)])


def test_right_ranks() -> None:
    scores = np.array([[0.9, 0.5], [0.2, 0.1]])
    assert right_ranks(scores, [0, 1]).tolist() == [1, 2]


def test_keywords_come_back_from_their_arrays() -> None:
    first = Keywords(["join arrays", "split an array", "sort lists"])
    again = Keywords.of(first.arrays())
    assert np.array_equal(first.scores("sorted arrays"), again.scores("sorted arrays"))
    assert first.scores("sorted arrays").argmax() == 2


def test_unknown_words_score_nothing() -> None:
    assert Keywords(["join arrays", "sort"]).scores("Paris").tolist() == [0, 0]


def test_what_a_public_folder_imports_is_public() -> None:
    pages = to_pages([
        record("stack", module="numpy._core.shape_base"),
        record("atleast_9d", module="numpy._core.shape_base"),
    ])  # fmt: skip
    assert [page.name for page in public_pages(pages, ["numpy"])] == ["stack"]


def test_usage_counts_the_examples_that_call_a_name() -> None:
    records = [record("stack", examples=">>> stack(a); stack(b)"), record("sort"),
               record("x", examples=">>> np.stack(c)")]  # fmt: skip
    assert usage(to_pages(records), records) == pytest.approx(np.log1p([2, 0, 0]))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path) -> list[str]:
    """A cache folder of its own, and vectors that no model makes; what was said."""
    monkeypatch.setenv("LLMBOOK_CACHE", str(tmp_path))
    monkeypatch.setattr(index, "docstrings", lambda packages: [
        record("stack", "Join arrays."), record("sort", "Sort an array.")])  # fmt: skip
    monkeypatch.setattr(index, "embed", lambda texts, *args, **more: np.eye(len(texts), 4))
    monkeypatch.setattr(index, "public_pages", lambda pages, packages: pages)
    return []


def test_an_index_is_built_once(small: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_index(("numpy",), small.append, progress=False)
    monkeypatch.setattr(index, "build", None)  # would fail
    again = open_index(("numpy",), small.append, progress=False)
    assert [page.name for page in again.pages] == ["stack", "sort"]
    vector = np.array([0, 1, 0, 0], dtype=np.float32)
    one, other = again.search("sort", vector), first.search("sort", vector)
    assert [hit.page for hit in one] == [hit.page for hit in other]
    assert [hit.score for hit in one] == pytest.approx([hit.score for hit in other])
    assert again.search("sort", vector)[0].page.name == "sort"
    assert len(small) == 1


@pytest.mark.parametrize("damage", [
    lambda data: data[: len(data) // 2],
    lambda data: data[:-9] + b"123456789",
    lambda data: b"",
])
def test_a_damaged_index_is_built_again(small: list[str], tmp_path, damage) -> None:
    open_index(("numpy",), small.append, progress=False)
    [path] = tmp_path.glob("pages-*.safetensors")
    path.write_bytes(damage(path.read_bytes()))
    found = open_index(("numpy",), small.append, progress=False)
    assert len(found.pages) == 2
    assert "damaged" in small[-1]
    assert len(Index.read(path).pages) == 2


def test_a_folder_that_cannot_be_written_is_said(small, monkeypatch, tmp_path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LLMBOOK_CACHE", str(tmp_path / "file" / "folder"))
    assert len(open_index(("numpy",), small.append, progress=False).pages) == 2
    assert "cannot be written" in small[-1]


def test_ctrl_c_leaves_nothing_behind(small, monkeypatch, tmp_path) -> None:
    def stopped(*args, **more):
        raise KeyboardInterrupt
    monkeypatch.setattr(index, "build", stopped)
    with pytest.raises(KeyboardInterrupt):
        open_index(("numpy",), small.append, progress=False)
    assert list(tmp_path.iterdir()) == []
