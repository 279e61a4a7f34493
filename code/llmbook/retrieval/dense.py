"""MiniLM vectors of texts: mean over the tokens, length 1 (Reimers & Gurevych 2019; chapter 8).

``embed`` takes many texts and torch. ``QueryEncoder`` takes a question and numpy alone: to import
torch takes longer than to answer. A test holds that both give the same vector.

Shapes: ``N`` texts, ``T`` tokens, ``H`` heads, ``K`` head width, ``D`` = 384 width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from llmbook.pretrained import minilm_folder

HEADS, LAYERS, EPSILON = 12, 6, 1e-12


def tokenizer(max_tokens: int) -> Any:
    """MiniLM's tokenizer, which cuts a text after ``max_tokens``, [CLS] and [SEP] included."""
    from tokenizers import Tokenizer

    found = Tokenizer.from_file(str(minilm_folder() / "tokenizer.json"))
    found.enable_truncation(max_tokens)
    found.no_padding()
    return found


def embed(
    texts: Sequence[str],
    max_tokens: int = 128,
    batch_size: int = 32,
    model: Any = None,
    progress: str = "",
) -> np.ndarray:
    """Vectors (N, D) of length 1, float32.

    Args:
        max_tokens: what is longer is cut; MiniLM's own limit is 512
        model: a ``Bert`` with MiniLM's weights; loaded if None
        progress: what a progress bar says; none if empty

    Raises:
        CorpusError: if MiniLM's files are missing or altered.
    """
    import torch
    from torch.nn.functional import normalize
    from tqdm.auto import tqdm

    from llmbook.models import load_minilm
    from llmbook.training.data import collate
    from llmbook.tuning import by_length, mean_pool

    model = model or load_minilm()
    rows = [code.ids for code in tokenizer(max_tokens).encode_batch(list(texts))]
    vectors = np.empty((len(rows), model.config.d_model), dtype=np.float32)
    quiet = {} if progress else {"disable": True}  # said only then: TQDM_DISABLE counts too
    bar = tqdm(total=len(rows), desc=progress, unit=" pages", leave=False, **quiet)
    with torch.inference_mode(), bar:
        for numbers in by_length(rows, batch_size):
            batch = collate([{"ids": rows[number]} for number in numbers])
            hidden = model(batch["ids"], batch["attention_mask"])  # (B, T, D)
            vectors[numbers] = normalize(mean_pool(hidden, batch["attention_mask"])).numpy()
            bar.update(len(numbers))
    return vectors


class QueryEncoder:
    """MiniLM's forward pass in numpy, for a handful of short texts.

    Raises:
        CorpusError: if MiniLM's files are missing or altered.
    """

    def __init__(self) -> None:
        from safetensors.numpy import load_file

        self.weights = load_file(minilm_folder() / "model.safetensors")
        self.tokenizer = tokenizer(64)

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors (N, D) of length 1 of N texts, each cut after 64 tokens."""
        vectors = [self.hidden(code.ids).mean(0) for code in self.tokenizer.encode_batch(texts)]
        return np.stack([vector / np.linalg.norm(vector) for vector in vectors])

    def hidden(self, ids: Sequence[int]) -> np.ndarray:
        """The last hidden states (T, D) of one text, no padding."""
        from scipy.special import erf

        w = self.weights
        x = w["embeddings.word_embeddings.weight"][ids]
        x = x + w["embeddings.position_embeddings.weight"][: len(ids)]
        x = self._norm(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        for layer in range(LAYERS):
            at = f"encoder.layer.{layer}"
            query, key, value = (
                self._linear(x, f"{at}.attention.self.{name}").reshape(len(ids), HEADS, -1)
                for name in ("query", "key", "value")
            )  # (T, H, K)
            scores = np.einsum("thk,shk->hts", query, key) / np.sqrt(query.shape[-1])
            scores = np.exp(scores - scores.max(-1, keepdims=True))
            scores /= scores.sum(-1, keepdims=True)
            read = np.einsum("hts,shk->thk", scores, value).reshape(len(ids), -1)
            read = self._linear(read, f"{at}.attention.output.dense")
            x = self._norm(x + read, f"{at}.attention.output.LayerNorm")
            up = self._linear(x, f"{at}.intermediate.dense")
            up = up * 0.5 * (1 + erf(up / np.sqrt(2, dtype=np.float32)))  # GELU, exactly
            down = self._linear(up, f"{at}.output.dense")
            x = self._norm(x + down, f"{at}.output.LayerNorm")
        return x

    def _linear(self, x: np.ndarray, name: str) -> np.ndarray:
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def _norm(self, x: np.ndarray, name: str) -> np.ndarray:
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x * x).mean(-1, keepdims=True) + EPSILON)
        return x * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]
