"""The translator: tokens, batches, what it refuses, search, recipes, the shipped folders."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load as load_tensors

from llmbook import translation
from llmbook.corpora import english_chinese, localized_phrases
from llmbook.models import Seq2Seq, Seq2SeqConfig
from llmbook.tokenizers import train_bpe
from llmbook.training import CheckpointError, TrainingConfig
from llmbook.translation import (
    RECIPES,
    TOKENS,
    CharacterTokenizer,
    Recipe,
    Translator,
    all_words_seen,
    examples,
    fit,
    load,
    load_facts,
    look_up,
    nearest,
    placeholders,
    recipes,
    shipped,
)
from llmbook.translation import __main__ as command
from llmbook.translation.batches import AlikeLengths

TINY = {"context_length": 48, "d_model": 16, "num_heads": 2, "d_hidden": 32, "num_layers": 1,
        "dropout": 0.0, "norm_first": True}  # fmt: skip
RECIPE = Recipe(name="phrases", pairs="phrases", first=40, model=TINY,
                training=TrainingConfig(steps=3, batch_size=8))  # fmt: skip


LONGER = TrainingConfig(steps=100, batch_size=16, learning_rate=1e-2)


def pair(english: str, chinese: str, kind: str = "") -> SimpleNamespace:
    return SimpleNamespace(english=english, chinese=chinese, kind=kind)


@pytest.fixture(autouse=True)
def one_thread():
    """The command sets threads; what comes after must not notice."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def small() -> Translator:
    tokenizer = CharacterTokenizer.of(["3 days ago", "3天前"], TOKENS)
    torch.manual_seed(1)
    return Translator(Seq2Seq(Seq2SeqConfig(vocab_size=len(tokenizer), **TINY)), tokenizer)


# Characters


def test_characters_by_hand(tmp_path):
    tokenizer = CharacterTokenizer.of(["ba", "天a"], ("<end>", "<unknown>"))
    assert tokenizer.characters == "ab天" and len(tokenizer) == 5
    assert tokenizer.encode("天ab?") == [4, 2, 3, 1]
    assert tokenizer.decode([4, 2, 0, 1]) == "天a<end><unknown>"
    assert tokenizer.unknown("a?b!?") == ["?", "!"]
    tokenizer.save(tmp_path / "t.json")
    again = CharacterTokenizer.load(tmp_path / "t.json")
    assert again.encode("天ab") == [4, 2, 3] and again.special_tokens == tokenizer.special_tokens


@pytest.mark.parametrize(("characters", "special", "message"), [
    ("aa", ("<unknown>",), "a character stands twice"),
    ("a", ("<unknown>", "<x>", "<x>"), "a special token stands twice"),
    ("a", ("<x>",), "must hold '<unknown>'"),
])
def test_impossible_characters(characters, special, message):
    with pytest.raises(ValueError, match=message):
        CharacterTokenizer(characters, special)


@pytest.mark.parametrize("i", [-1, 3])
def test_an_id_that_no_character_has(i):
    with pytest.raises(ValueError, match="ids go from 0 to 2"):
        CharacterTokenizer("ab", ("<unknown>",)).decode([i])


# Batches


def rows(n: int) -> list[dict[str, list[int]]]:
    return [{"source": [i + 1] * (i * 7 % n + 1), "target": [1, 2]} for i in range(n)]


def test_an_epoch_holds_each_example_once_and_little_padding():
    data, seen, padded = AlikeLengths(rows(200), 10, seed=3), [], 0
    for _ in range(20):
        batch = data.draw(10)
        seen += batch["source"][:, 0].tolist()
        padded += int((batch["source_mask"] == 0).sum())
        assert batch["source"].shape == batch["source_mask"].shape
    assert sorted(seen) == list(range(1, 201))
    assert seen != sorted(seen) and padded <= 20 * 10 * 9
    second = [i for _ in range(20) for i in data.draw(10)["source"][:, 0].tolist()]
    assert second != seen and sorted(second) == sorted(seen)


def test_batches_are_in_no_order_of_length():
    data = AlikeLengths(rows(200), 10)
    widths = [data.draw(10)["source"].shape[1] for _ in range(20)]
    assert widths not in (sorted(widths), sorted(widths, reverse=True))


def test_a_stopped_run_reads_on():
    data = AlikeLengths(rows(50), 10, seed=1)
    for _ in range(7):  # in the second epoch
        data.draw(10)
    state = data.state_dict()
    wanted = [data.draw(10)["source"].tolist() for _ in range(6)]
    again = AlikeLengths(rows(50), 10, seed=9)
    again.load_state_dict(state)
    assert [again.draw(10)["source"].tolist() for _ in range(6)] == wanted
    with pytest.raises(ValueError, match="fingerprint"):
        AlikeLengths(rows(51), 10).load_state_dict(state)


