"""Texts without labels: do they find their own rest, and does our GPT know their kind?

Search: the first line or sentence of a text is a question, the rests of all texts are the
documents, and the right one is its own. Fit: bits per byte of held-out texts, by our GPT, by byte
n-grams of the file's other texts, and by gzip with these at hand (chapter 13).

Not here: questions that people ask. A first sentence is a kinder question than those.

Shapes: ``N`` texts, ``D`` width.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from time import process_time

import numpy as np
import torch
from sklearn.feature_extraction.text import TfidfVectorizer

from llmbook.choose.encoders import Encoder, Reading
from llmbook.choose.labelled import TIMED, milliseconds
from llmbook.choose.rule import Judged
from llmbook.corpora import sentences
from llmbook.ngrams import KneserNey
from llmbook.retrieval import Keywords, right_ranks, terms

LONGEST = 1000  # characters of a text that fit looks at
ORDER = 6  # of the n-grams of bytes
ENDS = "。！？"  # of Chinese sentences, which no space follows
SHORTEST = 10  # characters of a question, and of a rest


def halves(texts: Sequence[str]) -> list[tuple[str, str]]:
    """(first sentence, rest) of the texts that have both; a question that stands twice, once."""
    found: dict[str, str] = {}
    for text in texts:
        first, rest = first_sentence(text)
        if len(first) >= SHORTEST and len(rest) >= SHORTEST:
            found.setdefault(first, rest)
    return list(found.items())


def first_sentence(text: str) -> tuple[str, str]:
    """The first sentence of a text, which ends with its line at the latest, and what follows."""
    text = text.strip()
    line = text.partition("\n")[0]
    ends = [i + 1 for i, character in enumerate(line) if character in ENDS]
    first = sentences(line)[0] if sentences(line) else line
    if ends and ends[0] < len(first):
        first = line[: ends[0]]
    return first.strip(), text[len(first) :].strip()


def search(pairs: Sequence[tuple[str, str]], encoders: Sequence[Encoder]) -> list[Judged]:
    """1 / rank of the own rest, of each candidate; the baseline, an order by lot, first.

    Raises:
        ValueError: for fewer than two pairs.
    """
    if len(pairs) < 2:
        raise ValueError(f"{len(pairs)} texts have a first sentence and a rest: at least 2")
    questions, rests = (list(column) for column in zip(*pairs, strict=True))
    number, right = len(pairs), np.arange(len(pairs))
    lot = sum(1 / rank for rank in range(1, number + 1)) / number
    found = [Judged("an order by lot", np.full(number, lot))]
    some = questions[:TIMED]

    start = process_time()
    keywords = Keywords(rests)
    seconds = process_time() - start
    scores = np.stack([keywords.scores(question) for question in questions])
    ms = milliseconds(lambda: [keywords.scores(question) for question in some], len(some))
    known = set(keywords.index.vocab_dict)
    pieces = [piece for question in questions for piece in terms(question)]
    unknown = sum(len(p) for p in pieces if p not in known) / max(sum(map(len, pieces)), 1)
    size = sum(array.nbytes for array in keywords.arrays().values()) / 1e6
    found.append(Judged("BM25, words", 1 / right_ranks(scores, right), ms, size, seconds,
                        reading=Reading(unknown, math.nan, frozen=False)))  # fmt: skip

    start = process_time()
    counter = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True)
    table = counter.fit_transform(rests)
    seconds = process_time() - start
    scores = (counter.transform(questions) @ table.T).toarray()
    ms = milliseconds(lambda: counter.transform(some) @ table.T, len(some))
    size = (table.data.nbytes + table.indices.nbytes) / 1e6
    found.append(Judged("TF-IDF, characters", 1 / right_ranks(scores, right), ms, size, seconds,
                        reading=Reading(0.0, math.nan, frozen=False)))  # fmt: skip
    return found + [_encoded(encoder, questions, rests) for encoder in encoders]


def _encoded(encoder: Encoder, questions: list[str], rests: list[str]) -> Judged:
    start = process_time()
    documents = _unit(encoder.vectors(rests))
    seconds = process_time() - start
    scores = _unit(encoder.vectors(questions)) @ documents.T
    some = questions[:TIMED]
    ms = encoder.ms
    if ms is None:
        ms = milliseconds(lambda: _unit(encoder.vectors(some)) @ documents.T, len(some))
    size = encoder.megabytes + documents.nbytes / 1e6
    return Judged(encoder.name, 1 / right_ranks(scores, np.arange(len(questions))), ms, size,
                  seconds, encoder.licence, encoder.reading([*questions, *rests]))  # fmt: skip


def fit_bits(texts: Sequence[str], tested: int = 100) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Bits of held-out texts by each way to write them, (M,) each, and their bytes (M,).

    Every fifth text is held out, ``tested`` at most; of each text the first 1,000 characters
    count. "our GPT" has never seen the file. "n-grams" learn from the other texts, and "gzip" has
    the last 32 kB of them at hand.

    Raises:
        ValueError: for fewer than ten texts.
    """
    if len(texts) < 10:
        raise ValueError(f"{len(texts)} texts are too few: at least 10")
    held = [text[:LONGEST] for text in texts[4::5]][:tested]
    learned = [list(text.encode()) for i, text in enumerate(texts) if i % 5 != 4]
    ngrams = KneserNey(learned, vocab_size=257, end_id=256, order=ORDER)
    near = b"\n".join(map(bytes, learned))[-32768:]
    bits = {
        "our GPT": _gpt_bits(held),
        "n-grams": np.array([-ngrams.log2_probs(list(t.encode()))[:-1].sum() for t in held]),
        "gzip": np.array([8 * _zipped(t.encode(), near) for t in held]),
    }
    return bits, np.array([len(text.encode()) for text in held])


def _zipped(data: bytes, near: bytes) -> int:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, near)
    return len(packer.compress(data) + packer.flush())


@torch.inference_mode()
def _gpt_bits(texts: Sequence[str]) -> np.ndarray:
    """Windows of the model's context that overlap by half; each token is counted once."""
    from llmbook.training import load

    model, tokenizer = load("gpt")
    end, length = tokenizer.special_tokens["<|endoftext|>"], model.config.context_length
    found = []
    for text in texts:
        ids = torch.tensor([end, *tokenizer.encode(text)])
        total, done = 0.0, 1  # tokens that are counted, the end token first
        while done < len(ids):
            start = 0 if done == 1 else done - length // 2
            window = ids[start : start + length]
            logits = model(window[None, :-1])[0].log_softmax(-1)  # (T - 1, V)
            each = logits.gather(1, window[1:, None])[:, 0]
            total -= float(each[done - start - 1 :].sum())
            done = start + len(window)
        found.append(total / math.log(2))
    return np.array(found)


def _unit(x: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(length == 0, 1, length)
