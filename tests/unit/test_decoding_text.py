"""Stop strings and streams: what is cut, what is held back, and never half a character."""

from __future__ import annotations

import pytest
import torch
from decoding_toys import END, TOKENIZER, scripted
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llmbook.decoding import Sampling, Written, generate, stream
from llmbook.tokenizers import WordPieceTokenizer


def write(script: list[int], **given) -> Written:
    """What a model that writes ``script`` after the prompt "?" makes of these settings."""
    model = scripted([*script, 0])
    return generate(model, [[63]], tokenizer=TOKENIZER,
                    **{"max_new_tokens": len(script)} | given)[0]


def pieces(script: list[int], **given) -> list[str]:
    model = scripted([*script, 0])
    return list(stream(model, TOKENIZER, "?", **{"max_new_tokens": len(script)} | given))


def spell(text: str) -> list[int]:
    """One token a byte."""
    return list(text.encode())


# Stop strings


def test_a_stop_string_is_found_though_it_is_split_across_tokens() -> None:
    """Two tokens of a byte each make "\\n\\n"; the first alone is no stop."""
    found = write(spell("a\nb\n\nc"), stop=["\n\n"])
    assert found == Written(spell("a\nb\n\n"), "stop", "\n\n")
    assert found.text(TOKENIZER) == "a\nb"


def test_a_stop_string_is_found_inside_a_token() -> None:
    """Token 257 is "b\\n\\nc": the answer ends in the middle of it, so ids cannot say where."""
    found = write([*spell("a"), 257, *spell("d")], stop=["\n\n"])
    assert found == Written([*spell("a"), 257], "stop", "\n\n")
    assert found.text(TOKENIZER) == "ab"


def test_a_stop_string_may_begin_in_one_token_and_end_in_another() -> None:
    """"，你" is one token, "好" comes in three: the stop "你好" begins inside the first."""
    found = write([258, *spell("好吗")], stop=["你好"])
    assert found.ids == [258, *spell("好")] and found.text(TOKENIZER) == "，"


def test_of_two_stop_strings_the_earlier_in_the_text_counts() -> None:
    """Both stand in the one token "b\\n\\nc"."""
    for stop in (["c", "\n"], ["\n", "c"]):
        found = write([257], stop=stop)
        assert found.stop == "\n" and found.text(TOKENIZER) == "b"


def test_a_stop_string_is_not_looked_for_in_the_prompt() -> None:
    model = scripted([0, *spell("\nab\n")])
    found = generate(model, [spell("?\n")], max_new_tokens=3, stop=["\n\n"], tokenizer=TOKENIZER)
    assert found[0].text(TOKENIZER) == "\nab"


def test_text_leaves_out_the_end_token_and_stop_ids() -> None:
    assert write([*spell("ab"), END], end_id=END).text(TOKENIZER) == "ab"
    assert write(spell("abcd"), stop=[spell("bc")]).text(TOKENIZER) == "a"
    assert write(spell("abcd"), stop=[spell("bc"), "c"]).stop == tuple(spell("bc"))


def test_half_a_character_at_the_end_is_left_out_and_bytes_that_are_none_are_shown() -> None:
    """"你" is E4 BD A0: cut after E4 BD it is nothing; a lone A0 before "b" is U+FFFD."""
    assert write(spell("a你")[:-1]).text(TOKENIZER) == "a"
    assert write([*spell("a"), 0xA0, *spell("b")]).text(TOKENIZER) == "a\ufffdb"
    assert write([*spell("你")[:2], *spell("b")]).text(TOKENIZER) == "\ufffdb"


# Streams


def test_a_stream_gives_each_character_once_it_is_whole() -> None:
    """"a", then the three bytes of "你", then the four of "🙂"."""
    assert pieces(spell("a你🙂b")) == ["a", "你", "🙂", "b"]
    assert pieces([228, 259, 258, *spell("!")]) == ["你", "，你", "!"]
    assert pieces([258, 228, 259]) == ["，你", "你"]


def test_a_stream_holds_back_what_may_become_a_stop() -> None:
    """A line break waits for the next token: it is shown when no second one follows."""
    assert pieces(spell("a\nb\n\nc"), stop=["\n\n"]) == ["a", "\nb"]
    assert pieces(spell("aab!"), stop=["ab?"]) == ["a", "ab!"]
    assert pieces(spell("ab"), stop=["bc"]) == ["a", "b"]  # at the end it is sure
    assert pieces(spell("abcd"), stop=[spell("cd")]) == ["a", "b"]
    assert pieces(spell("abce"), stop=[spell("cd")]) == ["a", "b", "ce"]
    assert pieces([*spell("ab"), END, *spell("c")], end_id=END) == ["a", "b"]


