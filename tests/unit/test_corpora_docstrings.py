"""Documentation strings: taken apart on small ones, then the whole corpus from the cache."""

import base64
import hashlib
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbook import corpora
from llmbook.corpora import sources, tested
from llmbook.corpora.docstring_parts import take_apart
from llmbook.corpora.docstrings import docstrings, read_module

NUMPYDOC = """\
Compute the mean of ``values`` along an `axis`.

The mean is the sum
divided by the number. See :func:`~numpy.sum` and `the guide <https://x.org>`_ [1]_.

.. versionadded:: 1.2
   Not prose.

.. note::
   An empty array has no mean.

Parameters
----------
values : array_like
    The numbers.

    They can be many.

Returns
-------
float

Notes
-----
It is computed in one pass:

.. math:: x = y

====  ====
a     b
====  ====

See Also
--------
median : The middle value.

Examples
--------
It is called so:

>>> mean([1, 3])
2.0
"""

GOOGLE = """\
Load a model.

It is read from the disk::

    model = load()

After that it can be used.

Args:
    path (str): Where it is.
        It must exist.

Returns:
    The model.

The model is not trained.

>>> load("a")
1
"""


def test_numpydoc():
    parts = take_apart(NUMPYDOC)
    assert parts.summary == "Compute the mean of values along an axis."
    assert parts.body.split("\n\n") == [
        "The mean is the sum divided by the number. See sum and the guide.",
        "An empty array has no mean.",
        "It is computed in one pass:",
    ]
    assert parts.parameters.startswith("values : array_like\n    The numbers.\n\n    They can")
    assert parts.parameters.endswith("float")
    assert parts.examples == "It is called so:\n\n>>> mean([1, 3])\n2.0"


def test_google():
    parts = take_apart(GOOGLE)
    assert parts.summary == "Load a model."
    assert parts.body.split("\n\n") == [
        "It is read from the disk:",
        "After that it can be used.",
        "The model is not trained.",
    ]
    assert "path (str): Where it is." in parts.parameters and "The model." in parts.parameters
    assert "model = load()" in parts.examples and '>>> load("a")' in parts.examples


def test_sphinx_fields():
    parts = take_apart("Do it well now.\n\n:param x: a number,\n    or two\n:returns: nothing")
    assert parts.summary == "Do it well now." and parts.body == ""
    assert parts.parameters == ":param x: a number,\n    or two\n:returns: nothing"


@pytest.mark.parametrize("text", ["", "f(x, y) -> z", "====", ">>> 1\n1", "%(doc)s", "x"])
def test_what_is_no_prose_has_no_summary(text):
    assert take_apart(text).summary == ""


def test_a_signature_above_the_summary_is_passed_over():
    assert (
        take_apart("f(x, y) -> z\n\nReturn the sum of both.").summary == "Return the sum of both."
    )


@given(st.lists(st.sampled_from([*NUMPYDOC.split("\n"), *GOOGLE.split("\n"), "```"])))
def test_prose_holds_no_doctest_and_no_table(lines):
    parts = take_apart("\n".join(lines))
    for prose in (parts.summary, parts.body):
        assert ">>>" not in prose and "----" not in prose and "====" not in prose
    assert "\n" not in parts.summary


MODULE = '''
"""About the whole module."""
import no_such_package
raise SystemExit("importing this would end the tests")

class Cat:
    """It is a cat."""
    def purr(self):
        """Make a noise now."""
        def inner():
            """Nobody can see this."""
    @property
    def name(self):
        """What it is called."""
    @name.setter
    def name(self, value):
        """How to call it."""

if True:
    async def run():
        """Run away from here."""
'''


COPIES = '''
def purr():
    """Make a noise now."""
def hiss():
    """Be angry now."""
'''


def test_names_and_kinds():
    found = list(read_module("cats", "cats.all", MODULE.encode()))
    assert [(record.id, record.kind) for record in found] == [
        ("cats.all:", "module"),
        ("cats.all:Cat", "class"),
        ("cats.all:Cat.purr", "method"),
        ("cats.all:Cat.name", "method"),
        ("cats.all:Cat.name#2", "method"),
        ("cats.all:run", "function"),
    ]
    assert {record.document for record in found} == {"cats.all"}