def test_no_examples_and_another_batch_size():
    with pytest.raises(ValueError, match="no examples"):
        AlikeLengths([], 10)
    with pytest.raises(ValueError, match="hold 10 examples, not 5"):
        AlikeLengths(rows(20), 10).draw(5)


# The translator


def test_direction_text_end(small):
    special, encode = small.tokenizer.special_tokens, small.tokenizer.encode
    assert small.source("3天", "en") == [special["<en>"], *encode("3天"), special["<end>"]]
    assert small.source("3", "zh")[0] == special["<zh>"]
    assert small.target("3天") == [special["<start>"], *encode("3天"), special["<end>"]]
    with pytest.raises(ValueError, match="'fr' is unknown: choose one of en, zh"):
        small.source("3", "fr")
    found = examples([pair("3 d", "3天")], small)
    assert found == [
        {"source": small.source("3天", "en"), "target": small.target("3 d")},
        {"source": small.source("3 d", "zh"), "target": small.target("3天")},
    ]
    assert examples([pair("3 d", "3天")], small, ("zh",)) == found[1:]


@pytest.mark.parametrize(("text", "message"), [
    ("", "the text is empty"),
    (" \n", "the text is empty"),
    ("3 дня", r"has never seen 'д', 'н', 'я': it would only guess"),
    ("3xyzw", r"'x', 'z', 'w', …|'x', 'z', 'w'"),
    ("3" * 47, "has 47 tokens, and this translator reads at most 46"),
    ("3" * 100_000, "has 100,000 tokens, and this translator reads at most 46"),
])
def test_one_clear_sentence(small, text, message):
    with pytest.raises(ValueError, match=message) as raised:
        small.translate(["3 days", text])
    assert len(str(raised.value)) < 120


def test_the_longest_text_is_read(small):
    assert len(small.translate(["3" * 46])) == 1


@pytest.fixture(scope="module")
def trained() -> tuple[Translator, list[str]]:
    """A hundred steps make answers of different lengths; and some texts in no order of length."""
    translator, _ = fit(replace(RECIPE, training=LONGER), quiet=True)
    texts = [p.english for p in RECIPE.split("train")[:8]]
    assert texts not in (sorted(texts, key=len), sorted(texts, key=len, reverse=True))
    return translator, texts


def test_one_beam_is_greedy_and_the_order_of_texts_is_kept(trained):
    translator, texts = trained
    written = translator.write(texts, "zh")
    assert len(set(written)) > 2
    assert [a[0].text for a in translator.search(texts, "zh", beams=1)] == written
    assert [translator.write([t], "zh")[0] for t in texts] == written
    assert translator.translate(texts) == written
    found = [a[0].text for a in translator.search(texts, "zh", 3)]
    assert translator.translate(texts, beams=3) == found
    assert found == [translator.search([t], "zh", 3)[0][0].text for t in texts]


def test_log_probabilities_are_those_of_the_model_and_decide(trained):
    translator, texts = trained
    lengths = set()
    for text, answers in zip(texts, translator.search(texts, "zh", 3), strict=True):
        values = [answer.log_prob for answer in answers]
        assert values == sorted(values, reverse=True) and len(values) == 3
        lengths.add(len({len(answer.text) for answer in answers}))
        for answer in answers:
            if len(answer.text) < 40:  # one that was cut off has no end
                assert translator.log_prob(text, answer.text, "zh") == pytest.approx(
                    answer.log_prob, abs=1e-3)
    assert max(lengths) > 1  # a mean over the length would order them otherwise


# Recipes


def test_phrases_leave_out_what_is_held_out():
    kept = recipes.select("phrases", "train", 48)
    assert not any(p.phenomenon for p in kept)
    everything = recipes.select("all phrases", "train", 48)
    assert [p for p in everything if not p.phenomenon] == kept
    assert everything == list(localized_phrases().split("train"))  # all fit


