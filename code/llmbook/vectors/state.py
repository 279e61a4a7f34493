"""A training run on disk: arrays and facts in one safetensors file, whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save


def save_state(path: str | Path, arrays: dict[str, np.ndarray], facts: dict[str, Any]) -> None:
    """Write to a file beside ``path``, then put it in its place: a crash leaves the old file."""
    partial = Path(f"{path}.partial")
    try:
        contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        partial.write_bytes(save(contiguous, metadata={"facts": json.dumps(facts)}))
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def load_state(path: str | Path, kind: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what ``save_state`` wrote with this ``kind`` among its facts.

    Raises ``ValueError`` for a file cut short, altered, or of another kind.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            facts = json.loads(file.metadata()["facts"])
            if facts["kind"] != kind:
                raise ValueError(f"{path} holds a {facts['kind']} run, not a {kind} run")
            return {name: file.get_tensor(name) for name in file.keys()}, facts  # noqa: SIM118
    except (SafetensorError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is cut short or no saved training run: train again") from error
