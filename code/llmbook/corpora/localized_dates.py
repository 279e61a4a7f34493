"""Dates in English and in simplified Chinese, as many as one likes: Babel writes them both.

Each day stands once, in one of eight styles: the CLDR's full, long, medium and short, as they are
written in the United States and in Britain. The Chinese side is the CLDR's of the same length.
Babel's files are checked before it reads them, as in ``parallel``; nothing is drawn at random.
"""

from __future__ import annotations

import hashlib
import json
from datetime import date, timedelta
from functools import cache
from typing import NamedTuple

from .parallel import CLDR_FILES
from .records import Corpus, Provenance, count
from .sources import distribution, licence, read_unaltered, recorded_hashes, sha256

FILES = (*CLDR_FILES, "babel/locale-data/en_GB.dat")
STYLES = tuple(
    (locale, length) for locale in ("en", "en_GB") for length in ("full", "long", "medium", "short")
)


class LocalizedDate(NamedTuple):
    """A day in two languages; ``locale`` is "en" (United States) or "en_GB"."""

    id: str  # 1979-03-07
    english: str
    chinese: str
    locale: str
    length: str  # "full", "long", "medium" or "short"

    @property
    def text(self) -> str:
        """The English side."""
        return self.english

    @property
    def document(self) -> str:
        """The day, so that no day stands in two splits, in whatever style."""
        return self.id

    @property
    def year(self) -> int:
        """The year, in full where the short American style gives two digits of it."""
        return int(self.id[:4])


@cache
def localized_dates(first_year: int = 1950, last_year: int = 2049) -> Corpus[LocalizedDate]:
    """Every day from January 1 of the first year to December 31 of the last, once.

    The style of a day comes from the md5 of its date, so it is the same in every call. In the
    short American style a year has two digits: within a hundred years it can be told, across more
    it cannot.

    Raises:
        ValueError: if the years are not in order, or not between 1000 and 9999.
        CorpusError: if Babel is missing or one of its files was altered.
    """
    if not 1000 <= first_year <= last_year <= 9999:
        raise ValueError(f"years {first_year} to {last_year}: give two from 1000 to 9999, in order")
    recorded = recorded_hashes("babel")
    contents = [read_unaltered("babel", file, recorded.get(file, "not there")) for file in FILES]
    days = (date(last_year, 12, 31) - date(first_year, 1, 1)).days + 1
    pairs = [_pair(date(first_year, 1, 1) + timedelta(number)) for number in range(days)]
    return Corpus(
        f"dates {first_year} to {last_year}",
        pairs,
        Provenance(
            package="babel",
            version=distribution("babel").version,
            licence=licence("babel"),
            text_licence="Unicode's CLDR: see its licence",
            source_files=FILES,
            sha256=sha256(b"".join(contents)),
            fingerprint=sha256(json.dumps(pairs).encode()),
            counts=count(pairs, lambda _: 0),
        ),
    )


def _pair(day: date) -> LocalizedDate:
    from babel.dates import format_date

    digest = hashlib.md5(f"style of {day}".encode(), usedforsecurity=False).digest()
    locale, length = STYLES[digest[0] % len(STYLES)]
    return LocalizedDate(
        day.isoformat(),
        format_date(day, length, locale=locale),
        format_date(day, length, locale="zh"),
        locale,
        length,
    )
