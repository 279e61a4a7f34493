"""English and Chinese: CLDR names and program messages."""

from collections import Counter

import pytest

from llmbook import corpora
from llmbook.corpora import parallel


def test_names():
    names = corpora.english_chinese("names")
    assert len(names) > 2000
    by_english = {(pair.kind, pair.english): pair.chinese for pair in names}
    assert by_english["language", "French"] == "法语"
    assert by_english["territory", "Germany"] == "德国"
    assert by_english["city", "Tokyo"] == "东京"
    assert by_english["month", "January"] == "一月"
    assert Counter(pair.kind for pair in names)["currency"] > 200


def test_messages():
    messages = corpora.english_chinese("messages")
    assert len(messages) > 700
    assert {part.package for part in messages.provenance.parts} == set(parallel.CATALOGUES)
    assert all("\n" not in pair.english + pair.chinese for pair in messages)


@pytest.mark.parametrize("kind", parallel.KINDS)
def test_pairs_are_unique_and_stable(kind):
    first = corpora.english_chinese(kind)
    second = corpora.english_chinese.__wrapped__(kind)
    assert tuple(first) == tuple(second) and first.provenance == second.provenance
    assert len({(pair.english, pair.chinese) for pair in first}) == len(first)
    assert len({pair.id for pair in first}) == len(first)
    assert all(any("\u4e00" <= c <= "\u9fff" for c in pair.chinese) for pair in first)
    english = [{pair.english.lower() for pair in first.split(name)} for name in corpora.SPLITS]
    assert not english[0] & english[1] and not english[0] & english[2]


def test_an_unknown_kind():
    with pytest.raises(ValueError, match="names, messages"):
        corpora.english_chinese("dates")


@pytest.mark.parametrize(("kind", "package"), [("names", "babel"), ("messages", "sphinx")])
def test_an_altered_file_is_an_error(kind, package, monkeypatch):
    hashes = parallel.recorded_hashes

    def other(name):
        return {path: "sha256=other" for path in hashes(name)} if name == package else hashes(name)

    monkeypatch.setattr(parallel, "recorded_hashes", other)
    with pytest.raises(corpora.CorpusError, match=f"package {package} was altered .*{package}=="):
        corpora.english_chinese.__wrapped__(kind)
