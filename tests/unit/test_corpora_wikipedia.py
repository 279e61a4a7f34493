"""The Wikipedia sample: markup that goes, prose that stays."""

import bz2

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbook import corpora
from llmbook.corpora.wikipedia import read_articles
from llmbook.corpora.wikitext import sections

LEFTOVERS = (
    *("{{", "}}", "[[", "]]", "{|", "|}", "<ref", "</", "<!--", "|thumb", "File:", "Image:"),
    *("Category:", "&nbsp;", "&amp;", "&lt;", "''", "http", "__TOC__", "==", "( ", " )", "()"),
    *("[]", "(,", "(;", " ,", ",,", ";,", "  ", "\n", "\t", "\u00a0", "\ufffc"),
)


def lead(wikitext: str) -> str:
    """The first sentence, of a text that is one paragraph."""
    return sections(wikitext)[0].sentences[0]


@pytest.fixture(scope="module")
def wikipedia():
    return corpora.wikipedia()


@pytest.mark.parametrize(
    ("wikitext", "expected"),
    [
        ("'''Ada''' is a ''[[river|long river]]''.", "Ada is a long river."),
        ("Ada {{citation needed|date={{date}}}} flows on.", "Ada flows on."),
        ("Ada<ref name=x>{{cite|a}} [[b]]</ref><ref name=y /> flows on.", "Ada flows on."),
        ("Ada flows on.<!-- never\nshown -->", "Ada flows on."),
        ("[[File:a.jpg|thumb|A [[b|c]] of [http://x.org d] and {{e}}]]Ada flows on.", None),
        ("[[Category:Rivers]]Ada flows on.[[fr:Ada]]", "Ada flows on."),
        ("{| class=a\n| {| \n| b\n|}\n|}\nAda flows on.", "Ada flows on."),
        ("Ada ({{IPA|x}}; Greek: ''b'') flows on.", "Ada flows on."),
        ("Ada ( {{x}}, {{y}} ) flows on.", "Ada flows on."),
        ("Ada ({{x}}; from ''b'') flows on.", "Ada (from b) flows on."),
        ("Ada is {{convert|1500|sqmi|km2|abbr=on}} wide.", "Ada is 1,500 sq mi wide."),
        ("Ada is {{convert|10|-|20|km}} wide.", "Ada is 10–20 km wide."),
        ("Ada is 5&nbsp;km<sup>2</sup> of H<sub>2</sub>O.", "Ada is 5 km² of H2O."),
        ("It shows [http://x.org/a?b=c a page] on it.", "It shows a page on it."),
        ("It shows {{lang|fr|César}} on it.", "It shows César on it."),
        ("''Animal Farm'' and {{nowrap|10 June}} are here.", "Animal Farm and 10 June are here."),
        ("Tom &amp; Jerry &ndash; a show on [[WP:TV|TV]].", "Tom & Jerry – a show on TV."),
    ],
)
def test_markup(wikitext, expected):
    assert lead(wikitext) == (expected or "Ada flows on.")


def test_a_sentence_about_a_removed_formula_is_dropped():
    found = sections("Ada is short. It is <math>x^2</math> long. It also is {{frac|1|2}} wide. So.")
    assert [section.sentences for section in found] == [("Ada is short.",)]


def test_headings_make_sections_and_lists_of_works_go():
    found = sections(
        "Ada is a river.\n== Use ==\nIt is used much.\n=== By ''ships'' ===\nBig ships use it.\n"
        "== References ==\nNone is needed here.\n=== Notes ===\nNor is this here.\n"
        "== Future ==\nIt will flow on.\n"
    )
    assert [section.heading for section in found] == ["", "Use", "By ships", "Future"]
    assert found[-1].sentences == ("It will flow on.",)


def test_list_entries_stay_only_if_they_are_sentences():
    found = sections(
        "Ada has these banks.\n* [[Left bank]]\n* The left bank is where all of the people live.\n"
    )
    assert found[0].sentences == (
        "Ada has these banks.",
        "The left bank is where all of the people live.",
    )


MARKUP = st.lists(
    st.sampled_from(
        [
            *(
                "{{",
                "}}",
                "[[",
                "]]",
                "{|",
                "|}",
                "|",
                "<ref>",
                "</ref>",
                "<!--",
                "-->",
                "'''",
                "''",
            ),
            *(
                "(",
                ")",
                "[",
                "]",
                "File:",
                "http://x.y ",
                "&nbsp;",
                "==",
                "\n",
                " ",
                ", ",
                ". ",
                "* ",
            ),
            *("Ada", "flows", "on", "It is a river. ", "<math>", "</math>", "{", "}", "<br />"),
        ]
    ),
    max_size=40,
).map("".join)


