"""From MediaWiki markup to sections of sentences.

Not a MediaWiki parser: it expands no template, keeps no table and draws no formula. It knows what
the sample needs, innermost constructs first, so that nesting needs no recursion. What is not a
whole sentence (captions, list entries, lines about removed formulas) is left out, because the
corpus is read as prose.
"""

from __future__ import annotations

import html
import re

from .records import Section
from .text import sentences

# Stands where something the reader would see was removed; a sentence that holds one is dropped.
HOLE = "\ufffc"

# Sections that hold lists, not prose.
_APPARATUS = """
references; external links; see also; further reading; notes; footnotes; bibliography; sources;
citations; works cited; notes and references; references and notes; gallery; filmography;
discography; publications; selected works; works; primary sources; secondary sources; literature;
additional reading; other sources; selected bibliography; notes and citations
"""
APPARATUS = frozenset(title.strip() for title in _APPARATUS.split(";"))

COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
EMPTY_TAG = re.compile(r"<(?:ref|references|gallery|math)\b[^<>]*/\s*>", re.IGNORECASE)
# The first alternative of `inside` lets a lone "<" through; refs do not nest.
REMOVED_ELEMENT = re.compile(
    r"<(ref|gallery|timeline|imagemap|score|references)\b[^<>]*>.*?</\s*\1\s*>",
    re.DOTALL | re.IGNORECASE,
)
HOLE_ELEMENT = re.compile(
    r"<(math|source|syntaxhighlight|pre|chem|hiero)\b[^<>]*>.*?</\s*\1\s*>",
    re.DOTALL | re.IGNORECASE,
)
BREAK = re.compile(r"<\s*/?\s*(?:br|hr|p|div|li|ol|ul|blockquote|center|poem)\b[^<>]*>", re.I)
RAISED = re.compile(r"<sup\b[^<>]*>([^<>]*)</sup\s*>", re.IGNORECASE)
TAG = re.compile(r"</?[a-z][^<>]*>", re.IGNORECASE)
TEMPLATE = re.compile(r"\{\{((?:[^{}]|\{(?!\{)|\}(?!\}))*)\}\}")
TABLE = re.compile(r"\{\|(?:(?!\{\||\|\}).)*\|\}", re.DOTALL)
BARE_LINK = re.compile(r"(?<!\[)\[(?:(?:https?|ftp):)?//[^\s\]]+\]")
EXTERNAL_LINK = re.compile(r"\[(?:(?:https?|ftp):)?//[^\s\]]+\s+([^\]\n]*)\]")
URL = re.compile(r"(?:https?|ftp)://[^\s|\]}<>]+")
LINK = re.compile(r"\[\[((?:[^\[\]]|\[(?!\[)|\](?!\]))*)\]\]")
QUOTES = re.compile(r"'{2,}")
SWITCH = re.compile(r"__[A-Z]+__")
HEADING = re.compile(r"^(={1,6})\s*(.+?)\s*\1\s*$")
LIST_MARK = re.compile(r"^[*#:;]+\s*")
HATNOTE = re.compile(r"(?:See also|Main article|Further information|For other uses)\b")
HOLE_IN_BRACKETS = re.compile(rf"\s?\([^()]*{HOLE}[^()]*\)")
FULL_SENTENCE = re.compile(r"[.!?…][\"'”’»)\]]*$")
SUPERSCRIPTS = str.maketrans("0123456789+-−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻")

# Links into these places show no text of the article; a leading colon makes them ordinary links.
HIDDEN_NAMESPACES = frozenset({"file", "image", "media", "category"})
LANGUAGE_CODE = re.compile(r"[a-z]{2,3}(?:-[a-z]+)?")