def test_a_template_is_passed_over():
    assert list(read_module("cats", "cats.template", b"def {{ name }}(): pass")) == []


@pytest.fixture
def cats(tmp_path, monkeypatch):
    """An installed package "cats" with four files, of which two are read, and an empty cache."""
    files = {
        "cats/__init__.py": MODULE,
        "cats/copies.py": COPIES,
        "cats/tests/test_it.py": '"""A test of the cats."""',
        "cats/_vendor/dogs.py": '"""These are not cats."""',
    }
    rows = []
    for name, text in files.items():
        path = tmp_path / "site" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        digest = base64.urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest())
        rows.append(f"{name},sha256={digest.rstrip(b'=').decode()},{len(text)}")
    info = tmp_path / "site" / "cats-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        textwrap.dedent("""\
            Metadata-Version: 2.1
            Name: cats
            Version: 1.0
            License: MIT
            """)
    )
    (info / "RECORD").write_text("\n".join(rows))
    monkeypatch.setenv("LLMBOOK_CACHE", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    sources.distribution.cache_clear()
    yield tmp_path / "site"
    sources.distribution.cache_clear()


def read_cats():
    with pytest.warns(UserWarning, match=r"cats 1\.0 are not those this book was tested with"):
        return docstrings.__wrapped__(("cats",))


def test_a_package(cats):
    found = read_cats()
    assert [record.id for record in found][-2:] == ["cats:run", "cats.copies:hiss"]
    assert "cats.copies:purr" not in {record.id for record in found}  # the same prose as Cat.purr
    assert found.provenance.parts[0].source_files == ("cats/__init__.py", "cats/copies.py")
    assert found.provenance.parts[0].licence == "MIT"
    assert found.provenance.counts["records"] == len(found) == 7
    assert not found.fingerprint_matches


def test_twice_the_same_and_from_the_cache(cats):
    first, second = read_cats(), read_cats()
    assert tuple(first) == tuple(second) and first.provenance == second.provenance


def test_the_tested_text_gives_no_warning(cats, monkeypatch, recwarn):
    fingerprint = read_cats().provenance.parts[0].fingerprint
    monkeypatch.setitem(tested.DOCSTRING_FINGERPRINTS, "cats", fingerprint)
    recwarn.clear()
    assert docstrings.__wrapped__(("cats",)).fingerprint_matches
    assert not recwarn.list


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("altered", "cats/copies.py of the package cats was altered after its installation"),
        ("deleted", "cats/copies.py of the package cats cannot be read"),
        ("no record", "the package cats was installed without a list of its files"),
    ],
)
def test_a_damaged_package(cats, damage, message):
    if damage == "altered":
        (cats / "cats/copies.py").write_text('"""Something quite different."""')
    elif damage == "deleted":
        (cats / "cats/copies.py").unlink()
    else:
        (cats / "cats-1.0.dist-info/RECORD").unlink()
    with pytest.raises(corpora.CorpusError, match=message) as error:
        docstrings.__wrapped__(("cats",))
    assert "`python -m pip install --force-reinstall --no-deps cats`" in str(error.value)


def test_a_package_that_is_not_installed():
    with pytest.raises(corpora.CorpusError, match=r"no-such-package.*is not installed"):
        docstrings.__wrapped__(("no-such-package",))


def test_the_whole_corpus():
    """From the user's cache; the first run of all takes most of a minute."""
    corpus = corpora.docstrings()
    counts = corpus.provenance.counts
    assert len(corpus) == counts["records"] > 40_000
    assert counts["words"] > 1_500_000
    assert len({record.id for record in corpus}) == len(corpus)
    assert len({(record.summary, record.body) for record in corpus}) == len(corpus)
    assert [part.package for part in corpus.provenance.parts] == sorted(
        tested.VERSIONS.keys() & {part.package for part in corpus.provenance.parts}
    )
    modules = [{record.module for record in corpus.split(name)} for name in corpora.SPLITS]
    assert not modules[0] & modules[1] and not modules[0] & modules[2]
    assert not modules[1] & modules[2]
    assert all(record.summary and "\n" not in record.summary for record in corpus)
    assert sum(">>>" in record.text for record in corpus) < 10