@settings(max_examples=300)
@given(MARKUP)
def test_no_markup_survives_however_it_is_broken(wikitext):
    """Unclosed and crossed constructs included: the cleaner ends, and lets nothing through."""
    for section in sections(wikitext):
        for sentence in section.sentences:
            for mark in ("{{", "}}", "[[", "]]", "<ref", "</ref", "''", "http", "&nbsp;", "\ufffc"):
                assert mark not in sentence


@given(st.lists(st.sampled_from(["river", "bank", "ship", "long", "old"]), min_size=3, max_size=9))
def test_plain_sentences_pass_unchanged(drawn):
    sentence = f"The {' '.join(drawn)}."
    assert sections(sentence)[0].sentences == (sentence,)


def test_no_leftovers_in_the_whole_corpus(wikipedia):
    text = [sentence for article in wikipedia for sentence in article.sentences]
    found = {mark: sum(mark in sentence for sentence in text) for mark in LEFTOVERS}
    assert {mark: number for mark, number in found.items() if number} == {}
    assert all(sentence == sentence.strip() for sentence in text)


def test_no_leftovers_in_headings(wikipedia):
    headings = [section.heading for article in wikipedia for section in article.sections]
    assert not [heading for heading in headings if any(mark in heading for mark in LEFTOVERS)]
    assert not {heading.lower() for heading in headings} & {"references", "see also", "notes"}


def test_counts_and_provenance(wikipedia):
    provenance = wikipedia.provenance
    assert len(wikipedia) == provenance.counts["documents"] > 100
    assert 380_000 < provenance.counts["words"] < 440_000
    assert provenance.counts["words"] == sum(len(corpora.words(a.text)) for a in wikipedia)
    assert provenance.counts["sentences"] == sum(len(a.sentences) for a in wikipedia)
    assert provenance.licence == "LGPL-2.1-only"
    assert "CC BY-SA" in provenance.text_licence
    assert provenance.source_files[0].endswith("shortened.bz2")


def test_first_article(wikipedia):
    assert (wikipedia[0].id, wikipedia[0].title) == ("12", "Anarchism")
    assert wikipedia[0].sections[0].sentences[0] == (
        "Anarchism is a political philosophy that advocates self-governed societies based on "
        "voluntary institutions."
    )
    assert not any("redirect" in article.text[:20].lower() for article in wikipedia)


def test_splits_are_disjoint_and_complete(wikipedia):
    splits = [{article.id for article in wikipedia.split(name)} for name in corpora.SPLITS]
    assert sum(map(len, splits)) == len(set.union(*splits)) == len(wikipedia)
    assert all(splits)


def test_a_corpus_is_read_only(wikipedia):
    with pytest.raises(AttributeError, match="read only"):
        wikipedia.name = "another"
    with pytest.raises(AttributeError):
        wikipedia[0].title = "another"
    with pytest.raises(TypeError):
        wikipedia[0] = None


def test_an_unknown_split_names_the_known_ones(wikipedia):
    with pytest.raises(ValueError, match="choose one of train, validation, test"):
        wikipedia.split("dev")


def test_a_document_type_is_refused():
    """Entities declared in a document type are how a small XML file grows without bound."""
    bomb = '<!DOCTYPE m [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><mediawiki>&b;</mediawiki>'
    with pytest.raises(corpora.CorpusError, match="declares a document type"):
        list(read_articles(bz2.compress(bomb.encode())))


@pytest.mark.parametrize("dump", [b"no bz2", bz2.compress(b"<mediawiki><page>"), b""])
def test_a_file_that_is_no_export(dump):
    with pytest.raises(corpora.CorpusError, match="no Wikipedia export"):
        list(read_articles(dump))


def test_redirects_and_other_namespaces_are_left_out():
    page = (
        "<page><title>{}</title><ns>{}</ns><id>{}</id>{}"
        "<revision><id>9</id><text>{}</text></revision></page>"
    )
    prose = "Ada is a long river."
    dump = "".join(
        [
            "<mediawiki>",
            page.format("Ada", 0, 1, "", prose),
            page.format("Adda", 0, 2, '<redirect title="Ada" />', prose),
            page.format("Talk:Ada", 1, 3, "", prose),
            "</mediawiki>",
        ]
    )
    found = list(read_articles(bz2.compress(dump.encode())))
    assert [(article.id, article.title) for article in found] == [("1", "Ada")]
    assert found[0].text == prose
