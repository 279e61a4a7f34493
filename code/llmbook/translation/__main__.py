"""Train a translator that ships with the book: ``python -m llmbook.translation phrases``.

The finished translator goes to ``runs/translator-NAME`` in the current folder. One thread.
"""

from __future__ import annotations

import argparse
import platform
import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from llmbook.corpora import CorpusError
from llmbook.training import CheckpointError, History, TrainingError
from llmbook.training.shipped import HALF
from llmbook.translation.recipes import RECIPES, Recipe, fit
from llmbook.translation.shipped import PREFIX, ship
from llmbook.translation.translator import Translator

POINTS = 200  # of the stored loss curve


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m llmbook.translation", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("name", choices=RECIPES, help="the recipe")
    parser.add_argument("--steps", type=int, help="other than the recipe's number")
    parser.add_argument("--out", type=Path, help="folder of the result; runs/translator-NAME else")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    args = parse(arguments)
    try:
        run(args)
    except (CheckpointError, CorpusError, TrainingError, ValueError, OSError) as error:
        print(f"llmbook.translation: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("llmbook.translation: stopped; nothing is kept", file=sys.stderr)
        return 130
    return 0


def run(args: argparse.Namespace) -> None:
    recipe = RECIPES[args.name]
    command = f"python -m llmbook.translation {args.name}"
    if args.steps is not None:
        recipe = replace(recipe, training=replace(recipe.training, steps=args.steps))
        command += f" --steps {args.steps}"
    torch.set_num_threads(1)
    translator, history = fit(recipe)
    model = translator.model
    model.load_state_dict({n: t.to(HALF) for n, t in model.state_dict().items()})
    found = evaluate(translator, recipe)
    folder = args.out or Path("runs") / f"{PREFIX}{recipe.name}"
    ship(folder, translator, facts(recipe, command, history, found))
    for name, (right, total) in found.items():
        print(f"{name}: {right} of {total} validation pairs exactly")
    print(f"{history.cpu_seconds:.0f} CPU seconds; the translator is in {folder}")


def evaluate(translator: Translator, recipe: Recipe) -> dict[str, tuple[int, int]]:
    """Validation pairs that are right to the last character, of all, by direction."""
    pairs = recipe.split("validation")
    english, chinese = [p.english for p in pairs], [p.chinese for p in pairs]
    found = {}
    for to in recipe.directions:
        sources, targets = (english, chinese) if to == "zh" else (chinese, english)
        written = translator.write(sources, to)
        found[f"to {to}"] = (sum(map(str.__eq__, written, targets)), len(pairs))
    return found


def facts(
    recipe: Recipe, command: str, history: History, found: dict[str, tuple[int, int]]
) -> dict[str, Any]:
    return {
        "recipe": recipe.describe(),
        "command": command,
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "llmbook": metadata.version("llmbook"),
        },
        "threads": torch.get_num_threads(),
        "cpu_seconds": round(history.cpu_seconds, 2),
        "targets": history.targets,
        "validation, float16": found,
        "curve": [
            [step, round(loss, 4)]
            for step, loss in history.smooth(max(1, len(history.losses) // POINTS))
        ],
    }


if __name__ == "__main__":
    sys.exit(main())
