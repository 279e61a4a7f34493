"""The one loop that trains every model of this book (chapter 6).

A step: draw batches, sum the losses of all their targets, divide by the number of targets, clip the
gradient, update. So batches that are accumulated, and batches that are shared among processes,
give the update that one large batch would give.

Not here: what a model predicts (``objectives``), where batches come from (``data``).
"""

from __future__ import annotations

import json
import math
import time
import warnings
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from llmbook.training.checkpoints import (
    latest_checkpoint,
    load_checkpoint,
    load_optimizers,
    load_weights,
    optimizer_tensors,
    save_checkpoint,
    weights,
)
from llmbook.training.config import TrainingConfig
from llmbook.training.data import Data
from llmbook.training.errors import CheckpointError, TrainingError
from llmbook.training.evaluation import HeldOut, autocast, evaluate, to
from llmbook.training.history import History
from llmbook.training.objectives import Batch, Objective
from llmbook.training.optimizers import make_optimizers
from llmbook.training.processes import start_processes
from llmbook.training.schedule import learning_rate

FREE = ("save_every",)  # settings that may change between a checkpoint and its resumption


class Trainer:
    """Trains ``model`` on ``data`` towards ``objective``, on the device where the model is.

    Args:
        evaluate: held-out data by name; the first decides when to stop early
        directory: where checkpoints go; without one nothing is saved
        quiet: no progress bar

    ``history`` is the record so far, ``step`` the number of updates made.
    """

    def __init__(
        self,
        model: nn.Module,
        objective: Objective,
        data: Data,
        config: TrainingConfig,
        *,
        evaluate: Mapping[str, HeldOut] | None = None,
        directory: str | Path | None = None,
        quiet: bool = False,
    ) -> None:
        self.model, self.objective, self.data, self.config = model, objective, data, config
        self.held_out = dict(evaluate or {})
        self.directory = None if directory is None else Path(directory)
        self.device = next(model.parameters()).device
        self.processes = start_processes(self.device)
        self.quiet = quiet or self.processes.rank > 0
        if config.batch_size < self.processes.count:
            raise ValueError(
                f"batch_size ({config.batch_size}) must be at least the number of processes "
                f"({self.processes.count})"
            )
        if config.patience and not self.held_out:
            raise ValueError("patience needs held-out data: give evaluate={name: HeldOut(...)}")
        self.optimizers = make_optimizers(model, config)
        self.trained = [p for o in self.optimizers for g in o.param_groups for p in g["params"]]
        self.history = History()
        self.step = 0
        self.generator = torch.Generator().manual_seed(config.seed)  # what the objective draws
        self._best: dict[str, Tensor] = {}
        self._begun = False
        self._loss = self.processes.wrap(_Loss(model, objective))

    def fit(self, until: int | None = None, resume: bool = False) -> History:
        """Train to the end, or to step ``until``, after which ``fit`` may be called again.

        With ``patience``, the model ends with the weights of its best evaluation.

        Args:
            resume: go on from the newest checkpoint in ``directory``. The losses are then, bit for
                bit, those of a run that was not interrupted, given the same number of threads.

        Raises:
            TrainingError: if the loss or the gradient is no longer finite.
            CheckpointError: if there is no checkpoint to resume, or one that was not asked for, or
                it is damaged or of another run, or a new one cannot be written.
        """
        if resume:
            self._resume()
        elif not self._begun:
            torch.manual_seed(self.config.seed + self.processes.rank)  # dropout
            self._begin_directory()
        self._begun = True
        end = self.config.steps if until is None else min(until, self.config.steps)
        self.model.train()
        silent = {"disable": True} if self.quiet else {}  # else the variable TQDM_DISABLE decides
        total = self.config.steps
        with tqdm(total=total, initial=self.step, unit="step", leave=False, **silent) as bar:
            while self.step < end and not self._stopped():
                start = time.process_time()
                loss = self._update()
                if self._due(self.config.evaluate_every):
                    self._evaluate()
                self.history.cpu_seconds += time.process_time() - start
                if self._due(self.config.save_every) or self.step == end or self._stopped():
                    self._save()
                bar.set_postfix(loss=f"{loss:.3f}", refresh=False)
                bar.update()
        if self._best and (self.step == self.config.steps or self._stopped()):
            load_weights(self.model, self._best, Path("the best weights"))
        return self.history

    def _update(self) -> float:
        """One step; returns its loss."""
        config, count = self.config, self.processes.count
        batches = [
            self.objective.prepare(self.data.draw(config.batch_size), self.generator)
            for _ in range(config.accumulate)
        ]
        targets = sum(map(self.objective.count, batches))
        if not targets:
            raise TrainingError(f"step {self.step} has no target to learn: use larger batches")
        for group in (group for o in self.optimizers for group in o.param_groups):
            group["lr"] = learning_rate(self.step, config)
        total = torch.zeros((), device=self.device)
        for number, batch in enumerate(batches):
            last = number + 1 == len(batches)
            with nullcontext() if last else self.processes.without_sync(self._loss):
                with autocast(self.device, config.precision):
                    loss = self._loss(to(self.processes.rows(batch), self.device))
                # Gradients are averaged over the processes: times their number, they are summed.
                (loss * (count / targets)).backward()
            total += loss.detach()
        loss = self.processes.sum(total).item() / targets
        limit = config.clip or math.inf
        norm = nn.utils.clip_grad_norm_(self.trained, limit).item()
        if not math.isfinite(loss) or not math.isfinite(norm):
            self._fail(loss, norm)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self.history.losses.append(loss)
        self.history.norms.append(norm)
        self.history.targets += targets
        return loss

    def _fail(self, loss: float, norm: float) -> None:
        kept = None if self.directory is None else latest_checkpoint(self.directory)
        where = f"; {kept} is whole" if kept else ""
        raise TrainingError(
            f"step {self.step}: the loss is {loss} and the norm of its gradient {norm}, so the "
            f"weights were left alone{where}: lower learning_rate, or warm up for longer"
        )

    def _due(self, every: int) -> bool:
        return self.step == self.config.steps or (every > 0 and self.step % every == 0)

    def _evaluate(self) -> None:
        for name, held_out in self.held_out.items():
            found = evaluate(
                self.model, self.objective, held_out,
                precision=self.config.precision, processes=self.processes,
            )  # fmt: skip
            self.history.note(self.step, name, found)
        if self.config.patience and self.history.stale(next(iter(self.held_out))) == 0:
            self._best = {name: tensor.clone() for name, tensor in weights(self.model).items()}

    def _stopped(self) -> bool:
        """Whether patience has run out."""
        if not self.config.patience:
            return False
        return self.history.stale(next(iter(self.held_out))) >= self.config.patience

    # What follows keeps a run on disk.

    def _facts(self) -> dict[str, Any]:
        """What a checkpoint must share with the run that resumes it."""
        settings = getattr(self.model, "config", None)
        facts = {
            "model": type(self.model).__name__,
            "model_config": asdict(settings) if is_dataclass(settings) else {},
            "objective": repr(self.objective),
            "config": {k: v for k, v in asdict(self.config).items() if k not in FREE},
            "processes": self.processes.count,
        }
        return json.loads(json.dumps(facts))  # tuples become lists, as in the file

    def _begin_directory(self) -> None:
        """A checkpoint of step 0, so that there is a whole one from the start."""
        if self.directory is None:
            return
        found = latest_checkpoint(self.directory)
        if found is not None:
            raise CheckpointError(f"{found} is there already: resume it, or name another directory")
        self.processes.wait()  # until all have looked
        self._save()

    def _save(self) -> None:
        if self.directory is None:
            return
        generators = {"objective": self.generator.get_state(), "torch": self._torch_generators()}
        data_facts = {}
        for name, value in self.data.state_dict().items():
            if isinstance(value, Tensor):
                generators[f"data/{name}"] = value
            else:
                data_facts[name] = value
        tensors = {
            "model": weights(self.model),
            "optimizer": optimizer_tensors(self.model, self.optimizers),
            "generators": generators,
        }
        if self._best:
            tensors["best"] = self._best
        facts = {
            "step": self.step,
            "run": self._facts(),
            "data": data_facts,
            "history": asdict(self.history),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
        }
        if self.processes.rank == 0:
            save_checkpoint(self.directory, self.step, tensors, facts)
        self.processes.wait()

    def _torch_generators(self) -> Tensor:
        """States of torch's global generator (P, bytes), one row a process."""
        states = [torch.get_rng_state()]
        if self.device.type != "cpu":
            states.append(torch.get_device_module(self.device).get_rng_state(self.device))
        return self.processes.gather(torch.cat(states).to(self.device)).cpu()

    def _set_torch_generators(self, states: Tensor) -> None:
        own, length = states[self.processes.rank], len(torch.get_rng_state())
        torch.set_rng_state(own[:length].clone())
        if self.device.type != "cpu":
            module = torch.get_device_module(self.device)
            module.set_rng_state(own[length:].clone(), self.device)

    def _resume(self) -> None:
        if self.directory is None:
            raise CheckpointError("there is nothing to resume: name the directory of the run")
        folder = latest_checkpoint(self.directory)
        if folder is None:
            raise CheckpointError(f"{self.directory} holds no checkpoint: begin without resume")
        tensors, facts = load_checkpoint(folder)
        self._compare(folder, facts["run"])
        load_weights(self.model, tensors["model"], folder)
        load_optimizers(self.model, self.optimizers, tensors["optimizer"])
        generators = tensors["generators"]
        data = {
            name.removeprefix("data/"): tensor
            for name, tensor in generators.items()
            if name.startswith("data/")
        }
        try:
            self.data.load_state_dict(facts["data"] | data)
        except ValueError as error:
            raise CheckpointError(f"{folder} is of another run: {error}") from error
        self.generator.set_state(generators["objective"])
        self._set_torch_generators(generators["torch"])
        self.history = History(**facts["history"])
        self._best = tensors.get("best", {})
        self.step = facts["step"]
        if facts["threads"] != torch.get_num_threads():
            warnings.warn(
                f"the run had {facts['threads']} threads and goes on with "
                f"{torch.get_num_threads()}: sums round differently, so its losses differ a little",
                stacklevel=3,
            )

    def _compare(self, folder: Path, run: dict[str, Any]) -> None:
        """Name the first setting that is not as it was."""
        was, now = flat(run), flat(self._facts())
        for name in [*was, *now]:
            if was.get(name) != now.get(name):
                raise CheckpointError(
                    f"{folder} is of another run: {name} was {was.get(name)} there and is "
                    f"{now.get(name)} here"
                )


class _Loss(nn.Module):
    """Model and objective as one module, so that what several processes share is its call."""

    def __init__(self, model: nn.Module, objective: Objective) -> None:
        super().__init__()
        self.model, self.objective = model, objective

    def forward(self, batch: Batch) -> Tensor:
        return self.objective.loss(self.model, batch)[0]


def flat(facts: dict[str, Any]) -> dict[str, Any]:
    """Settings inside settings as ``config.steps``."""
    plain = {}
    for name, value in facts.items():
        inner = {f"{name}.{key}": v for key, v in value.items()} if isinstance(value, dict) else {}
        plain |= inner or {name: value}
    return plain
