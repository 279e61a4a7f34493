"""Attention, blocks and models against oracles with the same weights: torch's and Transformers'.

Everything is random but the weights of MiniLM, and equal to 1e-5. Weights are drawn anew, biases
and norms too: those that begin at 0 or 1 would hide a fault. Nothing is downloaded.
"""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import BertConfig as TheirBertConfig
from transformers import (
    BertForMaskedLM,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    T5Config,
)
from transformers.models.t5.modeling_t5 import T5Attention

from llmbook import pretrained
from llmbook.attention import (
    MultiHeadAttention,
    RelativePositions,
    RotaryPositions,
    causal_mask,
    padding_mask,
    scaled_dot_product_attention,
)
from llmbook.blocks import Block, BlockConfig, FeedForward, LayerNorm, RMSNorm, Stack, layer_norm
from llmbook.models import (
    GPT,
    Bert,
    BertConfig,
    BertForMaskedTokens,
    GPTConfig,
    Seq2Seq,
    Seq2SeqConfig,
    Trace,
    load_minilm,
    load_transformers,
    load_weights,
    save_transformers,
    to_transformers,
)

TOLERANCE = 1e-5
LENGTHS = torch.tensor([7, 4, 1])  # tokens in each row of the batches below, B = 3, T = 7


def near(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=TOLERANCE)


def redraw(model: nn.Module) -> nn.Module:
    """All parameters from N(0, 0.2²), those of norms around 1; evaluation mode."""
    torch.manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            center = 1.0 if "norm" in name.lower() or "ln_" in name else 0.0
            parameter.normal_(center if name.endswith("weight") else 0.0, 0.2)
    return model.eval()


def attention_mask(side: str) -> Tensor:
    """(B, T), 1 for a token; padding on one side."""
    mask = (torch.arange(7) < LENGTHS[:, None]).long()
    return mask if side == "right" else mask.flip(1)


# Attention


def copy_attention(ours: MultiHeadAttention, theirs: nn.MultiheadAttention) -> None:
    names = ("query", "key", "value")
    state = {f"output.{kind}": getattr(theirs.out_proj, kind) for kind in ("weight", "bias")}
    for kind, fused in (("weight", theirs.in_proj_weight), ("bias", theirs.in_proj_bias)):
        if fused is not None:
            state |= {f"{n}.{kind}": part for n, part in zip(names, fused.chunk(3), strict=True)}
    ours.load_state_dict({name: t for name, t in state.items() if t is not None})


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("cross", [True, False])
@pytest.mark.parametrize("masked", ["no", "causal", "padding", "both"])
def test_multi_head_attention_is_torchs(bias: bool, cross: bool, masked: str) -> None:
    """Both paths, output and weights. In torch's masks here True = may NOT attend: inverted."""
    theirs = redraw(nn.MultiheadAttention(12, 3, bias=bias, batch_first=True))
    ours = MultiHeadAttention(12, 3, bias=bias).eval()
    copy_attention(ours, theirs)
    x = torch.randn(3, 5, 12)
    memory = torch.randn(3, 7, 12) if cross else x
    length = memory.shape[1]
    lengths = LENGTHS.clamp(max=length)
    causal = causal_mask(5, length) if masked in ("causal", "both") else None
    padding = padding_mask(lengths)[..., :length] if masked in ("padding", "both") else None
    mask = causal if padding is None else padding if causal is None else causal & padding
    expected, weights = theirs(
        x, memory, memory, average_attn_weights=False,
        attn_mask=None if causal is None else ~causal,
        key_padding_mask=None if padding is None else ~padding[:, 0, 0],
    )  # fmt: skip
    for readable in (True, False):
        found, map_ = ours(x, memory if cross else None, mask, return_weights=readable)
        near(found, expected)
        if readable:
            near(map_, weights)


@pytest.mark.parametrize("leading", [(), (3,), (2, 3), (2, 1, 3)])
def test_the_formula_is_torchs_with_any_leading_dimensions(leading: tuple[int, ...]) -> None:
    """Output and gradients; row 2 may attend to nothing, in ours and in torch's."""
    query, key, value = (torch.randn(*leading, n, 6, requires_grad=True) for n in (4, 5, 5))
    mask = torch.rand(4, 5) < 0.6
    mask[:, 0], mask[2] = True, False
    for given in (None, mask):
        expected = F.scaled_dot_product_attention(query, key, value, given)
        found, _ = scaled_dot_product_attention(query, key, value, given)
        near(found, expected)
        gradients = torch.autograd.grad(found.square().sum(), (query, key, value))
        theirs = torch.autograd.grad(expected.square().sum(), (query, key, value))
        for mine, oracle in zip(gradients, theirs, strict=True):
            near(mine, oracle)


