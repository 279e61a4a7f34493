"""Word pairs judged by people, and the Google analogies: what word vectors are measured with.

An evaluation set is not trained on. Its splits are there for choosing a setting on one part and
reporting the result on another.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache

from .gensim_files import FOLDER, read
from .records import Analogy, Corpus, Provenance, WordPair, count
from .sources import NO_NOTICE, distribution, licence, sha256

WORD_SIMILARITY = {"wordsim353": "wordsim353.tsv", "simlex999": "simlex999.txt"}


@cache
def word_similarity(name: str) -> Corpus[WordPair]:
    """Pairs of words with the mean of people's judgements, from 0 to 10, in the file's order.

    Args:
        name: "wordsim353" (relatedness: Finkelstein et al. 2002) or "simlex999" (similarity
            proper: Hill, Reichart & Korhonen 2015).

    Raises:
        ValueError: if ``name`` is neither.
        CorpusError: if gensim or its file is missing or altered.
    """
    if name not in WORD_SIMILARITY:
        raise ValueError(
            f"word similarity set {name!r} is unknown: choose one of {', '.join(WORD_SIMILARITY)}"
        )
    file = WORD_SIMILARITY[name]
    data = read(file)
    rows = (line.split("\t") for line in data.decode().splitlines() if not line.startswith("#"))
    pairs = [WordPair(first, second, float(score)) for first, second, score in rows]
    return _corpus(name, file, data, pairs)


@cache
def analogies() -> Corpus[Analogy]:
    """The Google analogies (Mikolov et al. 2013): 14 sections of questions, in the file's order.

    Raises:
        CorpusError: if gensim or its file is missing or altered.
    """
    file = "questions-words.txt"
    data = read(file)
    questions, section = [], ""
    for line in data.decode().splitlines():
        if line.startswith(":"):
            section = line[1:].strip()
        elif line.strip():
            questions.append(Analogy(section, *line.split()))
    return _corpus("analogies", file, data, questions)


def _corpus(name: str, file: str, data: bytes, records: Sequence) -> Corpus:
    return Corpus(
        name,
        records,
        Provenance(
            package="gensim",
            version=distribution("gensim").version,
            licence=licence("gensim"),
            text_licence=NO_NOTICE,
            source_files=(FOLDER + file,),
            sha256=sha256(data),
            fingerprint=sha256(json.dumps(records).encode()),
            counts=count(records, lambda _: 0),
        ),
    )