# Templates whose first argument is running text ("nowrap|10 June" shows "10 June") …
_SHOWN = """
nowrap small smaller larger big quote sc smallcaps vanchor keypress nihongo tooltip abbr blockquote
cquote quotation bq em strong nobold italic angbr script unicode polytonic vol. mono code kbd var
lsj flag flagcountry circa c. floruit
"""
SHOWN = frozenset(_SHOWN.split())
# … that stand for fixed characters …
CHARACTERS = {
    "'s": "'s",
    "'": "'",
    "nbsp": " ",
    "spaces": " ",
    "thinsp": " ",
    "ndash": "–",
    "spaced ndash": " – ",
    "snd": " – ",
    "endash": "–",
    "mdash": "—",
    "emdash": "—",
    "·": " · ",
    "pipe": "|",
    "!": "|",
    "okina": "ʻ",
    "ayin": "ʿ",
    "hamza": "ʾ",
}
# … and that show something this module does not draw. All others show nothing inside a sentence.
_UNDRAWN = """
audio ipa pron pronunciation respell chem chem2 frac sfrac val e math mvar eqm inflation
simplenuclide simplenuclide2 nuclide physics particle su sup sub radic overline us$ railgauge gaps
vr tl nts currency height
"""
UNDRAWN = frozenset(_UNDRAWN.split())
UNITS = {"acre": "acres", "C": "°C", "F": "°F", "sqmi": "sq mi", "sqft": "sq ft", "sqkm": "km²"}
UNITS |= {"cuft": "cu ft", "cumi": "cu mi", "kmh": "km/h", "oilbbl": "barrels"}
UNITS |= {"Moilbbl": "million barrels", "impgal": "imperial gallons", "USgal": "US gallons"}
RANGE_WORDS = {"-": "–", "–": "–", "to": " to ", "and": " and ", "or": " or ", "x": " × "}
RANGE_WORDS |= {"by": " by ", "+/-": " ± ", "to(-)": " to ", "to about": " to about "}


def sections(wikitext: str) -> tuple[Section, ...]:
    """The sections of an article that hold prose, in order; the lead's heading is ``""``.

    Sections of references, links and lists of works are left out.
    """
    found: list[Section] = []
    heading, level_left_out, lines = "", 7, []
    for line in [*plain_text(wikitext).split("\n"), "= end ="]:
        mark = HEADING.match(line)
        if mark is None:
            lines.append(line)
            continue
        if level_left_out == 7:
            prose = tuple(_prose(lines))
            if prose:
                found.append(Section(heading, prose))
        level, heading, lines = len(mark[1]), _tidy(mark[2]), []
        if level <= level_left_out:  # a section below a left-out one is left out with it
            level_left_out = level if heading.lower() in APPARATUS else 7
    return tuple(found)


def plain_text(wikitext: str) -> str:
    """The text without markup; headings keep their "==", list entries their "*", "#", ":", ";"."""
    text = COMMENT.sub("", wikitext.replace(HOLE, ""))
    text = EMPTY_TAG.sub("", text)
    text = REMOVED_ELEMENT.sub("", text)
    text = HOLE_ELEMENT.sub(HOLE, text)
    text = _innermost_first(TEMPLATE, _template, text)
    text = _innermost_first(TABLE, lambda _: "\n", text)
    text = EXTERNAL_LINK.sub(r"\1", BARE_LINK.sub("", text))
    text = _innermost_first(LINK, _link, text)
    text = URL.sub(HOLE, text)
    text = RAISED.sub(_raised, text)
    text = TAG.sub("", BREAK.sub("\n", text))
    text = html.unescape(QUOTES.sub("", SWITCH.sub("", text)))
    # What was never closed is cut where it opens, to the end of its line.
    text = re.sub(r"(?:\{\{|\[\[|\{\||<ref).*|\}\}|\]\]|\|\}|https?", HOLE, text)
    return "\n".join(line.strip() for line in text.split("\n"))


def _innermost_first(pattern: re.Pattern[str], replacement, text: str) -> str:
    """Replace what holds no further construct of its kind, until none is left."""
    changes = 1
    while changes:
        text, changes = pattern.subn(replacement, text)
    return text


def _template(match: re.Match[str]) -> str:
    name, *arguments = (part.strip() for part in match[1].split("|"))
    name = name.lower().replace("_", " ")
    plain = [argument for argument in arguments if not re.match(r"[\w -]*=", argument)]
    if name in CHARACTERS:
        return CHARACTERS[name]
    if name in UNDRAWN or name.startswith("ipa"):
        return HOLE
    if name in ("convert", "cvt"):
        return _quantity(plain)
    if name in ("as of", "asof") and plain:
        return f"{'as' if 'lc=y' in arguments else 'As'} of {plain[0]}"
    if name == "lang" and len(plain) > 1:
        return plain[1]
    if name == "transl" and plain:
        return plain[-1]  # the arguments before it name the language and the standard
    if plain and (name in SHOWN or name.startswith("lang-")):
        return f"c. {plain[0]}" if name in ("circa", "c.") else plain[0]
    return ""


