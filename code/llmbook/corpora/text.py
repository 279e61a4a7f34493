"""Words and sentences of English prose, by two small rules that are said in full.

Neither is a linguist's tool: they are short enough to be known completely, which is what an
experiment on counting words needs. Chapter 3 uses `words`, the loaders use `sentences`.
"""

from __future__ import annotations

import re

# \w also holds digits, the underscore, superscripts and fractions; what is left are the letters
# of all scripts. An apostrophe counts only between letters, so quotation marks never do.
LETTER = r"[^\W\d_¹²³¼½¾⁰-₉⅐-↉①-⓿]"
WORD = re.compile(rf"{LETTER}+(?:'{LETTER}+)*")
POSSESSIVE = re.compile(r"'s\b")

_ABBREVIATIONS = """
al approx ave bros c ca capt cf ch cir co col corp cdr dept dr e.g ed eds esp est etc fig figs fl fr
gen gov hon i.e inc jr lit lt ltd maj mr mrs ms mt no nos op p pp ppl prof rep rev sec sen sgt sp
spp sr st ste trans v var viz vol vols vs jan feb mar apr jun jul aug sep sept oct nov dec
"""
ABBREVIATIONS = frozenset(_ABBREVIATIONS.split())
# Words that begin sentences and are seldom part of a name: after "U.S." these alone begin one.
_STARTERS = """
A After Although An And As At Because Before But By During For From He Her His However If In It Its
Many Most On One Other Several She Since Some Such That The Their There These They This Those Though
Through To Under Unlike Until When Where While With
"""
STARTERS = frozenset(_STARTERS.split())
BOUNDARY = re.compile(r"[.!?…][\"'”’»)\]]*(?=\s+[\"'“‘«(\[]*[^\W_a-z])\s+")
LAST_TOKEN = re.compile(r"[^\s(\[\"“‘'/–—]*$")
INITIAL_OR_ACRONYM = re.compile(r"(?:[^\W\d_]\.)*[^\W\d_]")
FIRST_WORD = re.compile(r"[^\W\d_]+")


def words(text: str) -> list[str]:
    """Lower-case words: runs of letters of any script, as chapter 3 counts them.

    Digits, punctuation and hyphens separate words ("non-zero" is two). An apostrophe inside a word
    stays ("don't"), typewriter and typographic alike; a final possessive 's is cut ("Plato's" is
    counted with "plato").
    """
    # "İ".lower() leaves a combining dot behind, which would cut the word in two.
    text = text.lower().replace("\u0307", "").replace("’", "'")
    return WORD.findall(POSSESSIVE.sub("", text))


def sentences(paragraph: str) -> list[str]:
    """The sentences of one paragraph.

    A sentence ends at . ! ? or …, with its closing quotes and brackets, if a space and something
    other than a lower-case letter follow. A full stop after an abbreviation, an initial or an
    acronym ends one only before a word such as "The". So "vitamin C. Rabbits" stays whole: two
    sentences in one are a smaller harm than a name cut in two.
    """
    found, start = [], 0
    for boundary in BOUNDARY.finditer(paragraph):
        if paragraph[boundary.start()] == "." and not _ends_sentence(paragraph, boundary):
            continue
        found.append(paragraph[start : boundary.end()].strip())
        start = boundary.end()
    found.append(paragraph[start:].strip())
    return [sentence for sentence in found if sentence]


def _ends_sentence(paragraph: str, boundary: re.Match[str]) -> bool:
    """Whether the full stop at ``boundary`` ends a sentence rather than an abbreviation."""
    if boundary[0].rstrip() != ".":  # a quote or a bracket was closed behind it
        return True
    before = paragraph[max(0, boundary.start() - 40) : boundary.start()]
    token = LAST_TOKEN.search(before)[0]
    if token.lower() in ABBREVIATIONS or INITIAL_OR_ACRONYM.fullmatch(token):
        following = FIRST_WORD.search(paragraph, boundary.end())
        return following is not None and following[0] in STARTERS
    return True
