"""Train the word vectors that ship with the book: ``python -m llmbook.vectors [skipgram] [glove]``.

Two minutes on one core. The files in ``checkpoints/`` are written anew, and beside each a JSON file
with its settings, the fingerprint of the text, and this command. The labs of chapter 3 train the
same vectors in the open; later labs load these.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import torch

from llmbook import corpora
from llmbook.vectors import Glove, SkipGram, cooccurrence
from llmbook.vectors.shipped import CHECKPOINTS, RECIPES, wikipedia_text


def main() -> None:
    torch.set_num_threads(1)
    vocabulary, text = wikipedia_text()
    trainers = {
        "skipgram": lambda config: SkipGram(vocabulary, config).train(text),
        "glove": lambda config: Glove(vocabulary, config).train(
            cooccurrence(text, len(vocabulary))
        ),
    }
    for name in sys.argv[1:] or RECIPES:
        config = RECIPES[name]
        trainers[name](config).save(CHECKPOINTS / f"{name}.bin")
        recipe = {
            "command": "python -m llmbook.vectors",
            "text": corpora.wikipedia().provenance.fingerprint,
            "config": asdict(config),
        }
        (CHECKPOINTS / f"{name}.json").write_text(json.dumps(recipe, indent=1) + "\n", "utf-8")
        print(f"wrote {name}.bin")


if __name__ == "__main__":
    main()
