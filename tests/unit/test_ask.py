"""``python -m llmbook.ask``: what it says, with an index of three pages."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import llmbook.ask
import llmbook.retrieval
from llmbook.ask import answer
from llmbook.ask.__main__ import main
from llmbook.ask.answers import likely
from llmbook.corpora import CorpusError
from llmbook.retrieval import Index, Keywords, Page

PAGES = [
    Page("numpy", "stack", "numpy.core", "Join arrays.", "Along a new axis.", "axis : int"),
    Page("numpy", "sort", "numpy.core", "Sort an array.", "", ""),
    Page("numpy", "mean", "numpy.core", "The mean of an array.", "", ""),
]
INDEX = Index(PAGES, Keywords([page.whole for page in PAGES]),
              np.eye(3, dtype=np.float32), np.zeros(3, dtype=np.float32))  # fmt: skip


def encode(texts):
    """The first axis for what joins, the second for what sorts, far from all else for Paris."""
    found = []
    for text in texts:
        hits = [word in text.lower() for word in ("join", "sort", "mean")]
        found.append(np.array(hits) + 0.0 if any(hits) else np.array([-1.0, -1.0, -1.0]))
    vectors = np.array(found, dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llmbook.retrieval, "open_index", lambda packages, say: INDEX)
    monkeypatch.setattr(llmbook.retrieval, "QueryEncoder", lambda: encode)


def test_the_nearest_page_comes_first_with_its_sentence() -> None:
    first, *_ = answer("how do I join arrays?", INDEX, encode)
    assert (first.page.name, first.sentence, first.score) == ("stack", "Join arrays.", 1.0)


def test_weak_evidence_is_no_answer() -> None:
    assert answer("the capital of Paris", INDEX, encode) == []


def test_a_question_without_a_known_word_is_no_answer() -> None:
    """Its vector may be near a page by chance; here it is at one."""
    assert answer("qqq", INDEX, lambda texts: np.eye(3, dtype=np.float32)[:1]) == []


def test_passages_that_share_words_are_looked_at() -> None:
    found = likely(["one", "two", "an axis", "four", "five"], "which axis?")
    assert found == ["one", "an axis", "two"]


def test_an_answer_is_printed_with_its_source(capsys) -> None:
    assert main(["how do I sort?"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("1. numpy: sort   (numpy.core, score 1.00)\n   Sort an array.")


@pytest.mark.parametrize("question", [[], [""], ["   "], ["?!"]])
def test_an_empty_question_gets_one_sentence(question, capsys) -> None:
    assert main(question) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_long_question_is_cut_and_that_is_said(capsys) -> None:
    assert main(["sort " * 20_000]) == 0
    captured = capsys.readouterr()
    assert "the first 500 are read" in captured.err
    assert "numpy: sort" in captured.out


def test_a_chinese_question_gets_a_sentence(capsys) -> None:
    assert main(["怎么把数组沿新的轴堆叠？"]) == 0
    assert "in English" in capsys.readouterr().out


def test_an_error_is_one_sentence(monkeypatch, capsys) -> None:
    def fail(packages, say):
        raise CorpusError("the package numpy is missing")
    monkeypatch.setattr(llmbook.retrieval, "open_index", fail)
    assert main(["sort"]) == 1
    assert capsys.readouterr().err == "llmbook.ask: the package numpy is missing\n"


def test_ctrl_c_is_one_sentence(monkeypatch, capsys) -> None:
    def stop(packages, say):
        raise KeyboardInterrupt
    monkeypatch.setattr(llmbook.retrieval, "open_index", stop)
    assert main(["sort"]) == 130
    assert "stopped" in capsys.readouterr().err


def test_nothing_imports_torch() -> None:
    """Or an answer would take as long as torch takes to import."""
    names = "llmbook.ask.__main__, llmbook.ask.answers, llmbook.retrieval, bm25s, scipy.special"
    code = f"import sys, {names}; print('torch' in sys.modules, 'transformers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def ten_questions() -> list[dict]:
    path = Path(llmbook.ask.__file__).with_name("questions.json")
    return json.loads(path.read_text("utf8"))["questions"]


def test_the_ten_questions_are_as_they_were_written() -> None:
    questions = ten_questions()
    assert len(questions) == 10
    assert questions[0]["pages"] == ["numpy: stack"]
    assert all(": " in page for question in questions for page in question["pages"])
