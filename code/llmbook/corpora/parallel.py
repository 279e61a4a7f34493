"""The same thing in English and in simplified Chinese: names from the CLDR, program messages.

The CLDR is Unicode's data about languages and regions; Babel carries it. Babel stores it as
pickles and reads them itself; this module unpickles nothing, and before it asks Babel for a
locale it checks that Babel's files are the ones that were installed.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from functools import cache

from .records import Corpus, Provenance, Translation, count
from .sources import distribution, licence, read_unaltered, recorded_hashes, sha256

CLDR_FILES = tuple(
    f"babel/{name}"
    for name in ("global.dat", *(f"locale-data/{code}.dat" for code in ("en", "root", "zh")))
)
CATALOGUES = {
    "jupyter-server": (
        "jupyter_server/i18n/zh_CN/LC_MESSAGES/nbui.po",
        "jupyter_server/i18n/zh_CN/LC_MESSAGES/notebook.po",
    ),
    "pydata-sphinx-theme": ("pydata_sphinx_theme/locale/zh/LC_MESSAGES/sphinx.po",),
    "sphinx": ("sphinx/locale/zh_CN/LC_MESSAGES/sphinx.po",),
    "sphinx-book-theme": (
        "sphinx_book_theme/theme/sphinx_book_theme/static/locales/zh_CN/LC_MESSAGES/booktheme.po",
    ),
    **{
        f"sphinxcontrib-{name}": (
            f"sphinxcontrib/{name}/locales/zh_CN/LC_MESSAGES/sphinxcontrib.{name}.po",
        )
        for name in ("applehelp", "devhelp", "htmlhelp", "qthelp", "serializinghtml")
    },
}
KINDS = ("names", "messages")


@cache
def english_chinese(kind: str = "names") -> Corpus[Translation]:
    """Pairs of English and simplified Chinese, each pair once.

    Args:
        kind: "names" of languages, territories, scripts, currencies, cities, time zones, units
            and calendar words, from the CLDR; or "messages" of programs, from the catalogues of
            the packages that build this book. A message may hold placeholders ("%s") and markup.

    Raises:
        ValueError: if ``kind`` is neither.
        CorpusError: if a package is missing or one of its files was altered.
    """
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r} is unknown: choose one of {', '.join(KINDS)}")
    files = {"babel": CLDR_FILES} if kind == "names" else CATALOGUES
    parts = []
    pairs: list[Translation] = []
    seen: set[tuple[str, str]] = set()
    for package, paths in files.items():
        contents = {path: _read(package, path) for path in paths}
        found = _names() if kind == "names" else _messages(contents)
        kept = []
        for of_kind, source, english, chinese in found:
            if (english, chinese) not in seen and _is_chinese(chinese):
                seen.add((english, chinese))
                number = len(pairs) + len(kept)
                kept.append(Translation(f"{kind}-{number:04}", english, chinese, of_kind, source))
        pairs.extend(kept)
        parts.append(
            Provenance(
                package=package,
                version=distribution(package).version,
                licence=licence(package),
                text_licence="Unicode's CLDR: see its licence"
                if kind == "names"
                else "as the package",
                source_files=paths,
                sha256=sha256(b"".join(contents.values())),
                fingerprint=sha256(json.dumps(kept).encode()),
                counts=count(kept, lambda _: 0),
            )
        )
    return Corpus(f"English-Chinese {kind}", pairs, _together(parts, pairs))


def _read(package: str, path: str) -> bytes:
    recorded = recorded_hashes(package).get(path, "not among the package's files")
    return read_unaltered(package, path, recorded)


def _is_chinese(text: str) -> bool:
    return any("\u4e00" <= character <= "\u9fff" for character in text)


def _names() -> Iterator[tuple[str, str, str, str]]:
    """(kind, source, English, Chinese) of everything that the CLDR names in both languages."""
    from babel import Locale

    english, chinese = Locale("en"), Locale("zh")
    tables = {
        "language": (english.languages, chinese.languages),
        "territory": (english.territories, chinese.territories),
        "script": (english.scripts, chinese.scripts),
        "variant": (english.variants, chinese.variants),
        "currency": (english.currencies, chinese.currencies),
        "city": (_cities(chinese.time_zones, english.time_zones), _cities(chinese.time_zones)),
        "time zone": (_time_zones(english.meta_zones), _time_zones(chinese.meta_zones)),
        "unit": (_units(english), _units(chinese)),
        "month": (english.months["format"]["wide"], chinese.months["format"]["wide"]),
        "day": (english.days["format"]["wide"], chinese.days["format"]["wide"]),
        "quarter": (english.quarters["format"]["wide"], chinese.quarters["format"]["wide"]),
    }
    for kind, (ours, theirs) in tables.items():
        for code in sorted(set(ours) & set(theirs), key=str):
            yield kind, f"CLDR {code}", ours[code], theirs[code]


def _cities(zones: Mapping, named: Mapping | None = None) -> dict[str, str]:
    """City of each time zone; English leaves a city out where its zone is called after it."""
    named = zones if named is None else named
    return {
        zone: named.get(zone, {}).get("city") or zone.rpartition("/")[2].replace("_", " ")
        for zone in zones
        if "city" in zones[zone]
    }


def _time_zones(zones: Mapping) -> dict[str, str]:
    return {
        f"{zone} {variant}": name
        for zone in zones
        for variant, name in zones[zone].get("long", {}).items()
    }


def _units(locale) -> dict[str, str]:
    names = locale.unit_display_names
    return {unit: names[unit]["long"] for unit in names if "long" in names[unit]}


def _messages(contents: Mapping[str, bytes]) -> Iterator[tuple[str, str, str, str]]:
    """(kind, source, English, Chinese) of every finished message of some catalogues."""
    from babel.messages.pofile import read_po

    for path, data in contents.items():
        for message in read_po(io.BytesIO(data)):
            # A plural form is a tuple; a fuzzy message is a translator's guess.
            if isinstance(message.id, str) and message.id and message.string and not message.fuzzy:
                yield (
                    "message",
                    path,
                    " ".join(message.id.split()),
                    " ".join(message.string.split()),
                )


def _together(parts: list[Provenance], pairs: list[Translation]) -> Provenance:
    if len(parts) == 1:
        return parts[0]
    return Provenance(
        package=", ".join(part.package for part in parts),
        version=", ".join(part.version for part in parts),
        licence="each package's own: see parts",
        text_licence="as the package",
        source_files=tuple(file for part in parts for file in part.source_files),
        sha256=sha256("".join(part.sha256 for part in parts).encode()),
        fingerprint=sha256(json.dumps(pairs).encode()),
        counts=count(pairs, lambda _: 0),
        parts=tuple(parts),
    )
