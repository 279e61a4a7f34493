"""The reader of chapter 8 from five seeds: ``python -m llmbook.studies.readers``.

Another order of the questions and another head each time; the same questions. Judged on the test
questions that have an answer, in the wording of training and in the other one: mean F1, and of the
wording of training less the other the difference with its interval by module. Eight minutes of
one core.
"""

from __future__ import annotations

from time import process_time

from llmbook import corpora
from llmbook.evaluation import compare_means
from llmbook.retrieval.questions import draw
from llmbook.retrieval.reader import read, train_reader
from llmbook.retrieval.squad import answer_f1
from llmbook.studies import stored
from llmbook.studies.language_model import documentation_fingerprint as text

NAME = "readers"
SETTINGS = [{"seed": seed} for seed in range(5)]
TRAIN, TEST = 1280, 300  # questions


def run(seed: int) -> stored.Row:
    records = corpora.docstrings()
    start = process_time()
    reader = train_reader(draw(records.split("train"), TRAIN), seed)
    seconds = process_time() - start
    asked = [q for q in draw(records.split("test"), TEST) if q.answer]
    f1 = {}
    for wording in ("question", "reworded"):
        said = read(reader, [(getattr(q, wording), q.text) for q in asked])
        f1[wording] = [answer_f1(r.answer, q.answer) for r, q in zip(said, asked, strict=True)]
    lost = compare_means(f1["question"], f1["reworded"], [q.module for q in asked])
    return {
        "questions": len(asked),
        "F1": round(sum(f1["question"]) / len(asked), 3),
        "reworded F1": round(sum(f1["reworded"]) / len(asked), 3),
        "lost": [round(value, 3) for value in (lost.value, lost.low, lost.high)],
        "cpu_seconds": round(seconds),
    }


if __name__ == "__main__":
    stored.main(NAME, text(), SETTINGS, run)
