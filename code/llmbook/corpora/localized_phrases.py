"""Dates, numbers, money and lengths of time in English and in simplified Chinese, without end.

Babel writes both sides by the rules of the CLDR, so each pair is right, and there are as many as
one likes. A phrase is made from the md5 of its number; nothing is drawn at random. Babel's files
are checked before it reads them, as in ``parallel``.

Three traps of the data, and what is done here: the CLDR writes some spaces as narrow or unbreakable
ones, which become plain spaces; Chinese has no long form of most lengths of time ("5
duration-hour"), so its short form is taken (5小时); a Chinese day has one long form where English
has two ("March 7, 2019", "Mar 7, 2019"), so English keeps the long one, and no Chinese has two
translations.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import count as count_from
from typing import Any, NamedTuple

from .parallel import CLDR_FILES
from .records import Corpus, Provenance, count
from .sources import distribution, licence, read_unaltered, recorded_hashes, sha256

CURRENCIES = (
    "USD", "EUR", "JPY", "GBP", "CNY", "KRW", "INR", "CAD", "AUD", "BRL", "MXN", "CHF", "THB",
    "SEK",
)  # fmt: skip
UNITS = ("year", "month", "week", "day", "hour", "minute", "second")
PARTS = {  # a unit, the one that may follow it, and how many of that one at most
    "year": ("month", 11), "month": ("day", 30), "week": ("day", 6), "day": ("hour", 23),
    "hour": ("minute", 59), "minute": ("second", 59),
}  # fmt: skip
SECONDS = {
    "year": 31536000, "month": 2592000, "week": 604800, "day": 86400, "hour": 3600, "minute": 60,
    "second": 1,
}  # fmt: skip
START, DAYS = datetime(1950, 1, 1), 36525  # a hundred years
SPACES = str.maketrans({"\u202f": " ", "\xa0": " "})

# What a phrase may hold that a model can be trained without: its parts stand in other phrases.
PHENOMENA = (
    "weekday and afternoon",  # Friday, …, 3:05 PM
    "hundred millions",  # 120 million, which is 1.2亿
    "yen, shortened",  # ¥1.2M
    "more than 12 months",
)


class LocalizedPhrase(NamedTuple):
    """The same phrase in two languages; ``phenomenon`` is one of ``PHENOMENA``, or ""."""

    id: str
    english: str
    chinese: str
    kind: str  # "date", "date and time", "number", …: see KINDS
    value: str  # the day, the amount, the length of time, without language or style
    phenomenon: str

    @property
    def text(self) -> str:
        """The English side."""
        return self.english

    @property
    def document(self) -> str:
        """The value, so that no day and no amount stands in two splits, in whatever style."""
        return self.value


@cache
def localized_phrases(number: int = 30_000) -> Corpus[LocalizedPhrase]:
    """The first ``number`` phrases, no two alike; the first thousand are those of every call.

    In either language a phrase has one translation.

    Raises:
        ValueError: if ``number`` is below 1.
        CorpusError: if Babel is missing or one of its files was altered.
    """
    if number < 1:
        raise ValueError(f"number ({number}) must be at least 1")
    recorded = recorded_hashes("babel")
    contents = [read_unaltered("babel", f, recorded.get(f, "not there")) for f in CLDR_FILES]
    phrases: list[LocalizedPhrase] = []
    seen: set[str] = set()
    for n in count_from():
        phrase = _phrase(n)
        if phrase.english not in seen:
            seen.add(phrase.english)
            phrases.append(phrase)
            if len(phrases) == number:
                break
    return Corpus(
        f"the first {number:,} phrases",
        phrases,
        Provenance(
            package="babel",
            version=distribution("babel").version,
            licence=licence("babel"),
            text_licence="Unicode's CLDR: see its licence",
            source_files=CLDR_FILES,
            sha256=sha256(b"".join(contents)),
            fingerprint=sha256(json.dumps(phrases).encode()),
            counts=count(phrases, lambda _: 0),
        ),
    )


class _Draw:
    """Whole numbers from the md5 of a text."""

    def __init__(self, text: str) -> None:
        digest = hashlib.md5(text.encode(), usedforsecurity=False).digest()
        self.rest = int.from_bytes(digest, "big")

    def below(self, end: int) -> int:
        self.rest, drawn = divmod(self.rest, end)
        return drawn

    def one_of(self, choices: Sequence[Any]) -> Any:
        return choices[self.below(len(choices))]

    def digits(self, least: int, most: int) -> int:
        """A number of ``least`` to ``most`` digits, each length equally often."""
        length = least + self.below(most + 1 - least)
        return 10 ** (length - 1) + self.below(9 * 10 ** (length - 1))


def _phrase(n: int) -> LocalizedPhrase:
    draw = _Draw(f"phrase {n}")
    kind = draw.one_of(tuple(KINDS))
    english, chinese, value, phenomenon = KINDS[kind](draw)
    return LocalizedPhrase(
        f"phrase-{n}",
        english.translate(SPACES),
        chinese.translate(SPACES),
        kind,
        value,
        phenomenon,
    )


Found = tuple[str, str, str, str]  # English, Chinese, value, phenomenon


def _date(draw: _Draw) -> Found:
    from babel.dates import format_date

    day, length = START + timedelta(draw.below(DAYS)), draw.one_of(("full", "long", "short"))
    english, chinese = (format_date(day, length, locale=locale) for locale in ("en", "zh"))
    return english, chinese, f"{day:%Y-%m-%d}", ""


def _date_and_time(draw: _Draw) -> Found:
    from babel.dates import format_date, format_time, get_datetime_format

    moment = START + timedelta(draw.below(DAYS), draw.below(SECONDS["day"]))
    length, of_time = draw.one_of(("full", "long", "short")), draw.one_of(("short", "medium"))
    english, chinese = (
        get_datetime_format(length, locale=locale)
        .replace("{0}", format_time(moment, of_time, locale=locale))
        .replace("{1}", format_date(moment, length, locale=locale))
        for locale in ("en", "zh")
    )
    afternoon = length == "full" and moment.hour >= 12
    return english, chinese, f"{moment:%Y-%m-%d}", PHENOMENA[0] if afternoon else ""


def _number(draw: _Draw) -> Found:
    from babel.numbers import format_decimal, format_percent

    number = Decimal(draw.digits(1, 8)).scaleb(-draw.below(3))
    if draw.below(3):
        english, chinese = (format_decimal(number, locale=locale) for locale in ("en", "zh"))
        return english, chinese, f"number {number.normalize():f}", ""
    number = Decimal(draw.digits(1, 5)).scaleb(-4)
    english, chinese = (
        format_percent(number, format="#,##0.##%", locale=locale) for locale in ("en", "zh")
    )
    return english, chinese, f"percent {number.normalize():f}", ""


def _rounded(draw: _Draw) -> tuple[Decimal, str, bool]:
    """A number of one to four digits and some zeros, from 1,000 to below 10 trillion."""
    length = 4 + draw.below(10)
    number = Decimal(draw.digits(1, 4))
    number = number.scaleb(length - 1 - number.adjusted())
    return number, f"rounded {number.normalize():f}", number.adjusted() == 8


def _shortened(draw: _Draw) -> Found:
    from babel.numbers import format_compact_decimal

    number, value, hundred_millions = _rounded(draw)
    english, chinese = (  # Chinese has no long form: 万 is short enough
        format_compact_decimal(number, format_type=form, locale=locale, fraction_digits=4)
        for locale, form in (("en", "long"), ("zh", "short"))
    )
    return english, chinese, value, PHENOMENA[1] if hundred_millions else ""


def _shortened_money(draw: _Draw) -> Found:
    from babel.numbers import format_compact_currency

    number, value, hundred_millions = _rounded(draw)
    currency = draw.one_of(CURRENCIES)
    english, chinese = (
        format_compact_currency(number, currency, locale=locale, fraction_digits=4)
        for locale in ("en", "zh")
    )
    yen = currency == "JPY"
    return english, chinese, value, PHENOMENA[1] if hundred_millions else PHENOMENA[2] * yen


def _money(draw: _Draw) -> Found:
    from babel.numbers import format_currency

    currency, form = draw.one_of(CURRENCIES), draw.one_of(("name", "standard"))
    amount = Decimal(draw.digits(1, 7))
    cents = draw.below(100) * draw.below(2)
    if currency not in ("JPY", "KRW"):  # they have no smaller unit
        amount += Decimal(cents).scaleb(-2)
    english, chinese = (
        format_currency(amount, currency, format_type=form, locale=locale)
        for locale in ("en", "zh")
    )
    return english, chinese, f"amount {amount:f}", ""


def _length(draw: _Draw) -> Found:
    from babel.lists import format_list
    from babel.units import format_unit

    unit = draw.one_of(UNITS)
    parts = [(draw.digits(1, 3), unit)]
    if unit in PARTS and draw.below(2):
        smaller, most = PARTS[unit]
        parts = [(draw.digits(1, 2), unit), (1 + draw.below(most), smaller)]
    english, chinese = (
        format_list(
            [format_unit(n, f"duration-{u}", form, locale=locale) for n, u in parts],
            style="unit", locale=locale,
        )
        for locale, form in (("en", "long"), ("zh", "short"))
    )  # fmt: skip
    return english, chinese, english, _months(*parts[0])


def _relative(draw: _Draw) -> Found:
    from babel.dates import format_timedelta

    number, unit, sign = draw.digits(1, 3), draw.one_of(UNITS), draw.one_of((1, -1))
    english, chinese = (
        format_timedelta(
            timedelta(seconds=sign * number * SECONDS[unit]),
            granularity=unit, threshold=1e9, add_direction=True, locale=locale,
        )
        for locale in ("en", "zh")
    )  # fmt: skip
    return english, chinese, f"{number} {unit}", _months(number, unit)


def _months(number: int, unit: str) -> str:
    return PHENOMENA[3] if unit == "month" and number > 12 else ""


KINDS = {
    "date": _date,
    "date and time": _date_and_time,
    "number": _number,
    "shortened number": _shortened,
    "money": _money,
    "shortened money": _shortened_money,
    "length of time": _length,
    "relative time": _relative,
}
