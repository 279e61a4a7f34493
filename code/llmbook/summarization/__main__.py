"""Train the decoder of chapter 8 that ships with the book: ``python -m llmbook.summarization``.

A quarter of an hour of one core. The folder is ``runs/summarization`` if ``--out`` names no other.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from dataclasses import asdict, replace
from importlib import metadata
from pathlib import Path

import torch

from llmbook import pretrained
from llmbook.corpora import CorpusError
from llmbook.summarization.learning import Recipe, learn
from llmbook.summarization.pairs import pairs
from llmbook.summarization.summarizer import ship
from llmbook.training.errors import CheckpointError, TrainingError

RECIPE = Recipe(steps=4500, short=True)
POINTS = 100  # of the stored loss curve


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m llmbook.summarization", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--steps", type=int, default=RECIPE.steps, help="of the training")
    parser.add_argument("--out", type=Path, default=Path("runs/summarization"))
    args = parser.parse_args(arguments)
    try:
        run(replace(RECIPE, steps=args.steps), args.out)
    except (CheckpointError, CorpusError, TrainingError, ValueError, OSError) as error:
        print(f"llmbook.summarization: {error}", file=sys.stderr)
        return 1
    return 0


def run(recipe: Recipe, folder: Path) -> None:
    torch.set_num_threads(1)
    start = time.process_time()
    decoder, history = learn(recipe, quiet=False)
    steps = "" if recipe.steps == RECIPE.steps else f" --steps {recipe.steps}"
    facts = {
        "recipe": asdict(recipe),
        "command": f"python -m llmbook.summarization{steps}",
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "llmbook": metadata.version("llmbook"),
        },
        "fingerprints": {"pairs": pairs().fingerprint, "encoder": pretrained.SHA256},
        "packages": pairs().packages,
        "threads": torch.get_num_threads(),
        "parameters": sum(p.numel() for p in decoder.parameters()),
        "cpu_seconds": round(time.process_time() - start, 1),
        "targets": history.targets,
        "curve": [
            [step, round(loss, 4)]
            for step, loss in history.smooth(max(1, len(history.losses) // POINTS))
        ],
        "evaluations": history.evaluations,
    }
    ship(folder, decoder, recipe.named, facts)
    print(f"{facts['cpu_seconds']:.0f} CPU seconds; the model is in {folder}")


if __name__ == "__main__":
    sys.exit(main())
