"""The shipped models: what they are made of, how a folder is written and read, the command."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from llmbook import corpora, training
from llmbook.models import BertConfig, BertForMaskedTokens, GPTConfig
from llmbook.training import (
    CheckpointError,
    HeldOut,
    MaskedTokens,
    NextToken,
    TrainingConfig,
    evaluate,
    load,
    load_facts,
)
from llmbook.training import __main__ as command
from llmbook.training.recipes import (
    BERT_TOKENS,
    END,
    RECIPES,
    Ingredients,
    Recipe,
    new_model,
)
from llmbook.training.shipped import ship

SMALL = Recipe(
    name="small",
    model=GPTConfig.modern(vocab_size=300, context_length=16, d_model=16, num_layers=1,
                           num_heads=2),
    training=TrainingConfig(steps=4, batch_size=2, evaluate_every=2, save_every=2),
    texts=("documentation",),
    first=8,
)  # fmt: skip
SMALL_BERT = replace(
    SMALL, name="small_bert", special_tokens=BERT_TOKENS, around=("[CLS]", "[SEP]"), mask_rate=0.3,
    model=BertConfig(vocab_size=300, context_length=16, d_model=16, num_layers=1, num_heads=2,
                     d_hidden=32, pooler=False),
)  # fmt: skip


@pytest.fixture(scope="module")
def small() -> Ingredients:
    return Ingredients(SMALL)


@pytest.fixture(autouse=True)
def one_thread():
    """The command sets threads; what comes after must not notice."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_the_recipes_are_of_the_planned_size(recipe: Recipe) -> None:
    most = {"gpt": 5.1e6, "bert": 3.2e6, "tiny": 0.1e6}[recipe.name]
    parameters = sum(p.numel() for p in new_model(recipe.model).parameters())
    assert 0.6 * most < parameters < most
    assert recipe.training.save_every > 0
    if recipe.mask_rate:
        assert 0.15 <= recipe.mask_rate <= 0.25
        assert not recipe.model.pooler  # it would get no gradient


def test_a_stream_has_the_end_between_documents(small: Ingredients) -> None:
    end = small.tokenizer.special_tokens[END]
    ids = small.encode(["one", "two three"]).tolist()
    assert ids == [end, *small.tokenizer.encode("one"), end,
                   *small.tokenizer.encode("two three"), end]  # fmt: skip


def test_a_stream_for_a_bert_has_its_tokens_around_documents() -> None:
    ingredients = Ingredients(SMALL_BERT)
    special = ingredients.tokenizer.special_tokens
    ids = ingredients.encode(["one", "two"]).tolist()
    first, second = special["[CLS]"], special["[SEP]"]
    encode = ingredients.tokenizer.encode
    assert ids == [second, first, *encode("one"), second, first, *encode("two"), second]
    objective = ingredients.objective()
    assert isinstance(objective, MaskedTokens) and objective.rate == 0.3
    assert set(objective.special_ids) == set(special.values())
    assert objective.mask_id == special["[MASK]"] and objective.vocab_size == 300
    assert len(ingredients.data().draw(2)["ids"][0]) == 16


def test_no_held_out_document_is_trained_on(small: Ingredients) -> None:
    documents = {record.text: record.module for record in corpora.docstrings()}
    train = {documents[text] for text in SMALL.documents("documentation", "train")}
    held_out = {documents[text] for text in SMALL.documents("documentation", "validation")}
    assert train and held_out and not train & held_out


@pytest.mark.parametrize("whole", [False, True])
def test_the_bytes_of_a_held_out_text_are_those_of_its_documents(whole: bool, small) -> None:
    """All targets stand for all bytes of the documents; ends stand for none."""
    held_out = small.held_out(whole=whole)["documentation"]
    documents = SMALL.documents("documentation", "validation")
    assert held_out.text_bytes == sum(len(text.encode()) for text in documents)