def test_names_of_the_test_stand_nowhere_in_the_training():
    train, test = (recipes.select("names", s, 128) for s in ("train", "test"))
    plain = {recipes.plain(t) for p in train for t in (p.english, p.chinese)}
    assert not plain & {recipes.plain(t) for p in test for t in (p.english, p.chinese)}
    raw = [p for k in ("names", "messages") for p in english_chinese(k).split("test")]
    assert 0.9 * len(raw) < len(test) < len(raw)
    kinds = [p.kind == "message" for p in train]
    assert abs(sum(kinds[: len(kinds) // 4]) / (len(kinds) // 4) - sum(kinds) / len(kinds)) < 0.05
    assert max(len(t) for p in train for t in (p.english, p.chinese)) <= 126
    assert recipes.plain("Guinea-Bissau  (1)") == "guineabissau1"


def test_fit_learns_and_depends_on_its_seed_alone():
    recipe = replace(RECIPE, training=LONGER)
    first, history = fit(recipe, quiet=True)
    again, repeated = fit(recipe, quiet=True)
    assert history.losses == repeated.losses
    assert sum(history.losses[-5:]) < 0.7 * sum(history.losses[:5])
    texts = [p.english for p in recipe.split("train")[:5]]
    assert first.write(texts, "zh") == again.write(texts, "zh")


def test_byte_pairs_take_the_place_of_characters():
    recipe = replace(RECIPE, pieces=300)
    translator, _ = fit(recipe, quiet=True)
    assert len(translator.tokenizer) == 300
    assert len(translator.translate(["3 дня"])) == 1  # bytes know every script


# Baselines


TRAIN = [pair("Fiji", "斐济"), pair("Fiji", "另"), pair("Fiji Time", "斐济时间"),
         pair("Summer Time", "夏令时间"), pair("Peru", "秘鲁")]  # fmt: skip


def test_look_up_takes_the_longest_entry_and_the_first_of_two():
    assert look_up(["Fiji Summer Time", "peru fiji time", "Fiji, Mars!", ""], TRAIN) == [
        "斐济夏令时间", "秘鲁斐济时间", "斐济mars", ""]  # fmt: skip


def test_nearest():
    assert nearest(["Peruvian", "summer times"], TRAIN) == ["秘鲁", "夏令时间"]
    assert nearest(["秘鲁的"], TRAIN, to="en") == ["Peru"]


def test_all_words_seen():
    assert all_words_seen(["Peru-Time", "peru", "Peruvian Time"], TRAIN) == [True, True, False]


@pytest.mark.parametrize(("text", "found"), [
    ("%s of %(total)d: {name} %r", ["%(total)d", "%r", "%s", "{name}"]),
    ("100 % sure", []),
    ("%s%s", ["%s", "%s"]),
    ("%5.1f", ["%5.1f"]),
])
def test_placeholders(text, found):
    assert placeholders(text) == found


# On disk


def test_the_command_makes_a_folder_that_loads(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(command.RECIPES, "phrases", RECIPE)
    assert command.main(["phrases", "--steps", "2", "--out", str(tmp_path / "t")]) == 0
    assert "to zh: 0 of 2736 validation pairs" in capsys.readouterr().out
    facts = load_facts(tmp_path / "t")
    assert facts["command"] == "python -m llmbook.translation phrases --steps 2"
    assert facts["recipe"]["training"]["steps"] == 2 and len(facts["curve"]) == 2
    assert facts["recipe"]["fingerprints"] == RECIPE.fingerprints()
    translator = load(tmp_path / "t")
    assert all((p.half().float() == p).all() for p in translator.model.parameters())
    assert not translator.model.training
    stored = load_tensors((tmp_path / "t" / "model.safetensors").read_bytes())
    assert {tensor.dtype for tensor in stored.values()} == {torch.float16}
    assert translator.translate(["3 days ago"])


def test_a_folder_with_byte_pairs(tmp_path):
    tokenizer = train_bpe(["3 days", "3天"], 264, TOKENS)
    model = Seq2Seq(Seq2SeqConfig(vocab_size=len(tokenizer), **TINY))
    shipped.ship(tmp_path / "t", Translator(model, tokenizer), {"recipe": {"pieces": 264}})
    assert load(tmp_path / "t").tokenizer.encode("3天") == tokenizer.encode("3天")


def test_what_is_missing_or_altered_is_named(tmp_path, monkeypatch):
    with pytest.raises(CheckpointError, match=r"'poems' does not ship .* phrases, names"):
        load("poems")
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    with pytest.raises(CheckpointError, match=r"run `python -m llmbook.translation names`"):
        load("names")


@pytest.mark.parametrize("name", RECIPES)
def test_the_shipped_translators_are_of_todays_recipe(name, tmp_path):
    facts, wanted = load_facts(name), json.loads(json.dumps(RECIPES[name].describe()))
    assert facts["recipe"] == wanted
    assert facts["command"] == f"python -m llmbook.translation {name}"
    folder = shipped.FOLDER / f"translator-{name}"
    assert sum(f.stat().st_size for f in folder.iterdir()) < 1.3e6
    copy = shutil.copytree(folder, tmp_path / name)
    content = bytearray((copy / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (copy / "model.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"model.safetensors is cut short or was altered"):
        load(copy)


def test_the_shipped_translator_of_phrases_translates():
    translator = load("phrases")
    pairs = recipes.select("phrases", "validation", 48)[:100]
    found = translator.translate([p.english for p in pairs])
    assert sum(a == p.chinese for a, p in zip(found, pairs, strict=True)) >= 95
    found = translator.translate([p.chinese for p in pairs], to="en")
    assert sum(a == p.english for a, p in zip(found, pairs, strict=True)) >= 95


def test_the_package_says_what_it_holds():
    assert set(translation.__all__) <= set(dir(translation))
