"""Every way in which a source can be missing or wrong is one sentence with the command."""

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from llmbook import corpora
from llmbook.corpora import sources, tested

ROOT = Path(__file__).parents[2]
DATA = "gensim/test/test_data"


@pytest.fixture
def fake_gensim(tmp_path, monkeypatch):
    """A folder that is found before the real gensim, with its metadata but without its files."""
    info = tmp_path / "gensim-4.4.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: gensim\nVersion: 4.4.0\n")
    (tmp_path / DATA).mkdir(parents=True)
    sources.distribution.cache_clear()
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path / DATA
    sources.distribution.cache_clear()


READERS = [
    corpora.wikipedia.__wrapped__,
    corpora.news.__wrapped__,
    corpora.newsgroups.__wrapped__,
    corpora.movie_reviews.__wrapped__,
    corpora.analogies.__wrapped__,
    lambda: corpora.word_similarity.__wrapped__("simlex999"),
]


@pytest.mark.parametrize("read", READERS)
def test_a_missing_package(read, monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    sources.distribution.cache_clear()
    monkeypatch.setattr(metadata, "distribution", missing)
    with pytest.raises(corpora.CorpusError) as error:
        read()
    assert "the package gensim" in str(error.value)
    assert "`python -m pip install gensim==4.4.0`" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("read", READERS)
def test_a_missing_file(read, fake_gensim):
    with pytest.raises(corpora.CorpusError, match="gensim cannot be read") as error:
        read()
    assert "--force-reinstall --no-deps gensim==4.4.0`" in str(error.value)


@pytest.mark.parametrize("read", READERS)
def test_an_altered_file(read, fake_gensim):
    for name in corpora.gensim_files.SHA256:
        (fake_gensim / name).write_bytes(b"altered")
    with pytest.raises(corpora.CorpusError, match="its sha256 differs") as error:
        read()
    assert "gensim==4.4.0`" in str(error.value)


def test_the_tested_versions_are_those_of_the_constraints():
    pinned = dict(
        re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / "constraints.txt").read_text("utf-8"), re.M)
    )
    assert {name: pinned[name] for name in tested.VERSIONS} == tested.VERSIONS


def test_importing_brings_no_heavy_package():
    heavy = "{'torch', 'transformers', 'gensim', 'numpy', 'babel'}"
    code = f"import sys, llmbook.corpora, llmbook.pretrained; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("package", ["gensim", "docutils", "sphinx", "babel", "torch"])
def test_a_licence_is_one_line(package):
    assert 2 < len(sources.licence(package)) < 200
    assert "\n" not in sources.licence(package)


def test_word_similarity():
    pairs = corpora.word_similarity("wordsim353")
    assert len(pairs) == 353
    assert pairs[0] == ("love", "sex", 6.77)
    assert len(corpora.word_similarity("simlex999")) == 999
    assert all(0 <= pair.score <= 10 for pair in pairs)
    with pytest.raises(ValueError, match="wordsim353, simlex999"):
        corpora.word_similarity("men")


def test_a_pair_and_its_reverse_share_a_split():
    assert corpora.WordPair("a", "B", 1).document == corpora.WordPair("b", "A", 2).document


def test_analogies():
    questions = corpora.analogies()
    assert len(questions) == 19_544
    assert len({question.section for question in questions}) == 14
    assert questions[0][1:] == ("Athens", "Greece", "Baghdad", "Iraq")


@pytest.mark.parametrize("read", [*READERS[1:], lambda: corpora.wikipedia.__wrapped__()])
def test_the_same_records_twice_and_disjoint_splits(read):
    first, second = read(), read()
    assert tuple(first) == tuple(second)
    assert first.provenance == second.provenance
    splits = [first.split(name) for name in corpora.SPLITS]
    assert sum(map(len, splits)) == len(first)
    documents = [{record.document for record in split} for split in splits]
    assert not documents[0] & documents[1] and not documents[0] & documents[2]
    assert not documents[1] & documents[2]
