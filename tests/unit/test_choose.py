"""``python -m llmbook.choose``: files, near-duplicates, the rule, reading, scores, errors."""

from __future__ import annotations

import json
import math
import zlib
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from llmbook.choose import encoders as encoders_module
from llmbook.choose.__main__ import main
from llmbook.choose.encoders import (
    Encoder,
    Reading,
    card_licence,
    local_folder,
    minilm,
    ours,
    remembered,
    word_vectors,
)
from llmbook.choose.files import FileError, TextFile, read, script
from llmbook.choose.groups import near_groups
from llmbook.choose.labelled import Task, _stored, judge, learning_curve, telling, transfer
from llmbook.choose.report import at_home, choose, fit_lines, table
from llmbook.choose.rule import Judged, Limits, gain, needed, recommend
from llmbook.choose.unlabelled import first_sentence, fit_bits, halves, search
from llmbook.evaluation import Score, compare_means
from llmbook.training.shipped import find

COLOURS = ("red", "green", "blue")


def toy(number: int = 60, seed: int = 0) -> tuple[list[str], list[str]]:
    """Texts whose second word tells the label, among words that tell nothing."""
    random = np.random.default_rng(seed)
    labels = [COLOURS[i % 3] for i in range(number)]
    filler = [" ".join(random.choice([*"abcdefghijklmnop"], 12)) for _ in range(number)]
    return [f"the {y} thing {f}" for y, f in zip(labels, filler, strict=True)], labels


def encoder(name: str = "toy", unknown: float = 0.0, tokens: float = 0.2) -> Encoder:
    """Sees whether a text holds the word red, and nothing else."""
    return Encoder(name, "MIT", 1.0, lambda texts: np.array(
        [[float(" red " in t), 1.0] for t in texts], dtype=np.float32),
        lambda texts: Reading(unknown, tokens))  # fmt: skip


def judged(name: str, right: range, ms: float = 1.0, number: int = 200, **other) -> Judged:
    scores = np.zeros(number)
    scores[list(right)] = 1
    return Judged(name, scores, ms, **other)


ALWAYS = Judged("always", np.tile([0.0, 1.0], 100))


# Files.