# Blocks


@pytest.mark.parametrize("eps", [1e-12, 1e-5, 0.5])
def test_norms_are_torchs(eps: float) -> None:
    """With a variance near 0 and eps 0.5 a wrong place of eps shows; with D = 3, D - 1 for D."""
    for width in (3, 64):
        x = torch.randn(4, 5, width) * 0.1 + 1
        theirs = redraw(nn.LayerNorm(width, eps))
        ours = LayerNorm(width, eps)
        ours.load_state_dict(theirs.state_dict())
        near(layer_norm(x, ours.weight, ours.bias, eps), theirs(x))
        near(ours(x), theirs(x))
        near(layer_norm(x, ours.weight, None, eps), theirs(x) - theirs.bias)
        theirs, ours = redraw(nn.RMSNorm(width, eps)), RMSNorm(width, eps)
        ours.load_state_dict(theirs.state_dict())
        near(ours(x), theirs(x))


@pytest.mark.parametrize(("name", "oracle"), [
    ("relu", nn.ReLU()), ("gelu", nn.GELU()), ("gelu_tanh", nn.GELU("tanh"))])
def test_feed_forward_is_torchs(name: str, oracle: nn.Module) -> None:
    ours = redraw(FeedForward(8, 32, name))
    x = torch.randn(3, 8) * 3
    near(ours(x), nn.Sequential(ours.up, oracle, ours.down)(x))


def copy_block(ours: Block, theirs: nn.Module) -> None:
    """From torch's encoder or decoder layer, whose norms are numbered in the order of use."""
    copy_attention(ours.attention, theirs.self_attn)
    norms = [ours.attention_norm, ours.feed_forward_norm]
    if ours.memory_attention is not None:
        copy_attention(ours.memory_attention, theirs.multihead_attn)
        norms.insert(1, ours.memory_norm)
    for number, norm in enumerate(norms, start=1):
        norm.load_state_dict(getattr(theirs, f"norm{number}").state_dict())
    ours.feed_forward.up.load_state_dict(theirs.linear1.state_dict())
    ours.feed_forward.down.load_state_dict(theirs.linear2.state_dict())


@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True:UserWarning")  # inside torch
@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_encoder_and_decoder_are_those_of_nn_transformer(norm_first: bool, activation: str) -> None:
    """Two layers on either side; padding in source and target; both stacks' outputs.

    nn.Transformer puts a final norm behind post-norm blocks as well, which the paper does not:
    there it is taken out.
    """
    theirs = nn.Transformer(16, 4, 2, 2, 32, 0.0, activation, batch_first=True,
                            norm_first=norm_first)
    if not norm_first:
        theirs.encoder.norm = theirs.decoder.norm = None
    redraw(theirs)
    config = BlockConfig(d_model=16, num_heads=4, d_hidden=32, activation=activation,
                         norm_first=norm_first)
    encoder, decoder = Stack(config, 2).eval(), Stack(config, 2, cross_attention=True).eval()
    for ours, oracle in ((encoder, theirs.encoder), (decoder, theirs.decoder)):
        for block, layer in zip(ours.blocks, oracle.layers, strict=True):
            copy_block(block, layer)
        if norm_first:
            ours.norm.load_state_dict(oracle.norm.state_dict())
    source, target = torch.randn(3, 7, 16), torch.randn(3, 5, 16)
    real = attention_mask("right").bool()
    causal = causal_mask(5)
    memory = theirs.encoder(source, src_key_padding_mask=~real)
    expected = theirs(source, target, tgt_mask=~causal, src_key_padding_mask=~real,
                      memory_key_padding_mask=~real)
    found = encoder(source, mask=padding_mask(real))
    near(found[real], memory[real])  # torch's fast path writes zeros where a source is padding
    near(decoder(target, found, causal, padding_mask(real)), expected)


# Models