def test_a_quick_look_at_every_fourth_window(small: Ingredients) -> None:
    quick = Ingredients(replace(SMALL, quick_look=4), small.tokenizer).held_out()["documentation"]
    targets = small.held_out()["documentation"]
    few, all_ = (sum(len(batch["ids"]) for batch in h.batches) for h in (quick, targets))
    assert few == -(-all_ // 4)


def test_tokens_of_context_and_bytes(small: Ingredients) -> None:
    lengths = small.token_bytes()
    assert lengths[ord("a")] == 1 and lengths[small.tokenizer.special_tokens[END]] == 0
    assert len(lengths) == 300 and lengths.max() > 1
    assert small.data().length == 17


def test_too_little_text_for_the_vocabulary() -> None:
    model = GPTConfig.modern(vocab_size=99999, context_length=8, d_model=8, num_layers=1,
                             num_heads=1)  # fmt: skip
    with pytest.raises(ValueError, match="and vocab_size is 99999: take more text"):
        _ = Ingredients(replace(SMALL, model=model, first=1)).tokenizer


# A shipped folder.


def shipped(folder: Path, ingredients: Ingredients) -> torch.nn.Module:
    model = ingredients.model().eval()
    ship(folder, model, ingredients.tokenizer, {"command": "none"})
    return model


def test_a_shipped_model_comes_back_rounded_to_float16(small: Ingredients, tmp_path: Path) -> None:
    model = shipped(tmp_path / "one", small)
    found, tokenizer = load(tmp_path / "one")
    assert tokenizer.encode("A text.") == small.tokenizer.encode("A text.")
    assert not found.training and found.config == model.config
    assert found.output.weight is found.embeddings.token.weight
    for name, tensor in found.state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, model.state_dict()[name].half().float())
    assert load_facts(tmp_path / "one")["command"] == "none"


def test_a_shipped_bert_comes_back(tmp_path: Path) -> None:
    model = shipped(tmp_path / "bert", Ingredients(SMALL_BERT))
    found, _ = load(tmp_path / "bert")
    assert isinstance(found, BertForMaskedTokens) and found.config == model.config


def test_a_second_one_replaces_the_first(small: Ingredients, tmp_path: Path) -> None:
    shipped(tmp_path / "one", small)
    ship(tmp_path / "one", small.model(), small.tokenizer, {"command": "second"})
    assert load_facts(tmp_path / "one")["command"] == "second"
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json",
                                  "recipe.json"])  # fmt: skip
@pytest.mark.parametrize("harm", ["altered", "missing"])
def test_a_tampered_file_is_refused_and_named(name, harm, small, tmp_path: Path) -> None:
    shipped(tmp_path / "one", small)
    path = tmp_path / "one" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    if harm == "missing":
        path.unlink()
    with pytest.raises(CheckpointError) as error:
        load(tmp_path / "one")
    assert str(path) in str(error.value)


def test_a_name_that_does_not_ship(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="'gpt5' does not ship with the book; there are gpt,"):
        load("gpt5")
    monkeypatch.setattr(training.shipped, "FOLDER", tmp_path)
    with pytest.raises(CheckpointError, match=r"is missing: run `python -m llmbook.training bert`"):
        load("bert")


# The command.


@pytest.fixture
def recipes(monkeypatch: pytest.MonkeyPatch) -> None:
    for recipe in (SMALL, SMALL_BERT):
        monkeypatch.setitem(RECIPES, recipe.name, recipe)