def test_a_csv_has_texts_and_labels(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = "".join(f'"text {i}, with a comma",{"xy"[i % 2]}\n' for i in range(20))
    path.write_text("text,label\n" + rows + "no label,\n")
    file = read(path)
    assert file.texts[1] == "text 1, with a comma"
    assert file.labels == ("x", "y") * 10
    assert file.notes == ("1 rows without a label were left out",)
    other = tmp_path / "b.csv"
    other.write_text("said,who\n" + rows)
    assert read(other, "said", "who").labels == file.labels
    assert read(other, "said").labels is None


def test_tabs_are_labels_where_they_repeat(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("\n".join(f"{'xy'[i % 2]}\ttext {i}\twith a tab" for i in range(20)))
    file = read(path)
    assert (file.labels, file.texts[3]) == (("x", "y") * 10, "text 3\twith a tab")
    path.write_text("\n".join(f"sentence {i}\tSatz {i}" for i in range(20)))
    assert read(path).labels is None
    assert "not taken for labels" in read(path).notes[0]


def test_plain_text_is_cut_into_paragraphs_or_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("\n\n".join(f"one {i}\r\ntwo" for i in range(20)), newline="")
    assert len(read(path)) == 20 and read(path).texts[0] == "one 0\ntwo"
    path.write_text("\n".join(f"line {i}" for i in range(21)))
    assert len(read(path)) == 21


def test_rare_labels_are_left_out_and_said(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("\n".join([*(f"{'xy'[i % 2]}\ttext {i}" for i in range(40)), "z\trare"]))
    assert set(read(path).labels) == {"x", "y"}
    assert "z" in read(path).notes[-1]


def test_a_sample_keeps_texts_with_their_labels() -> None:
    texts, labels = toy(60)
    few = TextFile(tuple(texts), tuple(labels)).sample(30, seed=1)
    assert len(few) == 30 and "30 of 60" in few.notes[0]
    assert all(f" {y} " in t for t, y in zip(few.texts, few.labels, strict=True))
    assert list(few.texts) == [t for t in texts if t in few.texts]


@pytest.mark.parametrize(("name", "content", "message"), [
    ("a.txt", b"", "is empty"),
    ("a.txt", b"\x89PNG", "not UTF-8"),
    ("a.txt", b"a\0b", "no text file"),
    ("a.txt", b"one\ntwo\n", "2 texts: at least 20"),
    ("a.csv", b"body,label\nx,y\n", "no column 'text'"),
    ("a.csv", b"text,label\n" + b"".join(b"t%d,%d\n" % (i, i) for i in range(30)),
     "30 different labels for 30 texts"),
    ("a.csv", b"text,label\n" + b"".join(b"t%d,x\n" % i for i in range(30)), "fewer than two"),
])  # fmt: skip
def test_what_is_no_such_file_gets_one_sentence(
    name: str, content: bytes, message: str, tmp_path: Path, capsys
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(FileError, match=message):
        read(path)
    assert main([str(path)]) == 1
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1 and str(tmp_path) not in said


def test_a_missing_file_gets_one_sentence(tmp_path: Path, capsys) -> None:
    assert main([str(tmp_path / "none.txt")]) == 1
    assert capsys.readouterr().err == (
        "llmbook.choose: none.txt cannot be read: No such file or directory\n")


def test_the_script_is_that_of_the_letters() -> None:
    assert script(["ab 1", "字字"]) == "50 % Latin, 50 % Han letters"
    assert script(["12 3"]) == "no letters"


# Near-duplicates.


def test_copies_with_a_mark_are_one_group_and_chains_hold() -> None:
    text = "the quick brown fox jumps over the lazy dog and runs away"
    found = near_groups([text, "re: " + text, "nothing of the kind at all, friends", text.upper()])
    assert found[0] == found[1] == found[3] != found[2]
    walk = "今天天气很好，我们去公园散步"
    chinese = near_groups([walk, walk + "。", "他喜欢音乐"])
    assert chinese[0] == chinese[1] != chinese[2]
    assert len(set(near_groups(["a", "b", "a"]))) == 2
    with pytest.raises(ValueError, match="threshold"):
        near_groups(["a"], 0)


def test_no_group_is_on_both_sides_of_a_fold() -> None:
    texts, labels = toy(60)
    task = Task.of([*texts, *(f"{t} again" for t in texts)], labels * 2)
    assert len(set(task.groups)) == 60
    for learn, answer in task.folds():
        assert not set(task.groups[learn]) & set(task.groups[answer])
    loose = Task.of(task.texts, labels * 2, groups=False)
    assert any(set(task.groups[a]) & set(task.groups[b]) for a, b in loose.folds())


# The rule.


def test_not_told_apart_takes_the_faster() -> None:
    a, b, c = (judged("a", range(160), 30), judged("b", range(20, 172), 0.1),
               judged("c", range(40, 170), 0.05))  # fmt: skip
    advice = recommend(ALWAYS, [a, b, c])
    assert advice.name == "b"
    assert str(advice).startswith("Recommended: b\n- a has the best score, 0.80 [")
    assert "b is not told apart from a" in str(advice) and "a is better than c by" in str(advice)
    assert recommend(ALWAYS, [a, c]).name == "a"
    assert recommend(ALWAYS, [a, b, c], limits=Limits(ms=0.07)).name == "c"


def test_a_limit_and_a_reading_leave_out() -> None:
    good = judged("good", range(190), 30, megabytes=90)
    blind = judged("blind", range(199), reading=Reading(0.6, 0.2))
    bytewise = judged("bytes", range(199), reading=Reading(0.0, 2.7))
    words = judged("words", range(150), reading=Reading(0.9, math.nan, frozen=False))
    advice = recommend(ALWAYS, [good, blind, bytewise, words])
    assert advice.name == "good"
    assert "blind is left out: it cannot read 0.60" in advice.reasons[0]
    assert "bytes is left out: it reads bytes, 2.7" in advice.reasons[1]
    limited = recommend(ALWAYS, [good, words], limits=Limits(megabytes=10))
    assert limited.name == "words"  # what it has not seen, more texts would teach it
    assert recommend(ALWAYS, [good], limits=Limits(ms=1)).name is None
    with pytest.raises(ValueError, match="no candidate"):
        recommend(ALWAYS, [])


def test_what_is_not_better_than_the_baseline_is_not_recommended() -> None:
    same = Judged("same", ALWAYS.scores.copy())
    assert recommend(ALWAYS, [same]).name is None
    random = np.random.default_rng(0)
    best, weak = (Judged(name, (random.random(200) < share).astype(float), ms)
                  for name, share, ms in (("best", 0.70, 30), ("weak", 0.62, 0.01)))  # fmt: skip
    gap = compare_means(best.scores, weak.scores)
    assert gap.low < 0 < gap.high  # not told apart, and weak is the faster
    advice = recommend(ALWAYS, [best, weak])
    assert gain(weak, ALWAYS, None, 2).low < 0 and advice.name == "best"
    assert "weak is not surely better than always" in str(advice)


def test_a_wide_interval_cannot_tell() -> None:
    few = judged("few", range(16), number=20)
    advice = recommend(Judged("always", np.tile([0.0, 1.0], 10)), [few])
    assert advice.name is None and "cannot tell" in advice.reasons[-1]
    assert "about 80 texts" in needed(Score(0.5, 0.3, 0.7), np.zeros(20))


def test_the_gain_is_stretched_for_several_comparisons() -> None:
    one = judged("one", range(60, 200))
    plain, wide = (gain(one, ALWAYS, None, n) for n in (1, 5))
    found = compare_means(one.scores, ALWAYS.scores)
    assert (plain.low, plain.high) == pytest.approx((found.low, found.high))
    factor = norm.ppf(0.995) / norm.ppf(0.975)
    assert wide.value - wide.low == pytest.approx(factor * (plain.value - plain.low))
    assert wide.high - wide.value == pytest.approx(factor * (plain.high - plain.value))


# How a model reads.


def test_minilm_reads_english_and_not_chinese() -> None:
    reading = minilm().reading(["The cat sat on the mat."])
    assert reading.unknown == 0 and reading.cut == 0
    assert reading.tokens == pytest.approx(7 / 23)
    one = minilm().reading(["鹦鹉 ok"])  # two characters of four that it does not know
    assert one.unknown == pytest.approx(0.5)
    assert minilm().reading(["𐍈𐍈𐍈 ok"]).unknown == pytest.approx(3 / 5)  # one token of three
    assert minilm().reading(["word " * 200]).cut == 1


def test_our_models_read_bytes_and_our_vectors_known_words() -> None:
    for name in ("bert", "gpt"):
        reading = ours(name).reading(["鹦鹉鹦鹉"])
        assert reading.unknown == 0 and reading.tokens > 1
        assert ours(name).reading(["The history of the river."]).tokens < 0.6
        found = ours(name).vectors(["The river.", "", "The river."])
        assert np.allclose(found[0], found[2]) and np.allclose(np.linalg.norm(found, axis=1), 1)
    assert word_vectors().reading(["the qqqqq"]).unknown == pytest.approx(5 / 8)
    assert word_vectors().reading(["123"]).unknown == 1
    assert not word_vectors().vectors(["qqqqq"]).any()


def test_vectors_do_not_depend_on_the_company() -> None:
    texts = ["a short one", "a much longer text about rivers and their history", "another"]
    together = minilm().vectors(texts)
    assert np.allclose(together[0], minilm().vectors(texts[:1])[0], atol=1e-5)


def test_remembered_vectors_are_the_same() -> None:
    texts = ["one text", "another text"]
    kept = remembered(minilm(), texts)
    assert np.array_equal(kept.vectors(texts[1:]), minilm().vectors(texts)[1:])
    assert kept.ms > 0 and kept.name == "MiniLM"


@pytest.fixture(scope="module")
def half(tmp_path_factory) -> Path:
    from llmbook import pretrained

    folder = tmp_path_factory.mktemp("models") / "half"
    model, tokenizer = pretrained.minilm()
    model.encoder.layer = model.encoder.layer[:1]
    model.config.num_hidden_layers = 1
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "README.md").write_text("---\nlicense: cc-by-4.0\n---\n")
    return folder


def test_a_folder_of_hugging_face_is_a_candidate(half: Path) -> None:
    found = local_folder(half)
    assert (found.name, found.licence) == ("half", "cc-by-4.0")
    assert found.megabytes > 40
    texts = ["The cat sat.", "A much longer text than the one before it."]
    vectors = found.vectors(texts)
    assert vectors.shape == (2, 384) and np.allclose(vectors[0], found.vectors(texts[:1])[0],
                                                     atol=1e-5)  # fmt: skip
    assert found.reading(["鹦鹉 ok"]) == minilm().reading(["鹦鹉 ok"])
    assert np.allclose(found.vectors(["word " * 500]), found.vectors(["word " * 126]), atol=1e-5)


def test_a_folder_that_cannot_be_used_gets_one_sentence(half: Path, tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"no config\.json"):
        local_folder(tmp_path)
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / name).write_bytes((half / name).read_bytes())
    (tmp_path / "pytorch_model.bin").write_bytes(b"a pickle")
    with pytest.raises(FileError, match="pickle"):
        local_folder(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(FileError, match="cannot be loaded"):
        local_folder(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "none of these"}))
    with pytest.raises(FileError, match="cannot be loaded"):
        local_folder(tmp_path)


def test_the_code_of_a_folder_is_not_run(half: Path, tmp_path: Path) -> None:
    marker = tmp_path / "was run"
    (tmp_path / "stranger.py").write_text(f"open({str(marker)!r}, 'w')\n")
    (tmp_path / "config.json").write_text(json.dumps(
        {"model_type": "stranger", "auto_map": {"AutoConfig": "stranger.Config"}}))
    for name in ("tokenizer.json", "model.safetensors"):
        (tmp_path / name).write_bytes((half / name).read_bytes())
    with pytest.raises(FileError, match="cannot be loaded"):
        local_folder(tmp_path)
    assert not marker.exists()


def test_a_card_without_a_licence_says_so(tmp_path: Path) -> None:
    assert card_licence(tmp_path) == "not stated"
    (tmp_path / "README.md").write_text("# A model\n")
    assert card_licence(tmp_path) == "not stated"


# With labels.


def test_candidates_are_judged_on_texts_that_they_have_not_seen() -> None:
    texts, labels = toy(90)
    baseline, words, characters, seen = judge(Task.of(texts, labels), [encoder()])
    assert baseline.scores.mean() == pytest.approx(1 / 3, abs=0.02)
    assert words.scores.mean() == 1 and characters.scores.mean() > 0.9
    assert seen.scores.mean() == pytest.approx(2 / 3, abs=0.05)  # red, and one of the two others
    assert seen.licence == "MIT" and seen.megabytes > 1 and seen.ms > 0
    assert not words.reading.frozen and seen.reading.frozen
    lot = np.random.default_rng(0).permutation(labels).tolist()
    assert judge(Task.of(texts, lot), [], counters=["words"])[1].scores.mean() < 0.55


def test_balanced_scores_give_each_label_the_same_weight() -> None:
    texts, labels = toy(90)
    rare = [i for i, y in enumerate(labels) if y != "red" or i % 9 == 0]
    task = Task.of([texts[i] for i in rare], ["red" if labels[i] == "red" else "no" for i in rare])
    baseline, words = judge(task, [], balanced=True, counters=["words"])
    assert baseline.scores.mean() == pytest.approx(0.5)
    assert words.scores.mean() > 0.9
    plain = judge(task, [], counters=["words"])[0]
    assert plain.scores.mean() == pytest.approx(60 / 70)


def test_a_label_with_one_text_cannot_be_judged() -> None:
    with pytest.raises(ValueError, match="only one text"):
        Task.of(["a b c", "d e f", "a b c"], ["x", "y", "x"]).folds()


def test_transfer_asks_about_the_other_texts() -> None:
    texts, labels = toy(60)
    task = Task.of(texts, labels)
    found = transfer(task, texts, [encoder()])
    assert found["TF-IDF, words"].mean() == 1
    blind = [t.replace(y, "") for t, y in zip(texts, labels, strict=True)]
    assert transfer(task, blind, [])["TF-IDF, words"].mean() < 0.6
    assert np.array_equal(found["toy"], judge(task, [encoder()])[-1].scores)


def test_a_learning_curve_rises_and_repeats() -> None:
    texts, labels = toy(120)
    task = Task.of(texts, labels)
    curve = learning_curve(task, [encoder()], (9, 50), draws=2)
    assert curve["TF-IDF, words"].shape == (2, 2)
    assert curve["TF-IDF, words"][:, 1].mean() >= curve["TF-IDF, words"][:, 0].mean()
    again = learning_curve(task, [encoder()], (9, 50), draws=2)
    assert all(np.array_equal(curve[name], again[name]) for name in curve)
    with pytest.raises(ValueError, match="fewer than 100"):
        learning_curve(task, [], (100,))


def test_the_size_of_fitted_models_is_that_of_their_numbers_and_words() -> None:
    """Words count their bytes in UTF-8 and four for a place; a pipeline is the sum of its steps."""
    scaler = StandardScaler().fit(np.zeros((4, 3)))
    numbers = sum(v.nbytes for v in vars(scaler).values() if isinstance(v, np.ndarray))
    assert numbers >= 2 * 3 * 8
    assert _stored(scaler) == numbers / 1e6
    assert _stored(make_pipeline(scaler, scaler)) == 2 * numbers / 1e6
    counter = CountVectorizer(vocabulary={"one": 0, "né": 1})
    counter.fit_transform(["one né"])
    word = (3 + 4 + 3 + 4) / 1e6
    assert _stored(counter) in (word, 2 * word)  # given, and as it was learned


def test_what_our_gpt_has_at_home_is_what_its_card_says() -> None:
    card = (find("gpt") / "README.md").read_text("utf8")
    assert at_home().keys() == {"documentation", "Wikipedia"}
    assert all(f"{value:.3f} bits per byte" in card or f"{value:.3f} on held-out" in card
               for value in at_home().values())  # fmt: skip


def test_a_word_that_tells_a_label_is_named() -> None:
    texts = [f"{w} same kim" for w in "abcd"] + [f"{w} same lee" for w in "efgh"]
    found = telling(texts, ["x"] * 4 + ["y"] * 4)
    assert found[0] == ("kim", "x", 1.0, 0.0)
    assert str(found[0]) == (
        '"kim" stands in 1.00 of the texts with the label x, in 0.00 of the others')  # fmt: skip
    assert telling(["红花", "红叶", "白云", "白雪"], ["x", "x", "y", "y"])[0].word == "红"


# Without labels.


def test_a_first_sentence_ends_with_its_mark_or_its_line() -> None:
    assert first_sentence("One is here. Two is there.") == ("One is here.", "Two is there.")
    assert first_sentence("A title\nThe text. More.") == ("A title", "The text. More.")
    assert first_sentence("第一句。第二句。") == ("第一句。", "第二句。")
    assert halves(["Too short. x", "This is the first. This is the rest."]) == [
        ("This is the first.", "This is the rest.")]


def test_search_scores_one_over_the_rank() -> None:
    pairs = [(f"where is the {w} house now?", f"the {w} house is near the river, they say")
             for w in ("crimson", "golden", "purple", "silver")]  # fmt: skip
    lot, keywords, characters, same = search(pairs, [encoder()])
    assert lot.scores.mean() == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4)
    assert keywords.scores.tolist() == characters.scores.tolist() == [1, 1, 1, 1]
    assert same.scores.tolist() == [1, 1 / 2, 1 / 3, 1 / 4]  # all alike: the first has rank 1
    with pytest.raises(ValueError, match="at least 2"):
        search(pairs[:1], [])


