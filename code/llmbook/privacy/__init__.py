"""Does a model keep a secret that stood in its training text, and what protects it? (chapter 11)

``world``       ordinary documents, invented secrets among them, and a GPT that reads characters
``exposure``    how far the true code stands in front of the others; what the model writes
``duplicates``  documents that stand twice, in the same form or nearly
``dp_sgd``      gradients of single documents, clipped and blurred
``accounting``  what that promises: epsilon

For teaching. Noise comes from a seeded generator that anybody can repeat, so no real data is
protected by it; that takes a reviewed library.
"""

from llmbook.privacy.accounting import epsilon, greatest_probability, sampled_gaussian_rdp
from llmbook.privacy.dp_sgd import (
    Settings,
    clipped_sum,
    document_gradients,
    document_losses,
    fit,
    poisson_batch,
)
from llmbook.privacy.duplicates import exact_duplicates, near_duplicates, normalized
from llmbook.privacy.exposure import chance_exposure, code_losses, exposure, rank, written_codes
from llmbook.privacy.world import FORMS, World, encode, new_model, prompt

__all__ = [
    "FORMS",
    "Settings",
    "World",
    "chance_exposure",
    "clipped_sum",
    "code_losses",
    "document_gradients",
    "document_losses",
    "encode",
    "epsilon",
    "exact_duplicates",
    "exposure",
    "fit",
    "greatest_probability",
    "near_duplicates",
    "new_model",
    "normalized",
    "poisson_batch",
    "prompt",
    "rank",
    "sampled_gaussian_rdp",
    "written_codes",
]
