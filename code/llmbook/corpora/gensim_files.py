"""The files of gensim's test data that this book reads, each with the sha256 of gensim 4.4.0.

They are read as bytes from where gensim is installed; gensim itself is not imported.
"""

from __future__ import annotations

from .sources import read_verified

FOLDER = "gensim/test/test_data/"
SHA256 = {
    "enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2": (
        "a53f4648dec40467ebdcbc7a1307eddb51fe6e28e9309f6ebde81ba0d04bea2d"
    ),
    "lee_background.cor": "5d78d6dafd953bbf65797bef09a9ffb9ec430583381be705f8fd460000f370fb",
    "mini_newsgroup": "be0084ee9aded5eeefabea86bd23f0e5e3a743d9c1875aa1e47bc0728d6a5311",
    "pang_lee_polarity.cor": "662c1b7c3bd0612eaaaf3f0c694cbd3897e30c0d87d2940b46c9fd0d15ed70c1",
    "wordsim353.tsv": "f92a022fc2537793a15bc3a8c162ebcd74990e033a228bb6388cb71e4c0b1e1d",
    "simlex999.txt": "d5e0501971478a511430ee880bd0121e94ac701ba86d90544d83e6d2ba3db05d",
    "questions-words.txt": "8c29b3332afc46f3fb8be04cb5297bf96f39aa7131272dff57869b4485b22a36",
}


def read(name: str) -> bytes:
    """The verified bytes of a test file.

    Raises:
        CorpusError: if gensim or the file is missing, unreadable or altered.
    """
    return read_verified("gensim", FOLDER + name, SHA256[name])