def test_the_bits_of_our_gpt_do_not_depend_on_windows(monkeypatch) -> None:
    """A text longer than the context: each token once, so about twice the bits of its half."""
    from llmbook.choose.unlabelled import _gpt_bits
    from llmbook.training import load

    text = "The river runs through the city and into the sea. " * 2
    model, tokenizer = load("gpt")
    import torch

    ids = torch.tensor([[tokenizer.special_tokens["<|endoftext|>"], *tokenizer.encode(text)]])
    with torch.inference_mode():
        each = model(ids[:, :-1]).log_softmax(-1).gather(2, ids[:, 1:, None])
    assert _gpt_bits([text])[0] == pytest.approx(-float(each.sum()) / math.log(2), rel=1e-4)
    long = "".join(np.random.default_rng(0).choice([*"abcdefghij "], 450))
    ids = torch.tensor([[tokenizer.special_tokens["<|endoftext|>"], *tokenizer.encode(long)]])
    assert 256 < ids.shape[1] < 384
    with torch.inference_mode():  # 256 tokens, then the rest after the 128 before it
        parts = [model(part[:, :-1]).log_softmax(-1).gather(2, part[:, 1:, None])[0, skip:, 0]
                 for part, skip in ((ids[:, :256], 0), (ids[:, 128:], 127))]  # fmt: skip
    assert sum(map(len, parts)) == ids.shape[1] - 1
    expected = -float(torch.cat(parts).sum()) / math.log(2)
    assert _gpt_bits([long])[0] == pytest.approx(expected, rel=1e-4)