def test_a_stream_of_nothing_has_no_piece() -> None:
    assert pieces([END], end_id=END) == []
    assert pieces(spell("你")[:2]) == []


TEXTS = st.text(st.sampled_from("ab\n，你好🙂é"), max_size=12)


@settings(max_examples=150, deadline=None)
@given(text=TEXTS, cuts=st.lists(st.booleans(), min_size=60, max_size=60),
       stops=st.lists(st.text(st.sampled_from("ab\n，你好"), min_size=1, max_size=3), max_size=2))
@example(text="a你a", cuts=[False] * 60, stops=["你", "a你a"])
def test_pieces_join_to_the_text_before_the_first_stop(
    text: str, cuts: list[bool], stops: list[str]
) -> None:
    """However the text is cut into tokens: single bytes, or the longer ones where they fit.

    A token may run on past a stop, so what is expected is the text before the stop that ends first.
    """
    data, script = text.encode(), []
    longer = {TOKENIZER.tokens([i])[0]: i for i in (257, 258, 259)}
    while data:
        fits = [token for token in longer if data.startswith(token)]
        token = fits[0] if fits and cuts.pop() else data[:1]
        script.append(longer.get(token, token[0]))
        data = data[len(token) :]
    script.append(END)
    found = pieces(script, stop=stops, end_id=END)
    ends = [(text.find(s) + len(s), text.find(s)) for s in stops if s in text]
    cut = min(ends)[1] if ends else len(text)
    assert "".join(found) == text[:cut]
    assert "" not in found
    assert write(script, stop=stops, end_id=END).text(TOKENIZER) == text[:cut]


@settings(max_examples=100, deadline=None)
@given(script=st.lists(st.integers(0, 259), min_size=1, max_size=12))
def test_a_stream_of_any_bytes_is_pythons_decoding_less_what_is_unfinished(
    script: list[int],
) -> None:
    whole = b"".join(TOKENIZER.tokens(script))
    expected = whole.decode("utf-8", errors="replace")
    found = "".join(pieces(script))
    assert found == write(script).text(TOKENIZER)
    assert expected.startswith(found) and set(expected[len(found) :]) <= {"\ufffd"}


def test_a_stream_writes_what_generate_writes() -> None:
    """Greedy and sampled, with and without a cache, with a penalty; the prompt is text."""
    model = scripted([0, *spell("，你好")])
    for options in ({}, {"cached": False}, {"sampling": Sampling(temperature=9.0)},
                    {"repetition_penalty": 1.5}):
        generators = [torch.Generator().manual_seed(0) for _ in range(2)]
        found = stream(model, TOKENIZER, "?!", max_new_tokens=7, generator=generators[0], **options)
        expected = generate(model, [TOKENIZER.encode("?!")], max_new_tokens=7,
                            generator=generators[1], **options)
        assert "".join(found) == expected[0].text(TOKENIZER)


# What a stream leaves behind


def test_a_stream_keeps_gradients_on_outside_and_gives_the_mode_back() -> None:
    """Also when it is closed after its first piece."""
    model = scripted(spell("abc")).train()
    running = stream(model, TOKENIZER, "?", max_new_tokens=3)
    assert next(running) == "a" and model.training is False
    assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
    running.close()
    assert all(module.training for module in model.modules())
    assert "".join(stream(model, TOKENIZER, "?", max_new_tokens=3)) == "abc"
    assert all(module.training for module in model.modules())


# Bad input


@pytest.mark.parametrize(("prompt", "wrong", "message"), [
    ("", {}, "prompt 0 is empty: give at least one token"),
    ("x" * 9, {}, r"prompt 0 has 9 tokens, which leaves no room in the context"),
    ("x", {"stop": ["a", ""]}, "a stop sequence is empty"),
    ("x", {"stop": "a"}, r"stop must be a list of stop sequences: \['a'\]"),
    ("x", {"max_new_tokens": 0}, r"max_new_tokens \(0\) must be at least 1"),
    ("x", {"sampling": Sampling()}, "sampling needs generator")])
def test_impossible_input_is_an_error(prompt: str, wrong: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        list(stream(scripted(spell("abcd")), TOKENIZER, prompt, **{"max_new_tokens": 2} | wrong))


def test_a_tokenizer_without_bytes_is_an_error() -> None:
    """WordPiece has words for tokens: there is no telling where a space goes."""
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"]
    tokenizer = WordPieceTokenizer({name: i for i, name in enumerate(names)})
    with pytest.raises(ValueError, match="text needs a byte-level tokenizer such as BPETokenizer"):
        list(stream(scripted([5] * 9, 6), tokenizer, "a", max_new_tokens=2))
