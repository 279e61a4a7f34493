"""Tatoeba pairs from a file of the reader's: made-up lines, and what is wrong with a file."""

import sys

import pytest

from llmbook import corpora
from llmbook.corpora.sources import sha256

module = sys.modules["llmbook.corpora.tatoeba"]
LINES = (
    "Good day.\t日安。\tCC-BY: #1 (a) & #2 (b)",
    "good day.\t你好。\tCC-BY: #1 (a) & #3 (c)",
    "Hello.\t你好。\tCC-BY: #4 (d) & #3 (c)",
    "It rains.\t下雨了。\tCC-BY: #5 (e) & #6 (f)",
)


@pytest.fixture
def file(tmp_path, monkeypatch):
    path = tmp_path / "pairs.txt"
    path.write_text("\n".join(LINES) + "\n", "utf8")
    monkeypatch.setattr(module, "TESTED", sha256(path.read_bytes()))
    monkeypatch.delenv("LLMBOOK_TATOEBA", raising=False)
    return path


def test_pairs_with_their_authors(file):
    pairs = corpora.tatoeba(file)
    assert [(p.english, p.chinese) for p in pairs] == [tuple(x.split("\t")[:2]) for x in LINES]
    assert pairs[3].attribution == "CC-BY: #5 (e) & #6 (f)"
    assert pairs.fingerprint_matches and pairs.provenance.licence == "CC BY 2.0 FR"
    assert str(file.parent) not in str(pairs.provenance)


def test_what_shares_a_sentence_through_others_shares_a_split(file):
    """The first and the third have no sentence in common, but both have one with the second."""
    groups = [p.document for p in corpora.tatoeba(file)]
    assert groups[0] == groups[1] == groups[2] != groups[3]


def test_groups_that_meet_late_become_one(file):
    file.write_text("a\t甲\tx\nb\t乙\tx\nc\t丙\tx\nb\t丙\tx\nA\t丙\tx\n", "utf8")
    with pytest.warns(UserWarning):
        assert len({p.group for p in corpora.tatoeba(file)}) == 1


def test_the_variable_names_the_file(file, monkeypatch):
    monkeypatch.setenv("LLMBOOK_TATOEBA", str(file))
    assert len(corpora.tatoeba()) == 4


def test_without_a_file_one_sentence(file):
    with pytest.raises(corpora.CorpusError, match="set LLMBOOK_TATOEBA to the path"):
        corpora.tatoeba()
    with pytest.raises(corpora.CorpusError, match=r"absent.txt cannot be read .No such file"):
        corpora.tatoeba(file.with_name("absent.txt"))


def test_another_file_is_read_and_said(file):
    file.write_text(LINES[0], "utf8")
    with pytest.warns(UserWarning, match="not the file this book was tested with"):
        pairs = corpora.tatoeba(file)
    assert len(pairs) == 1 and not pairs.fingerprint_matches


@pytest.mark.filterwarnings("ignore:.*not the file")
@pytest.mark.parametrize(("content", "message"), [
    (b"", "is empty"),
    (b"Hi.\t\xe4\xbd\xa0\tx\nHi.\n", "line 2 of pairs.txt has not the three fields"),
    (b"Hi.\t\tx", "line 1"),
    (b"\xff\xfe", "not UTF-8"),
])
def test_a_file_of_another_kind(file, content, message):
    file.write_bytes(content)
    with pytest.raises(corpora.CorpusError, match=message):
        corpora.tatoeba(file)