@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True:UserWarning")  # inside torch
@pytest.mark.parametrize("norm_first", [True, False])
def test_seq2seq_is_nn_transformer_between_shared_embeddings(norm_first: bool) -> None:
    """Logits and the gradient of the shared embedding; the sines from the formula of the paper."""
    theirs = nn.Transformer(16, 4, 2, 2, 32, 0.0, batch_first=True, norm_first=norm_first)
    if not norm_first:
        theirs.encoder.norm = theirs.decoder.norm = None
    redraw(theirs)
    ours = Seq2Seq(Seq2SeqConfig(vocab_size=50, context_length=16, d_model=16, num_heads=4,
                                 d_hidden=32, num_layers=2, norm_first=norm_first)).eval()
    for stack, oracle in ((ours.encoder, theirs.encoder), (ours.decoder, theirs.decoder)):
        for block, layer in zip(stack.blocks, oracle.layers, strict=True):
            copy_block(block, layer)
        if norm_first:
            stack.norm.load_state_dict(oracle.norm.state_dict())
    sines = torch.tensor([[[math.sin, math.cos][column % 2](place / 10000 ** (column // 2 * 2 / 16))
                           for column in range(16)] for place in range(7)])
    token = ours.embeddings.token.weight

    def embed(ids: Tensor) -> Tensor:
        return 4 * token[ids] + sines[: ids.shape[1]]  # sqrt(16) = 4

    source, target = torch.randint(50, (3, 7)), torch.randint(50, (3, 5))
    mask = attention_mask("right")
    pad = mask == 0
    expected = theirs(embed(source), embed(target), tgt_mask=~causal_mask(5),
                      src_key_padding_mask=pad, memory_key_padding_mask=pad) @ token.T
    found = ours(source, target, mask)
    near(found, expected)
    gradients = [torch.autograd.grad(x.log_softmax(-1)[..., 0].sum(), token)[0]
                 for x in (found, expected)]
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-4)


def their_gpt2() -> GPT2LMHeadModel:
    return redraw(GPT2LMHeadModel(GPT2Config(
        vocab_size=50, n_positions=16, n_embd=24, n_layer=3, n_head=4, layer_norm_epsilon=1e-3,
        attn_implementation="eager", bos_token_id=None, eos_token_id=None)))


def their_llama(kv_heads: int = 2, tied: bool = False) -> LlamaForCausalLM:
    return redraw(LlamaForCausalLM(LlamaConfig(
        vocab_size=50, max_position_embeddings=16, hidden_size=24, num_hidden_layers=3,
        num_attention_heads=6, num_key_value_heads=kv_heads, intermediate_size=40,
        rms_norm_eps=1e-3, rope_parameters={"rope_type": "default", "rope_theta": 500.0},
        tie_word_embeddings=tied, attn_implementation="eager", pad_token_id=None,
        bos_token_id=None, eos_token_id=None)))


BERT = {"vocab_size": 50, "max_position_embeddings": 16, "hidden_size": 24,
        "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48}


def their_bert(kind: type = BertModel) -> nn.Module:
    return redraw(kind(TheirBertConfig(**BERT, layer_norm_eps=1e-3, attn_implementation="eager")))


def our_gpt2() -> GPT:
    return GPT(GPTConfig.gpt2(vocab_size=50, context_length=16, d_model=24, num_layers=3,
                              num_heads=4, norm_eps=1e-3)).eval()


def our_llama(kv_heads: int = 2, tied: bool = False) -> GPT:
    return GPT(GPTConfig.modern(
        vocab_size=50, context_length=16, d_model=24, num_layers=3, num_heads=6, d_hidden=40,
        num_kv_heads=kv_heads, norm_eps=1e-3, rotary_base=500.0, tie_embeddings=tied)).eval()


SIZES = {"vocab_size": 50, "context_length": 16, "d_model": 24, "num_layers": 3, "num_heads": 4,
         "d_hidden": 48, "norm_eps": 1e-3}


def our_bert() -> Bert:
    return Bert(BertConfig(**SIZES)).eval()


def our_masked_bert() -> BertForMaskedTokens:
    return BertForMaskedTokens(BertConfig(**SIZES, pooler=False)).eval()


CAUSAL = [pytest.param(our_gpt2, their_gpt2, id="gpt2"),
          pytest.param(our_llama, their_llama, id="llama"),
          pytest.param(lambda: our_llama(1, True), lambda: their_llama(1, True), id="llama-1-tied"),
          pytest.param(lambda: our_llama(6), lambda: their_llama(6), id="llama-6")]
ALL = [*CAUSAL, pytest.param(our_bert, their_bert, id="bert"),
       pytest.param(our_masked_bert, lambda: their_bert(BertForMaskedLM), id="masked bert")]


@pytest.mark.parametrize(("make_ours", "make_theirs"), CAUSAL)
@pytest.mark.parametrize("side", ["no", "left", "right"])
def test_gpt_is_transformers(make_ours, make_theirs, side: str) -> None:
    """Logits, hidden states of all layers and attention maps, where a row has tokens.

    On the left, Transformers counts padding as positions unless it is told them, as here.
    """
    ours, theirs = make_ours(), make_theirs()
    load_weights(ours, theirs.state_dict())
    ids = torch.randint(50, (3, 7))
    mask = torch.ones_like(ids) if side == "no" else attention_mask(side)
    expected = theirs(ids, attention_mask=mask, position_ids=(mask.cumsum(1) - 1).clamp(min=0),
                      output_hidden_states=True, output_attentions=True)
    trace, real = Trace(), mask.bool()
    given = None if side == "no" else mask
    near(ours(ids, given)[real], expected.logits[real])
    near(ours(ids, given, trace=trace)[real], expected.logits[real])
    assert len(trace.hidden_states) == len(expected.hidden_states) == 4
    for found, oracle in zip(trace.hidden_states, expected.hidden_states, strict=True):
        near(found[real], oracle[real])
    for found, oracle in zip(trace.attention, expected.attentions, strict=True):
        near(found.transpose(1, 2)[real], oracle.transpose(1, 2)[real])


@pytest.mark.parametrize("padded", [True, False])
def test_bert_is_transformers(padded: bool) -> None:
    """Hidden states of all layers, attention maps and the pooled vector, with two token types."""
    ours, theirs = our_bert(), their_bert()
    load_weights(ours, theirs.state_dict())
    ids, types = torch.randint(50, (3, 7)), torch.randint(2, (3, 7))
    mask = attention_mask("right") if padded else torch.ones_like(ids)
    expected = theirs(ids, mask, types, output_hidden_states=True, output_attentions=True)
    trace, real = Trace(), mask.bool()
    given = mask if padded else None
    found = ours(ids, given, types, trace)
    near(found[real], expected.last_hidden_state[real])
    near(ours(ids, given, types)[real], expected.last_hidden_state[real])
    near(ours.pool(found), expected.pooler_output)
    for mine, oracle in zip(trace.hidden_states, expected.hidden_states, strict=True):
        near(mine[real], oracle[real])
    for mine, oracle in zip(trace.attention, expected.attentions, strict=True):
        near(mine.transpose(1, 2)[real], oracle.transpose(1, 2)[real])


def test_bert_for_masked_tokens_is_transformers() -> None:
    ours, theirs = our_masked_bert(), their_bert(BertForMaskedLM)
    load_weights(ours, theirs.state_dict())
    ids, mask = torch.randint(50, (3, 7)), attention_mask("right")
    near(ours(ids, mask)[mask.bool()], theirs(ids, mask).logits[mask.bool()])


def test_minilm_is_transformers_with_its_real_weights() -> None:
    """Four sentences of 5 to 30 tokens in one batch; the hidden states of all six layers."""
    theirs, tokenizer = pretrained.minilm()
    batch = tokenizer(
        ["A cat sat.", "The cat sat on the mat and looked at the dog, which slept.",
         "Attention is all you need (Vaswani et al., 2017).", "Naïve façades: 42 €."],
        padding=True, return_tensors="pt")
    mask = batch["attention_mask"]
    real = mask.bool()
    assert not real.all()
    expected = theirs(**batch, output_hidden_states=True)
    ours, trace = load_minilm(), Trace()
    ours(batch["input_ids"], mask, batch["token_type_ids"], trace)
    for found, oracle in zip(trace.hidden_states, expected.hidden_states, strict=True):
        near(found[real], oracle[real])
    near(ours(batch["input_ids"], mask)[real], expected.last_hidden_state[real])


def test_rotary_positions_are_llamas() -> None:
    from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

    x, positions = torch.randn(2, 3, 5, 8), torch.tensor([[0, 1, 2, 3, 4], [7, 9, 2, 2, 100]])
    angles = positions[..., None] * 10000.0 ** -(torch.arange(0, 8, 2) / 8)
    angles = torch.cat((angles, angles), dim=-1)
    expected, _ = apply_rotary_pos_emb(x, x, angles.cos(), angles.sin())
    near(RotaryPositions(8)(x, positions[:, None]), expected)


@pytest.mark.parametrize("causal", [False, True])
def test_relative_positions_are_t5s(causal: bool) -> None:
    """8 tokens: up to a distance of 7 the 32 buckets of T5 hold one distance each.

    Its encoder has bucket d for a key d before the query, 16 + d for one d after it. Nothing is
    divided by sqrt(K) = 2 there, so our query weights are twice theirs.
    """
    theirs = redraw(T5Attention(T5Config(d_model=12, num_heads=3, d_kv=4, is_decoder=causal,
                                         dropout_rate=0.0, attn_implementation="eager"),
                                has_relative_attention_bias=True, layer_idx=0))  # fmt: skip
    ours = MultiHeadAttention(12, 3, bias=False, relative=RelativePositions(3, 7)).eval()
    buckets = [*range(7, -1, -1), *range(17, 24)]
    ours.load_state_dict({
        "query.weight": 2 * theirs.q.weight, "key.weight": theirs.k.weight,
        "value.weight": theirs.v.weight, "output.weight": theirs.o.weight,
        "relative.weight": theirs.relative_attention_bias.weight[buckets]})  # fmt: skip
    mask = causal_mask(8) if causal else padding_mask(torch.tensor([8, 5, 1]))
    x = torch.randn(3, 8, 12)
    expected = theirs(x, mask=torch.zeros(3, 1, 8, 8).masked_fill(~mask, -1e9))
    for readable in (True, False):
        near(ours(x, mask=mask, return_weights=readable)[0], expected[0])
    near(ours(x, mask=mask, return_weights=True)[1], expected[2])


# Files


def logits(model: nn.Module, ids: Tensor) -> Tensor:
    found = model(ids)
    return found if isinstance(found, Tensor) else found[0]


@pytest.mark.parametrize(("make_ours", "make_theirs"), ALL)
def test_transformers_loads_what_we_save(make_ours, make_theirs, tmp_path: Path) -> None:
    """With a report that no weight is missing, surplus or of another shape."""
    ours, oracle = redraw(make_ours()), make_theirs()
    save_transformers(ours, tmp_path)
    theirs, report = type(oracle).from_pretrained(tmp_path, output_loading_info=True)
    assert not any(report.values()), report
    ids = torch.randint(50, (3, 7))
    near(logits(ours, ids), logits(theirs.eval(), ids))
    back = load_transformers(tmp_path)
    assert back.config == ours.config and not back.training
    assert torch.equal(logits(back, ids), logits(ours, ids))


@pytest.mark.parametrize(("make_ours", "make_theirs"), ALL)
def test_we_load_what_transformers_saves(make_ours, make_theirs, tmp_path: Path) -> None:
    theirs = make_theirs()
    theirs.save_pretrained(tmp_path)
    ours = load_transformers(tmp_path)
    ids = torch.randint(50, (3, 7))
    near(logits(ours, ids), logits(theirs, ids))
    assert to_transformers(ours).keys() <= theirs.state_dict().keys()
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in theirs.parameters())


def test_the_first_weights_spread_as_gpt2s() -> None:
    """Standard deviations of each matrix in Transformers' and in ours, 64 wide, 8 layers deep."""
    torch.manual_seed(0)
    config = GPTConfig.gpt2(vocab_size=500, context_length=64, d_model=64, num_layers=8,
                            num_heads=4)
    theirs = GPT2LMHeadModel(GPT2Config(vocab_size=500, n_positions=64, n_embd=64, n_layer=8,
                                        n_head=4, bos_token_id=None, eos_token_id=None))
    expected = theirs.state_dict()
    for name, weight in to_transformers(GPT(config)).items():
        if weight.dim() == 2:
            assert float(weight.std()) == pytest.approx(float(expected[name].std()), rel=0.06), name
        else:
            assert torch.equal(weight, expected[name]), name
