"""Dates in two languages: the CLDR's styles, each day once, splits by day."""

import sys
from collections import Counter
from datetime import date

import pytest

from llmbook import corpora
from llmbook.corpora import localized_dates

module = sys.modules["llmbook.corpora.localized_dates"]  # the function has the module's name


def test_the_styles_by_hand():
    """7 March 2019 was a Thursday; each of the eight styles is written out."""
    wanted = {
        ("en", "full"): ("Thursday, March 7, 2019", "2019年3月7日星期四"),
        ("en", "long"): ("March 7, 2019", "2019年3月7日"),
        ("en", "medium"): ("Mar 7, 2019", "2019年3月7日"),
        ("en", "short"): ("3/7/19", "2019/3/7"),
        ("en_GB", "full"): ("Thursday, 7 March 2019", "2019年3月7日星期四"),
        ("en_GB", "long"): ("7 March 2019", "2019年3月7日"),
        ("en_GB", "medium"): ("7 Mar 2019", "2019年3月7日"),
        ("en_GB", "short"): ("07/03/2019", "2019/3/7"),
    }
    found = {}
    for style in wanted:  # whatever style md5 gives that day, all eight must be right
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "STYLES", (style,))
            pair = module._pair(date(2019, 3, 7))
            found[style] = (pair.english, pair.chinese)
    assert found == wanted


def test_each_day_once_and_styles_about_equally_often():
    dates = localized_dates()
    assert len(dates) == 36525 == len({pair.id for pair in dates})
    styles = Counter((pair.locale, pair.length) for pair in dates)
    assert len(styles) == 8
    assert max(styles.values()) < 1.1 * min(styles.values())
    assert dates[0].year == 1950 and dates[-1].year == 2049


def test_splits_keep_days_apart_and_calls_agree():
    first, again = localized_dates(1990, 1999), localized_dates.__wrapped__(1990, 1999)
    assert tuple(first) == tuple(again) and first.provenance == again.provenance
    days = [{pair.id for pair in first.split(name)} for name in corpora.SPLITS]
    assert not days[0] & days[1] and not days[0] & days[2] and not days[1] & days[2]
    whole = {pair.id: pair for pair in localized_dates()}
    assert all(whole[pair.id] == pair for pair in first)


@pytest.mark.parametrize("years", [(2000, 1999), (900, 950), (9990, 10001)])
def test_impossible_years(years):
    with pytest.raises(ValueError, match=f"{years[0]} to {years[1]}"):
        localized_dates(*years)


def test_an_altered_file_is_an_error(monkeypatch):
    def other(package):
        return dict.fromkeys(module.FILES, "sha256=other")

    monkeypatch.setattr(module, "recorded_hashes", other)
    with pytest.raises(corpora.CorpusError, match="altered"):
        localized_dates.__wrapped__(2000, 2000)