@pytest.mark.parametrize("name", ["small", "small_bert"])
def test_the_command_trains_ships_and_says_so(name, recipes, tmp_path: Path, capsys) -> None:
    out = tmp_path / "run"
    assert command.main([name, "--out", str(out)]) == 0
    assert "the model is in" in capsys.readouterr().out
    model, _ = load(out / "shipped")
    facts = load_facts(out / "shipped")
    assert facts["command"] == f"python -m llmbook.training {name}"
    assert facts["recipe"]["fingerprints"] == {
        "documentation": corpora.docstrings().provenance.fingerprint}  # fmt: skip
    assert facts["versions"]["torch"] == torch.__version__ and facts["threads"] == 1
    assert facts["device"] == "cpu"
    assert [step for step, _ in facts["curve"]] == [1, 2, 3, 4] and facts["cpu_seconds"] > 0
    assert [row["step"] for row in facts["evaluations"]] == [2, 4]
    ingredients = Ingredients(RECIPES[name], training.shipped.load(out / "shipped")[1])
    held_out = ingredients.held_out(whole=True)["documentation"]
    found = evaluate(model, ingredients.objective(), held_out)
    stored = facts["validation"]["documentation, float16"]
    assert found.loss == pytest.approx(stored["loss"], rel=1e-6)
    assert stored["bits_per_byte"] == found.bits_per_byte or name == "small"
    exact = facts["validation"]["documentation, float32"]["loss"]
    assert exact != stored["loss"] and exact == pytest.approx(stored["loss"], rel=1e-3)


def test_a_run_goes_on_with_resume(recipes, tmp_path: Path, capsys, monkeypatch) -> None:
    """Killed at step 3, after the checkpoint of 2; the curve is that of a run in one go."""
    out, whole = str(tmp_path / "run"), tmp_path / "whole"
    update = training.Trainer._update

    def die(self) -> float:
        if self.step == 3:
            raise KeyboardInterrupt
        return update(self)

    monkeypatch.setattr(training.Trainer, "_update", die)
    assert command.main(["small", "--out", out]) == 130
    assert "--resume goes on from the last checkpoint" in capsys.readouterr().err
    monkeypatch.undo()
    RECIPES["small"] = SMALL
    try:
        assert command.main(["small", "--out", out]) == 1
        assert "holds a run: --resume it, or name another --out" in capsys.readouterr().err
        assert command.main(["small", "--out", out, "--resume"]) == 0
        assert command.main(["small", "--out", str(whole)]) == 0
    finally:
        del RECIPES["small"]
    one, two = load_facts(tmp_path / "run" / "shipped"), load_facts(whole / "shipped")
    assert one["curve"] == two["curve"] and one["validation"] == two["validation"]


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_again(
    recipes, tmp_path: Path
) -> None:
    (tmp_path / "tokenizer.json").write_text("{", "utf8")
    assert command.main(["small", "--out", str(tmp_path)]) == 0
    assert load(tmp_path / "shipped")[0].config == SMALL.model


