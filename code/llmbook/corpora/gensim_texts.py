"""News, newsgroup posts and film reviews that come with gensim as test files.

Small sets for one lesson each: too small to train a language model on.
"""

from __future__ import annotations

import json
import pickletools
import zlib
from collections.abc import Sequence
from functools import cache

from .gensim_files import FOLDER, read
from .records import Corpus, CorpusError, Document, Provenance, count
from .sources import NO_NOTICE, distribution, licence, repair_command, sha256
from .text import sentences

# 200 names are stored in one string, each as wide as the longest.
NEWSGROUP_FILE_NAME = "../gensim/test/test_data/mini/"


@cache
def news() -> Corpus[Document]:
    """300 Australian news stories of about 200 words each, without labels.

    Lee, Pincombe & Welsh (2005) collected them as the background of a study of how people judge
    the similarity of documents.

    Raises:
        CorpusError: if gensim or its file is missing or altered.
    """
    data = read("lee_background.cor")
    stories = [
        Document(f"lee-{number:03}", line.strip())
        for number, line in enumerate(data.decode().splitlines())
    ]
    return _corpus("news", "lee_background.cor", data, stories)


@cache
def newsgroups() -> Corpus[Document]:
    """200 posts of 1993 to two newsgroups, alt.atheism and sci.space; ``label`` is the group.

    ``text`` is what the author wrote. The lines above it, which name the group among much else,
    are in ``headers``: a classifier that sees them has seen the answer.

    Raises:
        CorpusError: if gensim or its file is missing or altered.
    """
    data = read("mini_newsgroup")
    posts = []
    for name, post in read_newsgroups(data):
        headers, _, text = post.partition("\n\n")
        posts.append(Document(name, text.strip(), name.partition("/")[0], headers))
    return _corpus("newsgroups", "mini_newsgroup", data, posts)


@cache
def movie_reviews() -> Corpus[Document]:
    """200 sentences of film reviews; ``label`` is "pos" or "neg" (Pang & Lee 2005).

    Raises:
        CorpusError: if gensim or its file is missing or altered.
    """
    data = read("pang_lee_polarity.cor")
    reviews = []
    for number, line in enumerate(data.decode("latin-1").splitlines()):
        label, _, text = line.partition(" ")
        reviews.append(
            Document(f"polarity-{number:03}", text.strip(), label.removeprefix("__label__"))
        )
    return _corpus("movie reviews", "pang_lee_polarity.cor", data, reviews)


def read_newsgroups(data: bytes) -> list[tuple[str, str]]:
    """(name, post) of each post in gensim's compressed pickle, which is not unpickled.

    A pickle is a program, and loading one runs it. `pickletools` lists its instructions without
    carrying out any; the posts are the operands of the UNICODE instructions, and the names of
    their files stand in one STRING.

    Raises:
        CorpusError: if ``data`` is not such a file.
    """
    try:
        instructions = list(pickletools.genops(zlib.decompress(data)))
    except (zlib.error, ValueError, IndexError) as error:
        raise _not_the_newsgroups(str(error)) from error
    posts = [operand for code, operand, _ in instructions if code.name == "UNICODE"]
    names = [
        name.rstrip("\0")
        for code, operand, _ in instructions
        if code.name == "STRING" and operand.startswith(NEWSGROUP_FILE_NAME)
        for name in operand.split(NEWSGROUP_FILE_NAME)[1:]
    ]
    if not posts or len(posts) != len(names):
        raise _not_the_newsgroups(f"{len(posts)} posts, {len(names)} names")
    return list(zip(names, posts, strict=True))


def _not_the_newsgroups(found: str) -> CorpusError:
    return CorpusError(
        f"mini_newsgroup of the package gensim does not hold newsgroup posts ({found}): "
        f"run `{repair_command('gensim')}`"
    )


def _corpus(name: str, file: str, data: bytes, documents: Sequence[Document]) -> Corpus[Document]:
    return Corpus(
        name,
        documents,
        Provenance(
            package="gensim",
            version=distribution("gensim").version,
            licence=licence("gensim"),
            text_licence=NO_NOTICE,
            source_files=(FOLDER + file,),
            sha256=sha256(data),
            fingerprint=sha256(json.dumps(documents).encode()),
            counts=count(documents, lambda document: len(sentences(document.text))),
        ),
    )
