"""Phrases in two languages: written by hand, one translation each, splits by value."""

import re
import sys
from collections import Counter
from decimal import Decimal

import pytest

from llmbook import corpora
from llmbook.corpora import PHENOMENA, localized_phrases

module = sys.modules["llmbook.corpora.localized_phrases"]  # the function has the module's name


class Fixed(module._Draw):
    """Draws what it is told, one number after the other."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = list(numbers)

    def below(self, end: int) -> int:
        number = self.numbers.pop(0)
        assert 0 <= number < end
        return number


def phrase(kind: str, *numbers: int) -> tuple[str, str, str]:
    english, chinese, _, phenomenon = module.KINDS[kind](Fixed(*numbers))
    return english.translate(module.SPACES), chinese.translate(module.SPACES), phenomenon


DAY = 25267  # from 1 January 1950 to 7 March 2019, a Thursday


def test_each_kind_by_hand():
    afternoon = 15 * 3600 + 5 * 60 + 7
    assert phrase("date", DAY, 0) == ("Thursday, March 7, 2019", "2019年3月7日星期四", "")
    assert phrase("date", DAY, 2) == ("3/7/19", "2019/3/7", "")
    assert phrase("date and time", DAY, afternoon, 0, 0) == (
        "Thursday, March 7, 2019, 3:05 PM", "2019年3月7日星期四 15:05", "weekday and afternoon")
    assert phrase("date and time", DAY, afternoon, 1, 1) == (
        "March 7, 2019, 3:05:07 PM", "2019年3月7日 15:05:07", "")
    assert phrase("number", 4, 2345, 2, 1) == ("123.45", "123.45", "")
    assert phrase("number", 3, 234, 0, 0, 3, 234) == ("12.34%", "12.34%", "")
    assert phrase("shortened number", 3, 1, 2) == ("1.2 million", "120万", "")
    assert phrase("shortened number", 5, 1, 2) == ("120 million", "1.2亿", "hundred millions")
    assert phrase("shortened number", 6, 1, 2) == ("1.2 billion", "12亿", "")
    assert phrase("shortened money", 3, 1, 2, 0) == ("$1.2M", "US$120万", "")
    assert phrase("shortened money", 3, 1, 2, 2) == ("¥1.2M", "JP¥120万", "yen, shortened")
    assert phrase("shortened money", 5, 1, 2, 2) == ("¥120M", "JP¥1.2亿", "hundred millions")
    assert phrase("money", 0, 0, 3, 234, 50, 1) == ("1,234.50 US dollars", "1,234.50美元", "")
    assert phrase("money", 4, 1, 0, 0, 0, 0) == ("CN¥1.00", "¥1.00", "")
    assert phrase("length of time", 4, 0, 2, 0) == ("3 hours", "3小时", "")
    assert phrase("length of time", 4, 0, 0, 1, 0, 2, 4) == (
        "3 hours, 5 minutes", "3小时5分钟", "")
    assert phrase("length of time", 1, 1, 3, 0) == ("13 months", "13个月", "more than 12 months")
    assert phrase("relative time", 0, 2, 3, 1) == ("3 days ago", "3天前", "")
    assert phrase("relative time", 1, 2, 1, 0) == ("in 12 months", "12个月后", "")


@pytest.mark.parametrize("kind", module.KINDS)
def test_no_phrase_falls_back_to_a_name_of_the_data(kind):
    """"5 duration-hour", or a narrow space that no keyboard has."""
    found = [p for p in localized_phrases() if p.kind == kind]
    assert len(found) > 2000
    for pair in found:
        assert not re.search(r"[a-z]-[a-z]|[\u202f\xa0\u2009]", pair.english + pair.chinese), pair


def test_a_phrase_has_one_translation_in_either_direction():
    phrases = localized_phrases()
    assert len({p.english for p in phrases}) == len({p.chinese for p in phrases}) == len(phrases)
    assert len({p.id for p in phrases}) == len(phrases) == 30_000


def test_splits_keep_values_apart():
    values = [{p.value for p in localized_phrases().split(name)} for name in corpora.SPLITS]
    assert not values[0] & values[1] and not values[0] & values[2] and not values[1] & values[2]


def test_fewer_are_the_first_of_more_and_calls_agree():
    first, again = localized_phrases(500), localized_phrases.__wrapped__(500)
    assert tuple(first) == tuple(again) == localized_phrases()[:500]
    assert first.provenance == again.provenance


def test_phenomena_are_what_they_say():
    tally = Counter(p.phenomenon for p in localized_phrases())
    assert set(tally) == {"", *PHENOMENA}
    for pair in localized_phrases():
        number = re.search(r"(\d+) month", pair.english)
        rounded = pair.value.removeprefix("rounded ")
        wanted = {
            PHENOMENA[0]: "day," in pair.english and pair.english.endswith("PM"),
            PHENOMENA[1]: rounded != pair.value and 10**8 <= Decimal(rounded) < 10**9,
            PHENOMENA[2]: bool(re.fullmatch(r"¥[\d.]+[KMBT]", pair.english)),
            PHENOMENA[3]: pair.english.count(",") < 2 and bool(number) and int(number[1]) > 12,
        }
        if pair.phenomenon:
            assert wanted[pair.phenomenon], pair
        else:
            assert not any(wanted.values()), pair


def test_an_impossible_number():
    with pytest.raises(ValueError, match=r"number .0. must be at least 1"):
        localized_phrases(0)


def test_an_altered_file_is_an_error(monkeypatch):
    monkeypatch.setattr(module, "recorded_hashes",
                        lambda package: dict.fromkeys(module.CLDR_FILES, "sha256=other"))
    with pytest.raises(corpora.CorpusError, match="altered"):
        localized_phrases.__wrapped__(10)
