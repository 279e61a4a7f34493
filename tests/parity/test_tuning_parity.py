"""Classifier, LoRA and the loss on answers against Transformers and peft with the same weights."""

from __future__ import annotations

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn
from transformers import BertConfig as TheirBertConfig
from transformers import (
    BertForSequenceClassification,
    BertModel,
    GPT2Config,
    GPT2ForSequenceClassification,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
)

from llmbook.models import GPT, Bert, BertConfig, GPTConfig, load_weights
from llmbook.models.transformers_format import BERT, LLAMA
from llmbook.tokenizers import BPETokenizer
from llmbook.training import NextToken
from llmbook.training.data import collate
from llmbook.tuning import (
    Classifier,
    adapters,
    add_lora,
    classification_loss,
    encode_instructions,
    merge_lora,
)

pytestmark = pytest.mark.filterwarnings(  # peft asks Transformers for a name that will go
    "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")

MASK = (torch.arange(7) < torch.tensor([7, 4, 1])[:, None]).long()
THEIR_BERT = {"vocab_size": 50, "max_position_embeddings": 32, "hidden_size": 24,
              "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48}
SIZES = {"vocab_size": 50, "context_length": 32, "d_model": 24, "num_layers": 3, "num_heads": 4}
GPT2 = {"vocab_size": 50, "n_positions": 32, "n_embd": 24, "n_layer": 3, "n_head": 4,
        "bos_token_id": None, "eos_token_id": None}


def near(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def redraw(model: nn.Module) -> nn.Module:
    """All parameters from N(0, 0.2²), those of norms around 1; evaluation mode."""
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            center = 1.0 if "norm" in name.lower() or "ln_" in name else 0.0
            parameter.normal_(center if name.endswith("weight") else 0.0, 0.2)
    return model.eval()


def ids() -> Tensor:
    return torch.randint(1, 50, (3, 7), generator=torch.Generator().manual_seed(3))


# Classifier


@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
def test_a_classifier_with_cls_is_berts_for_sequence_classification(label_smoothing) -> None:
    """Logits under padding, loss, and the gradients of head, pooler and first query."""
    theirs = redraw(BertForSequenceClassification(TheirBertConfig(**THEIR_BERT, num_labels=5)))
    ours = Classifier(Bert(BertConfig(**SIZES, d_hidden=48)), 5, "cls").eval()
    load_weights(ours.encoder, theirs.bert.state_dict())
    ours.head.load_state_dict(theirs.classifier.state_dict())
    labels = torch.tensor([4, 0, 2])
    expected = theirs(ids(), MASK)
    near(ours(ids(), MASK), expected.logits)
    loss = classification_loss(ours(ids(), MASK), labels, label_smoothing)
    smoothed = nn.CrossEntropyLoss(label_smoothing=label_smoothing)(expected.logits, labels)
    near(loss, smoothed)
    if not label_smoothing:
        near(loss, theirs(ids(), MASK, labels=labels).loss)
    loss.backward()
    smoothed.backward()
    bert = theirs.bert
    for mine, oracle in ((ours.head, theirs.classifier),
                         (ours.encoder.pooler, bert.pooler.dense),
                         (ours.encoder.stack.blocks[0].attention.query,
                          bert.encoder.layer[0].attention.self.query)):
        near(mine.weight.grad, oracle.weight.grad)


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_classifier_with_last_is_gpt2s_for_sequence_classification(side: str) -> None:
    """It finds the last token by the id of padding, 0, and has no bias."""
    config = GPT2Config(**GPT2, num_labels=5, pad_token_id=0)
    theirs = redraw(GPT2ForSequenceClassification(config))
    ours = Classifier(GPT(GPTConfig.gpt2(**SIZES)), 5, "last").eval()
    load_weights(ours.encoder, theirs.transformer.state_dict())
    ours.head.load_state_dict({"weight": theirs.score.weight, "bias": torch.zeros(5)})
    mask = MASK if side == "right" else MASK.flip(1)
    padded = ids() * mask
    expected = theirs(padded, attention_mask=mask,
                      position_ids=(mask.cumsum(1) - 1).clamp(min=0)).logits
    near(ours(padded, mask), expected)


# LoRA


def our_bert() -> Bert:
    return Bert(BertConfig(**SIZES, d_hidden=48)).eval()


def their_bert() -> nn.Module:
    """Without dropout, so that training mode draws that of the adapters alone."""
    return redraw(BertModel(TheirBertConfig(
        **THEIR_BERT, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)))


def our_llama() -> GPT:
    return GPT(GPTConfig.modern(**SIZES, d_hidden=40, num_kv_heads=2, tie_embeddings=False)).eval()


def their_llama() -> nn.Module:
    return redraw(LlamaForCausalLM(LlamaConfig(
        vocab_size=50, max_position_embeddings=16, hidden_size=24, num_hidden_layers=3,
        num_attention_heads=4, num_key_value_heads=2, intermediate_size=40, rms_norm_eps=1e-5,
        tie_word_embeddings=False, pad_token_id=None, bos_token_id=None, eos_token_id=None)))


CASES = [pytest.param(our_bert, their_bert, BERT, ["query", "value"], id="bert"),
         pytest.param(our_llama, their_llama, LLAMA, ["q_proj", "v_proj"], id="llama")]


def with_adapters(make_ours, make_theirs, table: dict, targets: list, rank, alpha, dropout=0.0):
    """Our model, peft's, and pairs of our adapters with theirs, A and B drawn anew and copied.

    In float64: through saturated attention the gradients of float32 differ by 3e-4 of the largest.
    (Transformers' Llama keeps norms and rotary angles in float32 all the same.)
    """
    ours, theirs = make_ours().double(), make_theirs().double()
    load_weights(ours, theirs.state_dict())
    add_lora(ours, rank=rank, alpha=alpha, dropout=dropout)
    theirs = get_peft_model(theirs, LoraConfig(
        r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=targets))
    pairs = []
    for path, adapter in adapters(ours).items():
        _, _, number, rest = path.split(".", 3)
        name = table["stack.blocks.{}." + rest].format(number)
        oracle = theirs.base_model.model.get_submodule(name)
        pairs.append((adapter, oracle))
        with torch.no_grad():
            for mine, their in ((adapter.A, oracle.lora_A), (adapter.B, oracle.lora_B)):
                mine.copy_(their["default"].weight.normal_(std=0.1))
    assert len(pairs) == 6
    return ours, theirs, pairs


def output(model: nn.Module) -> Tensor:
    found = model(ids(), attention_mask=MASK)
    if not isinstance(found, Tensor):
        found = found.logits if hasattr(found, "logits") else found.last_hidden_state
    return found[MASK.bool()]


@pytest.mark.parametrize(("make_ours", "make_theirs", "table", "targets"), CASES)
@pytest.mark.parametrize(("rank", "alpha"), [(2, 16), (8, 4), (1, 1)])
def test_lora_is_pefts(make_ours, make_theirs, table, targets, rank, alpha) -> None:
    """Outputs, the gradients of all A and B, nothing else with one; outputs merged."""
    ours, theirs, pairs = with_adapters(make_ours, make_theirs, table, targets, rank, alpha)
    found, expected = output(ours), output(theirs.eval())
    near(found, expected)
    weights = torch.randn_like(found)
    (found * weights).sum().backward()
    (expected * weights).sum().backward()
    for adapter, oracle in pairs:
        for mine, their in ((adapter.A, oracle.lora_A), (adapter.B, oracle.lora_B)):
            gradient = their["default"].weight.grad
            largest = gradient.abs().max()
            assert largest > 1e-3
            near(mine.grad / largest, gradient / largest)
    assert {n for n, p in ours.named_parameters() if p.grad is not None} == {
        f"{path}.{m}" for path in adapters(ours) for m in "AB"}
    trained = sum(p.numel() for p in ours.parameters() if p.requires_grad)
    assert trained == theirs.get_nb_trainable_parameters()[0]
    merge_lora(ours)
    merged = theirs.merge_and_unload()
    near(output(ours), output(merged))
    for adapter, _ in pairs:
        assert adapter.merged


def test_dropout_of_an_adapter_is_pefts() -> None:
    """In training mode with the same seed: dropped is what A reads, layer after layer."""
    ours, theirs, _ = with_adapters(
        lambda: Bert(BertConfig(**SIZES, d_hidden=48, dropout=0.0)), their_bert, BERT,
        ["query", "value"], 4, 8, dropout=0.5)
    results = []
    for model in (ours, theirs):
        model.train()
        torch.manual_seed(11)
        results.append(output(model))
    near(*results)
    assert (results[0] - output(ours.eval())).abs().max() > 0.01


def test_the_first_a_is_drawn_as_pefts() -> None:
    """The same bounds, ±1/sqrt(in), and B zero."""
    theirs = get_peft_model(their_bert(), LoraConfig(r=8, target_modules=["query"]))
    layer = theirs.base_model.model.encoder.layer[0].attention.self.query
    drawn = layer.lora_A["default"].weight
    ours = our_bert()
    add_lora(ours, ("query",))
    mine = next(iter(adapters(ours).values()))
    bound = 24**-0.5
    for weight in (drawn, mine.A):
        assert 0.9 * bound < weight.abs().max() <= bound
        assert abs(weight.std() - bound / 3**0.5) < 0.02
    assert not layer.lora_B["default"].weight.any() and not mine.B.any()


def test_adapters_go_on_transformers_own_bert_too() -> None:
    """``add_lora`` takes any model of nn.Linear layers; peft on a copy gives the same."""
    theirs = get_peft_model(their_bert(), LoraConfig(
        r=4, lora_alpha=8, target_modules=["query", "value"])).eval()
    ours = their_bert()
    add_lora(ours, rank=4, alpha=8)
    with torch.no_grad():
        for path, adapter in adapters(ours).items():
            oracle = theirs.base_model.model.get_submodule(path)
            oracle.lora_B["default"].weight.normal_()
            adapter.A.copy_(oracle.lora_A["default"].weight)
            adapter.B.copy_(oracle.lora_B["default"].weight)
    near(output(ours), output(theirs))


# Instructions


def test_labels_stand_where_those_of_transformers_stand() -> None:
    """The same batch with the same labels gives the same loss, gradients of the answer alone."""
    theirs = redraw(GPT2LMHeadModel(GPT2Config(**GPT2)))
    ours = GPT(GPTConfig.gpt2(**SIZES)).eval()
    load_weights(ours, theirs.state_dict())
    tokenizer = BPETokenizer({bytes([i]): i for i in range(256)}, (), {"<|endoftext|>": 256})
    examples = encode_instructions(tokenizer, [("a", "b c"), ("d e", "f")])
    batch = {name: tensor % 50 if name == "ids" else tensor.where(tensor < 0, tensor % 50)
             for name, tensor in collate(examples).items()}
    expected = theirs(batch["ids"], attention_mask=batch["attention_mask"],
                      labels=batch["labels"]).loss
    loss, count = NextToken()(ours, batch)
    near(loss / count, expected)
    assert count == len(" b c") + len(" f") + 2
