"""Train a model that ships with the book: ``python -m llmbook.training gpt``.

Checkpoints go to ``runs/NAME`` in the current folder, the finished model to ``runs/NAME/shipped``.
A run that was stopped, in whichever way, goes on with ``--resume``.
"""

from __future__ import annotations

import argparse
import platform
import sys
from dataclasses import asdict, replace
from importlib import metadata
from pathlib import Path

import torch

from llmbook.corpora import CorpusError
from llmbook.tokenizers import BPETokenizer
from llmbook.training.checkpoints import latest_checkpoint
from llmbook.training.errors import CheckpointError, TrainingError
from llmbook.training.evaluation import evaluate
from llmbook.training.history import History
from llmbook.training.recipes import RECIPES, Ingredients, describe
from llmbook.training.shipped import HALF, ship
from llmbook.training.trainer import Trainer

POINTS = 200  # of the stored loss curve


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m llmbook.training", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("name", choices=RECIPES, help="the recipe")
    parser.add_argument("--resume", action="store_true", help="go on with a run that was stopped")
    parser.add_argument("--steps", type=int, help="other than the recipe's number")
    parser.add_argument("--out", type=Path, help="folder of the run; runs/NAME if not given")
    parser.add_argument("--threads", type=int, default=1, help="of torch; 1 if not given")
    parser.add_argument("--device", default="cpu", help="torch's name of it; cpu if not given")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    args = parse(arguments)
    try:
        run(args)
    except (CheckpointError, CorpusError, TrainingError, ValueError, OSError) as error:
        print(f"llmbook.training: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("llmbook.training: stopped; --resume goes on from the last checkpoint",
              file=sys.stderr)  # fmt: skip
        return 130
    return 0


def run(args: argparse.Namespace) -> None:
    from llmbook import environment  # stands beside the layers

    recipe = RECIPES[args.name]
    if args.steps is not None:
        recipe = replace(recipe, training=replace(recipe.training, steps=args.steps))
    if args.threads < 1:
        raise ValueError(f"--threads ({args.threads}) must be at least 1")
    torch.set_num_threads(args.threads)
    environment.keep_freed_memory()
    directory = args.out or Path("runs") / recipe.name
    stored = directory / "tokenizer.json"
    begun = latest_checkpoint(directory) is not None
    if begun and not args.resume:
        raise CheckpointError(f"{directory} holds a run: --resume it, or name another --out")
    if args.resume and not begun:
        raise CheckpointError(f"{directory} holds no run to resume")

    ingredients = Ingredients(recipe, BPETokenizer.load(stored) if args.resume else None)
    model = ingredients.model().to(args.device)
    trainer = Trainer(
        model, ingredients.objective(), ingredients.data(), recipe.training,
        evaluate=ingredients.held_out(), directory=directory,
    )  # fmt: skip
    if trainer.processes.rank == 0:
        directory.mkdir(parents=True, exist_ok=True)
        ingredients.tokenizer.save(stored)
    history = trainer.fit(resume=args.resume)
    if trainer.processes.rank == 0:
        finish(ingredients, model, history, directory / "shipped", command(args))


def finish(ingredients: Ingredients, model, history: History, folder: Path, command: str) -> None:
    """Evaluate the model on the whole held-out text, before and after it is halved, and ship it."""
    objective, recipe = ingredients.objective(), ingredients.recipe
    held_out = ingredients.held_out(whole=True)
    results = {}
    for kind in ("float32", "float16"):
        if kind == "float16":
            model.load_state_dict({n: t.to(HALF) for n, t in model.state_dict().items()})
        for name, part in held_out.items():
            found = evaluate(model, objective, part)
            results[f"{name}, {kind}"] = asdict(found) | {"bits_per_byte": found.bits_per_byte}
    facts = {
        "recipe": describe(recipe),
        "command": command,
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "llmbook": metadata.version("llmbook"),
        },
        "threads": torch.get_num_threads(),
        "device": device_name(next(model.parameters()).device),
        "cpu_seconds": round(history.cpu_seconds, 2),
        "targets": history.targets,
        "validation": results,
        "curve": [
            [step, round(loss, 4)]
            for step, loss in history.smooth(max(1, len(history.losses) // POINTS))
        ],
        "evaluations": history.evaluations,
    }
    ship(folder, model, ingredients.tokenizer, facts)
    for name, found in results.items():
        bits = found["bits_per_byte"]
        print(f"{name}: {found['loss']:.4f} nats a token"
              + (f", {bits:.4f} bits per byte" if bits else ""))  # fmt: skip
    speed = history.targets / max(history.cpu_seconds, 1e-9)
    print(f"{history.cpu_seconds:.0f} CPU seconds, {speed:.0f} targets a CPU second")
    print(f"the model is in {folder}")


def device_name(device: torch.device) -> str:
    """The accelerator as its maker names it, or "cpu"."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def command(args: argparse.Namespace) -> str:
    """The command that makes this model from the start."""
    parts = ["python -m llmbook.training", args.name]
    parts += [f"--steps {args.steps}"] if args.steps is not None else []
    parts += [f"--threads {args.threads}"] if args.threads != 1 else []
    return " ".join(parts)


if __name__ == "__main__":
    sys.exit(main())
