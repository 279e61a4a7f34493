"""News, newsgroups and film reviews; above all, that no pickle is ever executed."""

import ast
import pickle
import zlib
from collections import Counter
from pathlib import Path

import pytest

import llmbook
from llmbook import corpora
from llmbook.corpora.gensim_texts import read_newsgroups


def test_news():
    news = corpora.news()
    assert len(news) == 300
    assert news[0].text.startswith("Hundreds of people have been forced")
    assert {story.label for story in news} == {""}


def test_newsgroups():
    posts = corpora.newsgroups()
    assert Counter(post.label for post in posts) == {"alt.atheism": 100, "sci.space": 100}
    assert len({post.id for post in posts}) == 200


def test_headers_leak_the_label_and_stand_apart():
    for post in corpora.newsgroups():
        groups = next(
            line for line in post.headers.split("\n") if line.lower().startswith("newsgroups:")
        )
        assert post.label in groups
        assert not post.text.lower().startswith(("newsgroups:", "path:", "from:", "xref:"))


def test_movie_reviews():
    reviews = corpora.movie_reviews()
    assert Counter(review.label for review in reviews) == {"neg": 100, "pos": 100}
    assert reviews[0].text == "simplistic , silly and tedious ."
    assert not any("__label__" in review.text for review in reviews)


def test_a_pickle_is_read_but_never_run(tmp_path):
    """The payload would create a file. It is live: unpickling it, at the end, does create it."""
    canary = tmp_path / "canary"
    payload = (
        b"(lp0\nVFrom: a\\u000a\\u000aHello\np1\na"
        b"S'../gensim/test/test_data/mini/sci.space/1'\np2\na"
        b"cbuiltins\nopen\n(S'" + str(canary).encode() + b"'\nS'w'\ntRa."
    )
    assert read_newsgroups(zlib.compress(payload)) == [("sci.space/1", "From: a\n\nHello")]
    assert not canary.exists()
    pickle.loads(payload)[2].close()
    assert canary.exists()


@pytest.mark.parametrize(
    "data", [b"", b"no zlib", zlib.compress(b"no pickle"), zlib.compress(b".")]
)
def test_what_is_no_newsgroup_file(data):
    with pytest.raises(corpora.CorpusError, match=r"mini_newsgroup .* gensim==4\.4\.0`"):
        read_newsgroups(data)


def test_the_library_never_unpickles():
    """No module of the library imports a loader that can run what it reads."""
    loaders = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
    for path in Path(llmbook.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not loaders & {name.partition(".")[0] for name in names}, path