def test_fit_holds_out_every_fifth_text() -> None:
    texts = [f"a line of text with the number {i} in it" for i in range(50)]
    bits, text_bytes = fit_bits(texts)
    assert text_bytes.tolist() == [len(t) for t in texts[4::5]]
    assert bits["n-grams"].sum() < bits["our GPT"].sum()
    near = "\n".join(t for i, t in enumerate(texts) if i % 5 != 4).encode()
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, near)
    assert bits["gzip"][0] == 8 * len(packer.compress(texts[4].encode()) + packer.flush())
    lines = fit_lines(bits, text_bytes)
    assert "knows this kind of text better" in lines[1]
    with pytest.raises(ValueError, match="at least 10"):
        fit_bits(texts[:9])


def test_bits_per_byte_weigh_each_byte_alike() -> None:
    bits = {name: np.array([8.0, 200.0]) for name in ("our GPT", "n-grams", "gzip")}
    assert "our GPT 2.08 [" in fit_lines(bits, np.array([4, 96]))[0]


# All of it.


def test_a_report_has_a_table_and_a_recommendation() -> None:
    texts, labels = toy(90)
    report = choose(TextFile(tuple(texts), tuple(labels)), [encoder()])
    assert report.advice.name in ("TF-IDF, words", "TF-IDF, characters")
    shown = str(report)
    assert "90 texts" in shown and "Recommended: TF-IDF" in shown and "unread" in shown
    assert '"red" stands in 1.00' in shown
    assert all(len(line) < 95 for line in table(report.judged, "accuracy").splitlines())


