"""A trained model turned to a task: classification, instructions, preferences (chapters 7, 9).

``classifier``     a head on BERT or GPT, masked pooling, predictions
``freezing``       which parts are trained
``lora``           low-rank adapters: added, merged, taken out
``adapter_files``  adapters saved and loaded by themselves
``instructions``   question and answer, of which the answer alone is learned
``preferences``    of two answers, the chosen one over the rejected: DPO
``leash``          best of n and the KL leash on a table, exact

Not here: the training loop (``llmbook.training``), reinforcement learning.
"""

from llmbook.tuning.adapter_files import load_adapters, save_adapters
from llmbook.tuning.classifier import (
    Classifier,
    by_length,
    classification_loss,
    last_token,
    mean_pool,
    pool_rows,
)
from llmbook.tuning.freezing import freeze, trained_parameters, unfreeze
from llmbook.tuning.instructions import encode_instructions, prompt_text
from llmbook.tuning.leash import best_of, best_of_kl, kl, leashed
from llmbook.tuning.lora import (
    LoRALinear,
    adapters,
    add_lora,
    merge_lora,
    remove_lora,
    unmerge_lora,
)
from llmbook.tuning.preferences import (
    DPO,
    Preference,
    bradley_terry_loss,
    dpo_loss,
    encode_preferences,
    reference_log_probs,
    sequence_log_probs,
)

__all__ = [
    "DPO",
    "Classifier",
    "LoRALinear",
    "Preference",
    "adapters",
    "add_lora",
    "best_of",
    "best_of_kl",
    "bradley_terry_loss",
    "by_length",
    "classification_loss",
    "dpo_loss",
    "encode_instructions",
    "encode_preferences",
    "freeze",
    "kl",
    "last_token",
    "leashed",
    "load_adapters",
    "mean_pool",
    "merge_lora",
    "pool_rows",
    "prompt_text",
    "reference_log_probs",
    "remove_lora",
    "save_adapters",
    "sequence_log_probs",
    "trained_parameters",
    "unfreeze",
    "unmerge_lora",
]