def test_a_folder_that_is_a_file(recipes, tmp_path: Path, capsys) -> None:
    (tmp_path / "file").write_text("", "utf8")
    assert command.main(["small", "--out", str(tmp_path / "file")]) == 1
    assert "file" in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "said"), [
    (["--resume"], "holds no run to resume"),
    (["--threads", "0"], "--threads (0) must be at least 1"),
    (["--steps", "0"], "steps (0) must be a whole number, at least 1"),
])  # fmt: skip
def test_a_wrong_call_is_one_sentence(arguments, said, recipes, tmp_path: Path, capsys) -> None:
    assert command.main(["small", "--out", str(tmp_path / "run"), *arguments]) == 1
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_the_threads_are_set(recipes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", calls.append)
    command.main(["small", "--threads", "2", "--resume", "--out", str(tmp_path)])
    assert calls == [2]


def test_an_unknown_name_is_refused(capsys) -> None:
    with pytest.raises(SystemExit):
        command.main(["gpt3"])
    error = capsys.readouterr().err
    assert "invalid choice: 'gpt3'" in error and "gpt" in error and "tiny" in error


def test_the_command_is_the_one_that_was_given() -> None:
    args = command.parse(["gpt", "--steps", "7", "--threads", "2", "--resume", "--out", "x"])
    assert command.command(args) == "python -m llmbook.training gpt --steps 7 --threads 2"


# The tiny model, which every machine trains anew.


def test_the_tiny_model_trains_as_it_did(tmp_path: Path, capsys) -> None:
    """Its curve is the stored one within two thousandths at each step.

    On one kind of processor it is the same to the last bit; others round sums differently.
    """
    stored = load_facts("tiny")
    if stored["recipe"]["fingerprints"] != RECIPES["tiny"].fingerprints():
        pytest.skip("the documentation strings are not those of the stored run")
    described = json.loads(json.dumps(training.recipes.describe(RECIPES["tiny"])))
    assert stored["recipe"] == described
    assert command.main(["tiny", "--out", str(tmp_path / "run")]) == 0
    found = load_facts(tmp_path / "run" / "shipped")
    for (step, loss), (step_now, loss_now) in zip(stored["curve"], found["curve"], strict=True):
        assert step == step_now
        assert loss_now == pytest.approx(loss, rel=0.002)
    for name, values in stored["validation"].items():
        assert found["validation"][name]["loss"] == pytest.approx(values["loss"], rel=0.002)
    assert stored["curve"][-1][1] < 0.8 * stored["curve"][0][1]


def test_the_shipped_tiny_model_is_as_good_as_it_says() -> None:
    model, tokenizer = load("tiny")
    facts = load_facts("tiny")
    held_out = Ingredients(RECIPES["tiny"], tokenizer).held_out(whole=True)["documentation"]
    found = evaluate(model, training.NextToken(), held_out)
    assert found.loss == pytest.approx(
        facts["validation"]["documentation, float16"]["loss"], rel=1e-4
    )


@pytest.mark.parametrize("name", RECIPES)
def test_what_ships_was_made_by_the_recipe_of_today(name: str) -> None:
    """A recipe that is changed needs a new run: its file would say what is no longer true."""
    if not (training.shipped.FOLDER / name).is_dir():
        pytest.skip(f"{name} is not trained yet")
    model, tokenizer = load(name)
    facts, recipe = load_facts(name), RECIPES[name]
    assert model.config == recipe.model and len(tokenizer) == recipe.model.vocab_size
    if "recipe" not in facts:
        pytest.skip(f"{name} is a stand-in: run `python -m llmbook.training {name}`")
    described = json.loads(json.dumps(training.recipes.describe(recipe)))
    del described["fingerprints"], facts["recipe"]["fingerprints"]  # those of the reader's packages
    assert facts["recipe"] == described
    assert facts["command"].startswith(f"python -m llmbook.training {name}")


def test_a_copy_of_the_tiny_model_loads_from_a_folder(tmp_path: Path) -> None:
    folder = shutil.copytree(training.shipped.find("tiny"), tmp_path / "copy")
    assert load(folder)[0].config == RECIPES["tiny"].model


def test_the_shipped_gpt_is_as_good_as_it_says() -> None:
    """On 64 windows of held-out documentation, each begun anew; the whole text gives 1.283."""
    model, tokenizer = load("gpt")
    ingredients = Ingredients(RECIPES["gpt"], tokenizer)
    ids = ingredients.encode(ingredients.recipe.documents("documentation", "validation")[:600])
    part = HeldOut.windows(ids, 257, token_bytes=ingredients.token_bytes(), every=2)
    found = evaluate(model, NextToken(), HeldOut(part.batches[:2], part.text_bytes))
    nats_a_token = load_facts("gpt")["validation"]["documentation, float16"]["loss"]
    assert abs(found.loss - nats_a_token) < 0.4


def test_the_shipped_bert_is_as_good_as_it_says() -> None:
    """On 64 windows of held-out documentation; all of it gives 2.31 nats a hidden token."""
    model, tokenizer = load("bert")
    ingredients = Ingredients(RECIPES["bert"], tokenizer)
    ids = ingredients.encode(ingredients.recipe.documents("documentation", "validation")[::40])
    part = HeldOut.windows(ids[: 64 * 128], 128, shared=0)
    found = evaluate(model, ingredients.objective(), part)
    stated = load_facts("bert")["validation"]["documentation, float16"]["loss"]
    assert abs(found.loss - stated) < 0.25
