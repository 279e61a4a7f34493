"""The vectors that ship with the book belong to the text and the settings that the book names."""

import json
from dataclasses import asdict

import pytest

from llmbook import corpora, vectors
from llmbook.vectors.ablation import CHANGES, RESULTS, SEEDS, load_results
from llmbook.vectors.shipped import CHECKPOINTS, RECIPES, wikipedia_text


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_beside_the_file_is_the_one_in_the_code(name):
    recipe = json.loads((CHECKPOINTS / f"{name}.json").read_text("utf-8"))
    assert recipe["config"] == asdict(RECIPES[name])
    assert recipe["text"] == corpora.wikipedia().provenance.fingerprint


@pytest.mark.parametrize("name, least", [("skipgram", 0.42), ("glove", 0.28)])
def test_shipped_vectors_have_the_vocabulary_and_the_quality_of_the_labs(name, least):
    """The labs print ρ 0.49 and 0.37; the vectors of another text or a spoilt file fall below."""
    loaded = vectors.shipped(name)
    vocabulary, _ = wikipedia_text()
    assert loaded.words == vocabulary.words
    assert loaded.vectors.shape[1] == RECIPES[name].dimension
    assert vectors.judge_similarity(loaded, corpora.word_similarity("wordsim353")).rho > least


def test_unknown_name_says_what_there_is():
    with pytest.raises(KeyError, match="skipgram, glove"):
        vectors.shipped("fasttext")


@pytest.mark.parametrize("kind", CHANGES)
def test_ablation_was_run_on_this_text_with_all_settings_and_seeds(kind):
    stored = json.loads(RESULTS.read_text("utf-8"))
    assert stored["text"] == corpora.wikipedia().provenance.fingerprint
    assert load_results(kind).keys() == CHANGES[kind].keys()
    assert {len(rows) for rows in load_results(kind).values()} == {len(SEEDS)}
