"""The pointer-generator: the mixture by hand, sums of 1, the cache, the gate at its ends."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from llmbook.models.pointer import Mixture, PointerConfig, PointerDecoder, Source

CONFIG = PointerConfig(d_model=16, num_heads=2, d_hidden=24, vocab_size=30, context_length=12,
                       d_source=8, d_pointer=4, dropout=0.0)
WRITTEN, SPECIAL = torch.tensor([2, 5, 6, 7, 9, 11]), torch.tensor([0, 1, 2])
IDS = torch.tensor([[1, 5, 20, 21, 20, 2], [1, 22, 2, 0, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0]])


def decoder(config: PointerConfig = CONFIG) -> PointerDecoder:
    torch.manual_seed(0)
    return PointerDecoder(config, torch.randn(30, 8), WRITTEN, SPECIAL).eval()


def read(model: PointerDecoder) -> Source:
    torch.manual_seed(1)
    return model.read(IDS, torch.randn(2, 6, 8), MASK)


def test_the_mixture_of_three_tokens_by_hand() -> None:
    """Gate 0.6; generated 0.5, 0.3, 0.2 for tokens 5, 6, 7; weights 0.7 on 5, 0.3 on 20.

    Token 5: 0.6 * 0.5 + 0.4 * 0.7 = 0.58; 6: 0.18; 7: 0.12; 20: 0.4 * 0.3 = 0.12.
    """
    torch.manual_seed(0)
    model = PointerDecoder(CONFIG, torch.randn(30, 8), torch.tensor([5, 6, 7]), SPECIAL)
    ids = torch.tensor([[5, 20]])
    source = Source(torch.zeros(1, 2, 16), torch.zeros(1, 2, 4), ids, ids > 0, ids > 0)
    mixture = Mixture(torch.tensor([[[0.5, 0.3, 0.2]]]).log(), torch.tensor([[[0.7, 0.3]]]),
                      torch.tensor([[0.6]]))
    found = model.probabilities(mixture, source)[0, 0]
    expected = torch.zeros(30)
    expected[[5, 6, 7, 20]] = torch.tensor([0.58, 0.18, 0.12, 0.12])
    torch.testing.assert_close(found, expected)
    for token, chance in ((5, 0.58), (7, 0.12), (20, 0.12)):
        given = model.log_likelihood(mixture, source, torch.tensor([[token]]))
        torch.testing.assert_close(given.exp(), torch.tensor([[chance]]))
    assert model.log_likelihood(mixture, source, torch.tensor([[29]])) == -torch.inf


def test_probabilities_sum_to_one_and_agree_with_the_likelihood() -> None:
    model, target = decoder(), torch.randint(30, (2, 4))
    source = read(model)
    mixture = model.mix(target, source)
    chances = model.probabilities(mixture, source)
    torch.testing.assert_close(chances.sum(-1), torch.ones(2, 4))
    for token in (5, 20, 11):
        following = torch.full((2, 4), token)
        given = model.log_likelihood(mixture, source, following).exp()
        torch.testing.assert_close(given, chances[..., token])


def test_neither_padding_nor_special_tokens_are_copied() -> None:
    model = decoder()
    source = read(model)
    copied = model.mix(torch.randint(30, (2, 3)), source).copied
    assert (copied[0, :, [0, 5]] == 0).all()
    assert (copied[1, :, [0, 2, 3, 4, 5]] == 0).all()
    torch.testing.assert_close(copied[1, :, 1], torch.ones(3))


def test_with_nothing_to_copy_the_gate_is_one() -> None:
    model = decoder()
    ids = torch.tensor([[1, 2]])
    source = model.read(ids, torch.randn(1, 2, 8), torch.ones_like(ids))
    mixture = model.mix(torch.tensor([[1, 5]]), source)
    assert (mixture.gate == 1).all()
    torch.testing.assert_close(model.probabilities(mixture, source).sum(-1), torch.ones(1, 2))


def test_padding_of_the_source_changes_nothing() -> None:
    model, target = decoder(), torch.randint(30, (2, 4))
    torch.manual_seed(1)
    hidden = torch.randn(2, 6, 8)
    both = model.read(IDS, hidden, MASK)
    alone = model.read(IDS[1:, :3], hidden[1:, :3], MASK[1:, :3])
    found = model.probabilities(model.mix(target, both), both)[1]
    torch.testing.assert_close(found, model.probabilities(model.mix(target[1:], alone), alone)[0])


def test_cached_decoding_equals_uncached() -> None:
    model, target = decoder(), torch.randint(30, (2, 6))
    source, cache = read(model), model.new_cache()
    whole = model.mix(target, source)
    for t in range(6):
        step = model.mix(target[:, t : t + 1], source, cache)
        for found, expected in zip(step, whole, strict=True):
            torch.testing.assert_close(found[:, 0], expected[:, t], atol=1e-5, rtol=0)


def test_with_the_gate_at_one_it_is_a_plain_decoder() -> None:
    model, plain = decoder(), decoder(replace(CONFIG, copying=False))
    missing = plain.load_state_dict(model.state_dict(), strict=False)
    assert missing.missing_keys == []
    with torch.no_grad():
        model.gate.weight.zero_()
        model.gate.bias.fill_(100.0)
    target = torch.randint(30, (2, 4))
    found = model.probabilities(model.mix(target, read(model)), read(model))
    mixture = plain.mix(target, read(plain))
    torch.testing.assert_close(found, plain.probabilities(mixture, read(plain)))
    torch.testing.assert_close(found[..., WRITTEN], mixture.generated.exp())


def test_a_plain_decoder_is_a_softmax_over_the_written_tokens() -> None:
    plain, target = decoder(replace(CONFIG, copying=False)), torch.randint(30, (2, 4))
    source = read(plain)
    kept = {}
    plain.leave.register_forward_hook(lambda module, given, out: kept.update(out=out))
    mixture = plain.mix(target, source)
    logits = kept["out"] @ plain.vectors[WRITTEN].T + plain.bias
    torch.testing.assert_close(mixture.generated, F.log_softmax(logits, -1))
    likelihood = plain.log_likelihood(mixture, source, torch.full((2, 4), 20))
    assert (likelihood == -torch.inf).all()  # 20 stands in the source, and cannot be copied


def test_word_vectors_are_neither_trained_nor_saved() -> None:
    model = decoder()
    assert not {"vectors", "written", "special", "place"} & set(model.state_dict())
    assert not model.vectors.requires_grad


@pytest.mark.parametrize(("vectors", "written", "message"), [
    (torch.zeros(29, 8), WRITTEN, "must have shape"),
    (torch.zeros(30, 8), torch.tensor([], dtype=torch.long), "at least one"),
    (torch.zeros(30, 8), torch.tensor([3, 3]), "each of them once"),
])
def test_what_does_not_fit_is_refused(
    vectors: torch.Tensor, written: torch.Tensor, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        PointerDecoder(CONFIG, vectors, written, SPECIAL)


def test_a_target_past_the_context_is_refused() -> None:
    model = decoder()
    with pytest.raises(ValueError, match="13 tokens"):
        model.mix(torch.ones(2, 13, dtype=torch.long), read(model))


def test_hidden_states_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="hidden states"):
        decoder().read(IDS, torch.randn(2, 5, 8), MASK)
