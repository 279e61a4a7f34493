"""A trained model turned to a task: classification and instructions (chapter 7).

``classifier``     a head on BERT or GPT, masked pooling, predictions
``freezing``       which parts are trained
``lora``           low-rank adapters: added, merged, taken out
``adapter_files``  adapters saved and loaded by themselves
``instructions``   question and answer, of which the answer alone is learned

Not here: the training loop (``llmbook.training``), preference optimization.
"""

from llmbook.tuning.adapter_files import load_adapters, save_adapters
from llmbook.tuning.classifier import (
    Classifier,
    by_length,
    classification_loss,
    last_token,
    mean_pool,
)
from llmbook.tuning.freezing import freeze, trained_parameters, unfreeze
from llmbook.tuning.instructions import encode_instructions, prompt_text
from llmbook.tuning.lora import (
    LoRALinear,
    adapters,
    add_lora,
    merge_lora,
    remove_lora,
    unmerge_lora,
)

__all__ = [
    "Classifier",
    "LoRALinear",
    "adapters",
    "add_lora",
    "by_length",
    "classification_loss",
    "encode_instructions",
    "freeze",
    "last_token",
    "load_adapters",
    "mean_pool",
    "merge_lora",
    "prompt_text",
    "remove_lora",
    "save_adapters",
    "trained_parameters",
    "unfreeze",
    "unmerge_lora",
]
