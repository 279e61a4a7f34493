"""About a hundred whole articles of English Wikipedia, most of them with titles in A, of 2016.

They come with gensim, as the test file of its Wikipedia reader.
"""

from __future__ import annotations

import bz2
from collections.abc import Iterator
from functools import cache
from xml.etree.ElementTree import ParseError, XMLParser

from . import cache as disk
from .gensim_files import FOLDER, read
from .records import Article, Corpus, CorpusError, Provenance, Section, count
from .sources import distribution, licence, repair_command, sha256
from .wikitext import sections

FILE = "enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"
TEXT_LICENCE = "Wikipedia text, CC BY-SA: name the article and its authors when you quote it"
CODE = ("wikipedia.py", "wikitext.py", "records.py", "text.py")
# Nothing in the sample is longer than this when unpacked; a file that is, is not the sample.
LARGEST_DUMP = 200_000_000


@cache
def wikipedia() -> Corpus[Article]:
    """The Wikipedia sample: articles of sections of sentences, without markup.

    Redirects, lists of references and works, tables and captions are left out, and so is each
    sentence that showed a formula. Order: as in the file. Splits: by article.

    Raises:
        CorpusError: if gensim or its file is missing or altered, or the cache file is damaged.
    """
    data = read(FILE)

    def build():
        articles = [article for article in read_articles(data) if article.sections]
        return articles, {"counts": count(articles, lambda article: len(article.sentences))}

    records, facts = disk.load_or_build("wikipedia", sha256(data), build, CODE)
    articles = (
        Article(id, title, tuple(Section(heading, tuple(found)) for heading, found in parts))
        for id, title, parts in records
    )
    return Corpus(
        "wikipedia",
        articles,
        Provenance(
            package="gensim",
            version=distribution("gensim").version,
            licence=licence("gensim"),
            text_licence=TEXT_LICENCE,
            source_files=(FOLDER + FILE,),
            sha256=sha256(data),
            fingerprint=facts["fingerprint"],
            counts=facts["counts"],
        ),
    )


def read_articles(dump: bytes) -> Iterator[Article]:
    """The articles of a bz2-compressed MediaWiki export, one after the other.

    Raises:
        CorpusError: if ``dump`` is not such a file.
    """
    reader = _PageReader()
    parser = XMLParser(target=reader)
    unpacker, unpacked = bz2.BZ2Decompressor(), 0
    try:
        for start in range(0, len(dump), 1 << 16):
            chunk = unpacker.decompress(dump[start : start + (1 << 16)])
            unpacked += len(chunk)
            if unpacked > LARGEST_DUMP:
                raise ValueError("it unpacks to more than the sample can hold")
            parser.feed(chunk)
            for id, title, text in reader.take():
                yield Article(id, title, sections(text))
        parser.close()
    except (OSError, EOFError, ParseError, ValueError) as error:
        raise CorpusError(
            f"{FILE} of the package gensim is no Wikipedia export ({error}): "
            f"run `{repair_command('gensim')}`"
        ) from error


class _PageReader:
    """Collects (id, title, text) of each article while the XML parser runs over the export.

    A document type declaration is refused: a Wikipedia export has none, and entities declared
    there are how a small XML file grows without bound.
    """

    def __init__(self) -> None:
        self.pages: list[tuple[str, str, str]] = []
        self.page: dict[str, str] = {}
        self.open: list[str] = []
        self.data_parts: list[str] = []

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ValueError("it declares a document type")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        tag = tag.rpartition("}")[2]
        self.open.append(tag)
        self.data_parts = []
        if tag == "page":
            self.page = {}
        elif tag == "redirect":
            self.page["redirect"] = "yes"

    def data(self, text: str) -> None:
        self.data_parts.append(text)

    def end(self, tag: str) -> None:
        tag = self.open.pop()
        # <id> also names revisions and contributors; the page's own stands right below <page>.
        if tag in ("title", "ns", "text") or (tag == "id" and self.open[-1:] == ["page"]):
            self.page[tag] = "".join(self.data_parts)
        elif tag == "page" and self.page.get("ns") == "0" and "redirect" not in self.page:
            self.pages.append((self.page["id"], self.page["title"], self.page.get("text", "")))

    def take(self) -> list[tuple[str, str, str]]:
        """The pages that were completed since the last call."""
        pages, self.pages = self.pages, []
        return pages
