"""A model that costs less: fewer layers, fewer bits, fewer weights, a smaller model (chapter 9).

``encoders``   texts to vectors by any encoder; the first layers alone; the bytes to be stored
``quantize``   numbers as 8-bit integers and a scale
``prune``      the smallest weights set to zero, and what storing the zeros takes
``distill``    a small encoder learns the vectors of a large one

Not here: training that is aware of the rounding, pruning of whole heads, retraining after pruning.
Time is measured by ``llmbook.measure``.
"""

from llmbook.compression.distill import WordPieceStudent, distill, learn_labels
from llmbook.compression.encoders import (
    layer_vectors,
    lean_minilm,
    shallow,
    stored_bytes,
    text_vectors,
)
from llmbook.compression.prune import bitmap_bytes, prune_linear, smallest
from llmbook.compression.quantize import (
    Int8Embedding,
    dequantize,
    int8_linear,
    int8_tables,
    quantize,
)

__all__ = [
    "Int8Embedding",
    "WordPieceStudent",
    "bitmap_bytes",
    "dequantize",
    "distill",
    "int8_linear",
    "int8_tables",
    "layer_vectors",
    "lean_minilm",
    "learn_labels",
    "prune_linear",
    "quantize",
    "shallow",
    "smallest",
    "stored_bytes",
    "text_vectors",
]