def _quantity(arguments: list[str]) -> str:
    """``convert|10|-|20|km|mi`` reads "10–20 km": the first unit is the author's own."""
    shown = ""
    for argument in arguments:
        if argument in RANGE_WORDS:
            shown += RANGE_WORDS[argument]
        elif re.match(r"[-−+]?[\d.,]+", argument):
            shown += f"{int(argument):,}" if argument.isdecimal() else argument
        else:
            unit = UNITS.get(argument, argument)
            return f"{shown} {re.sub('(?<=m)[23]$', _raised, unit)}"
    return HOLE


def _link(match: re.Match[str]) -> str:
    target, *labels = match[1].split("|")
    namespace, colon, _ = target.partition(":")
    namespace = namespace.strip().lower()
    if colon and namespace in HIDDEN_NAMESPACES:
        return ""
    if colon and not labels and LANGUAGE_CODE.fullmatch(namespace):
        return ""
    shown = labels[-1] if labels else target.lstrip(":")
    return shown or target.split("(")[0].split(":")[-1].strip()


def _raised(match: re.Match[str]) -> str:
    shown = match[match.lastindex or 0].strip()
    return shown.translate(SUPERSCRIPTS) if re.fullmatch(r"[-−+]?\d*[-−+]?", shown) else shown


def _tidy(text: str) -> str:
    """Mend what removed templates leave: empty brackets, doubled spaces, spaces before a comma."""
    text = re.sub(r"[\s\u200b-\u200f\u2060\ufeff\u00ad]+", " ", text)
    before = None
    while before != text:  # emptying one bracket can empty the one around it
        before = text
        text = HOLE_IN_BRACKETS.sub("", text)
        text = re.sub(r"([(\[])(?:\s|[,;:–—-](?=[\s,;:)\]]))+", r"\1", text)
        text = re.sub(r"[\s,;:]+([)\]])", r"\1", text)
        text = re.sub(r"\s?(?:\((?:e\.g\.|i\.e\.|cf\.|see|from)?\)|\[\d*\]|“”)", "", text)
    text = re.sub(r"\s+([,;:!?%)\]]|\.(?!\.))", r"\1", text)
    text = re.sub(r"[,;:]\s*(?=–)", " ", text)
    text = re.sub(r"[,;:][,;:\s]*([,;.])", r"\1", text)
    # Some articles forget the space after a sentence ("in Europe.The country").
    return re.sub(r"(?<=[a-z]{2}\.)(?=[A-Z][a-z]* )", " ", text).strip()


def _prose(lines: list[str]) -> list[str]:
    """The whole sentences of a section's lines."""
    return [
        sentence
        for paragraph, listed in _paragraphs(lines)
        for sentence in sentences(_tidy(paragraph))
        if _is_prose(sentence, fewest_words=8 if listed else 3)
    ]


def _is_prose(sentence: str, fewest_words: int) -> bool:
    """Whether this is a whole sentence: no hole, no lone bracket, a beginning and an end."""
    return (
        HOLE not in sentence
        and len(sentence.split()) >= fewest_words
        and not sentence[0].islower()
        and sentence.count("(") == sentence.count(")")
        and FULL_SENTENCE.search(sentence) is not None
        and HATNOTE.match(sentence) is None
    )


def _paragraphs(lines: list[str]) -> list[tuple[str, bool]]:
    """Paragraphs, each with whether it is a list entry; plain lines join as on the page."""
    found: list[tuple[str, bool]] = []
    open_paragraph = False
    for line in lines:
        entry = LIST_MARK.sub("", line)
        if entry != line or not line:
            open_paragraph = False
            if entry:
                found.append((entry, True))
        elif open_paragraph:
            found[-1] = (f"{found[-1][0]} {line}", False)
        else:
            found.append((line, False))
            open_paragraph = True
    return found