def test_a_file_without_labels_is_searched_or_measured() -> None:
    random = np.random.default_rng(0)
    names = ["".join(random.choice([*"abcdefghij"], 8)) for _ in range(30)]
    report = choose(TextFile(tuple(f"Here is {n} again. It was {n} all the time." for n in names)),
                    [encoder()])  # fmt: skip
    assert report.measure == "1 / rank" and report.advice.name in (
        "BM25, words", "TF-IDF, characters")  # fmt: skip
    assert report.notes[0].startswith("bits per byte")
    lines = choose(TextFile(tuple(f"line {n}" for n in names)), [encoder()])
    assert lines.advice.name is None and "no task" in lines.advice.reasons[0]


def test_the_command_prints_all_of_it(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(encoders_module, "standard", lambda: [encoder()])
    texts, labels = toy(60)
    path = tmp_path / "a.txt"
    path.write_text("\n".join(f"{y}\t{t}" for t, y in zip(texts, labels, strict=True)))
    assert main([str(path), "--limit", "50"]) == 0
    out = capsys.readouterr().out
    assert "50 of 60 texts were drawn by lot" in out and "Recommended: TF-IDF" in out
    assert main([str(path), "--max-ms", "0"]) == 0
    assert "nothing is left" in capsys.readouterr().out
    assert main([str(path), "--model", str(tmp_path)]) == 1
    assert "no config.json" in capsys.readouterr().err


def test_wrong_options_are_refused(capsys) -> None:
    with pytest.raises(SystemExit):
        main(["a.txt", "--limit", "5"])
    assert "--limit must be at least 20" in capsys.readouterr().err
