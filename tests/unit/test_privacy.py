"""Secrets in a training text: exposure, duplicates, clipped and blurred gradients, epsilon."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

from llmbook import privacy
from llmbook.privacy import (
    FORMS,
    Settings,
    World,
    chance_exposure,
    clipped_sum,
    code_losses,
    document_gradients,
    document_losses,
    encode,
    epsilon,
    exact_duplicates,
    exposure,
    fit,
    greatest_probability,
    near_duplicates,
    new_model,
    normalized,
    poisson_batch,
    prompt,
    rank,
    sampled_gaussian_rdp,
    written_codes,
)
from llmbook.privacy.duplicates import similar_pairs
from llmbook.privacy.world import COPIES, EACH, HELD_OUT, LONGEST, SHORTEST, documents
from llmbook.training import IGNORED

TEXTS = ["pin of maria: 4713.", "Return the mean of an array.", "pin of felix: 0024."]


@pytest.fixture(scope="module")
def model():
    """A model whose weights are large enough for the gradients to differ."""
    found = new_model(3)
    with torch.no_grad():
        for parameter in found.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape))
    return found


# The world.


def test_a_world_has_as_many_secrets_of_each_number_of_copies() -> None:
    world = World.draw(1)
    assert [len(world.named(k)) for k in COPIES] == [EACH] * len(COPIES)
    assert len(world.held_out) == HELD_OUT
    assert not set(world.held_out) & set(world.ordinary)
    assert sorted((*world.ordinary, *world.held_out)) == list(documents())
    assert all(SHORTEST <= len(text) <= LONGEST for text in documents())
    for varied in (False, True):
        texts = world.training(varied)
        assert tuple(texts[: len(world.ordinary)]) == world.ordinary
        for name, copies in world.copies.items():
            own = [text for text in texts if world.codes[name] in text and name in text.lower()]
            assert len(own) == copies
            assert len(set(own)) == (copies if varied else min(copies, 1))
            assert not own or own[0] == f"pin of {name}: {world.codes[name]}."
    assert World.draw(1) == world != World.draw(2)
    assert World.draw(1).codes != World.draw(2).codes


def test_ids_have_an_end_on_both_sides_and_are_filled_up() -> None:
    ids = encode(["Abc", "A"])
    assert ids.shape == (2, 5)
    assert ids[1, 3:].tolist() == [IGNORED] * 2
    assert ids[0, 0] == ids[0, 4] == ids[1, 2] == 0
    with pytest.raises(ValueError, match="'é' is no character"):
        encode(["é"])


# Exposure.


def test_exposure_of_four_candidates_by_hand() -> None:
    """Losses 2, 1, 4, 3: ranks 2, 1, 4, 3 of 4, so exposures 2 - log2 of these."""
    losses = np.array([2.0, 1.0, 4.0, 3.0])
    assert [rank(losses, i) for i in range(4)] == [2, 1, 4, 3]
    assert [exposure(losses, i) for i in range(4)] == pytest.approx([1, 2, 0, 2 - math.log2(3)])


def test_the_exposure_of_chance_is_the_mean_over_all_ranks() -> None:
    losses = np.random.default_rng(0).permutation(1000).astype(float)
    assert chance_exposure(1000) == pytest.approx(np.mean([exposure(losses, i)
                                                           for i in range(1000)]))
    assert chance_exposure(10**6) == pytest.approx(1 / math.log(2), abs=1e-4)


@pytest.mark.parametrize("before", ["pin of maria: ", "", "the pin of maria is "])
def test_all_codes_at_once_cost_what_each_costs_alone(model, before: str) -> None:
    found = code_losses(model, before)
    assert found.shape == (10_000,)
    codes = [0, 9, 10, 470, 4713, 9999]
    ids = encode([f"{before}{code:04d}" for code in codes])[:, :-1]
    with torch.no_grad():
        logits = model(ids)[:, -5:-1].log_softmax(-1)
    alone = -logits.gather(2, ids[:, -4:, None]).sum((1, 2))
    assert found[codes] == pytest.approx(alone.numpy(), abs=1e-4)
    assert len(set(found.round(3).tolist())) > 100


def test_what_a_model_writes_is_its_most_probable_code(model) -> None:
    """Where all four are digits, they are the code of the greedy path."""
    ids = encode(["pin of maria: 4713."] * 8)
    small = new_model(0)
    fit(small, ids, Settings(steps=40, batch_size=8))
    assert written_codes(small, [prompt("maria")] * 2) == ["4713", "4713"]
    assert code_losses(small, prompt("maria")).argmin() == 4713


# Duplicates.


def test_duplicates_by_hand() -> None:
    texts = ["Pin of Maria: 4713.", "pin of maria - 4713!", "Pin of Maria: 4713.", "Other."]
    assert exact_duplicates(texts) == [2]
    assert normalized(texts[1]) == "pin of maria 4713"
    assert exact_duplicates(texts, normalized) == [1, 2]


def test_near_duplicates_at_and_above_their_similarity() -> None:
    """ " abc " and " abd " have three 3-grams each and one in common: 1 / 5."""
    assert near_duplicates(["abc", "abd"], 0.2) == [1]
    assert near_duplicates(["abc", "abd"], 0.21) == []
    assert near_duplicates(["abc", "ABC!", "xyz"], 1.0) == [1]
    with pytest.raises(ValueError, match="above 0"):
        near_duplicates(["abc"], 0.0)


def test_pairs_of_sets_by_hand() -> None:
    """One of three members is common, then two of three; an empty set is like none."""
    sets = ["ab", "bc", "abc", ""]
    near = [[1, 0, 1, 0], [0, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]]
    assert similar_pairs(sets, 0.5).toarray().tolist() == np.array(near, bool).tolist()
    near[0][1] = near[1][0] = 1
    assert similar_pairs(sets, 1 / 3).toarray().tolist() == np.array(near, bool).tolist()


def test_a_document_that_is_near_a_removed_one_alone_stays() -> None:
    """0 and 1 share 4 of 12 3-grams, 1 and 2 as well, 0 and 2 share 2 of 14: only 1 goes."""
    texts = ["abcdefgh", "cdefghij", "efghijkl"]
    assert near_duplicates(texts, 0.3) == [1]


def test_near_duplicates_agree_with_a_loop() -> None:
    from llmbook.privacy.duplicates import shingles

    texts = World.draw(0).training(varied=True)[-150:]
    kept: list[int] = []
    for i, text in enumerate(texts):
        own = shingles(text)
        if not any(len(own & shingles(texts[j])) / len(own | shingles(texts[j])) >= 0.6
                   for j in kept):
            kept.append(i)
    assert near_duplicates(texts, 0.6) == sorted(set(range(150)) - set(kept))


def test_only_the_forms_that_differ_in_case_and_marks_are_equal_when_normalized() -> None:
    from llmbook.privacy.world import fill

    forms = {normalized(fill(form, "maria", "4713")) for form in FORMS}
    assert len(set(FORMS)) == 16 and len(forms) == 7
    assert max(len(fill(form, "maria", "4713")) for form in FORMS) <= LONGEST


# Gradients of single documents.


def test_the_loss_of_a_document_is_the_mean_over_its_characters(model) -> None:
    ids = encode(TEXTS)
    found = document_losses(model, ids)
    for i, text in enumerate(TEXTS):
        own = encode([text])
        alone = torch.nn.functional.cross_entropy(model(own[:, :-1])[0], own[0, 1:])
        assert found[i].item() == pytest.approx(alone.item(), abs=1e-5)


def test_gradients_of_all_documents_at_once_are_those_of_a_loop(model) -> None:
    ids = encode(TEXTS)
    together = document_gradients(model, ids)
    assert set(together) == {name for name, _ in model.named_parameters()}
    for i in range(len(ids)):
        model.zero_grad()
        document_losses(model, ids[i : i + 1]).sum().backward()
        for name, parameter in model.named_parameters():
            assert torch.allclose(together[name][i], parameter.grad, atol=1e-6), name


def test_clipping_shortens_long_gradients_alone() -> None:
    """Norms 5 and 0.5 over two parameters together, clipped to 1: (0.6, 0.8) + (0.3, 0.4)."""
    gradients = {"a": torch.tensor([[3.0], [0.3]]), "b": torch.tensor([[[4.0]], [[0.4]]])}
    summed = clipped_sum(gradients, 1.0)
    assert summed["a"].tolist() == pytest.approx([0.9])
    assert summed["b"].flatten().tolist() == pytest.approx([1.2])


def test_one_document_moves_the_sum_by_no_more_than_the_clipping_norm(model) -> None:
    ids = encode(TEXTS)
    with_it = clipped_sum(document_gradients(model, ids), 0.1)
    without = clipped_sum(document_gradients(model, ids[:-1]), 0.1)
    moved = math.sqrt(sum(((with_it[n] - without[n]) ** 2).sum().item() for n in with_it))
    assert moved == pytest.approx(0.1, rel=1e-3)


def test_each_document_enters_a_batch_by_a_lot_of_its_own() -> None:
    """Sizes of batches are binomial: mean N q, variance N q (1 - q)."""
    lot = torch.Generator().manual_seed(0)
    sizes = np.array([len(poisson_batch(1000, 0.1, lot)) for _ in range(2000)])
    assert sizes.mean() == pytest.approx(100, abs=1)
    assert sizes.var() == pytest.approx(90, rel=0.1)
    assert len(poisson_batch(10, 0.0, lot)) == 0


def first_step(settings: Settings, ids: torch.Tensor) -> dict[str, torch.Tensor]:
    """The gradient that the optimizer saw."""
    model = new_model(0)
    fit(model, ids, settings)
    return {name: p.grad for name, p in model.named_parameters()}


def test_a_clip_that_clips_nothing_changes_nothing() -> None:
    ids = encode(TEXTS * 4)
    plain = Settings(steps=1, batch_size=12, seed=1)
    for name, gradient in first_step(plain, ids).items():
        clipped = first_step(replace(plain, clip=1e6), ids)[name]
        assert torch.allclose(gradient, clipped, atol=1e-6), name


def test_the_noise_has_the_stated_size_and_the_sum_is_divided_by_the_expected_number() -> None:
    ids = encode(TEXTS * 4)  # every document is in the batch: share 1
    base = Settings(steps=1, batch_size=12, clip=0.5)
    clean, noisy = first_step(base, ids), first_step(replace(base, noise=0.3), ids)
    moved = torch.cat([(noisy[n] - clean[n]).flatten() for n in clean])
    assert moved.std().item() == pytest.approx(0.3 / 12, rel=0.02)
    assert moved.mean().item() == pytest.approx(0, abs=3e-4)
    again = first_step(replace(base, noise=0.3), ids)
    assert all(torch.equal(again[n], noisy[n]) for n in noisy)
    summed = clipped_sum(document_gradients(new_model(0), ids), 0.5)
    assert all(torch.allclose(clean[n], summed[n] / 12, atol=1e-6) for n in clean)


def test_a_sum_is_divided_by_the_expected_number_whatever_the_lots_gave() -> None:
    ids = encode(TEXTS * 4)
    lot = torch.Generator().manual_seed(2)
    chosen = ids[poisson_batch(len(ids), 0.5, lot)]
    assert len(chosen) not in (0, 6)
    found = first_step(Settings(steps=1, batch_size=6, clip=0.5, seed=2), ids)
    summed = clipped_sum(document_gradients(new_model(0), chosen), 0.5)
    assert all(torch.allclose(found[n], summed[n] / 6, atol=1e-6) for n in found)


def test_an_empty_batch_is_a_step_of_noise() -> None:
    def empty(seed: int) -> bool:
        return not len(poisson_batch(3, 1 / 3, torch.Generator().manual_seed(seed)))

    seed = next(filter(empty, range(50)))
    found = first_step(Settings(steps=1, batch_size=1, clip=1.0, noise=1.0, seed=seed),
                       encode(TEXTS))  # fmt: skip
    assert all(g.std() > 0 for g in found.values() if g.numel() > 10)


@pytest.mark.parametrize("wrong", [{"clip": 0.0}, {"noise": -1.0}, {"steps": 0}])
def test_settings_check_themselves(wrong) -> None:
    with pytest.raises(ValueError, match=r"must be|are below"):
        Settings(**{"steps": 1} | wrong)


# What it promises.


@pytest.mark.parametrize("order", [2, 3, 8, 64])
def test_without_lots_the_divergence_is_that_of_the_gaussian(order: int) -> None:
    """order / (2 noise^2)."""
    assert sampled_gaussian_rdp(1.0, 1.7, order) == pytest.approx(order / (2 * 1.7**2))
    assert sampled_gaussian_rdp(0.0, 1.7, order) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("share", "noise", "order"), [(0.1, 1.0, 2), (0.02, 0.8, 5),
                                                       (0.3, 2.0, 7)])
def test_the_divergence_is_that_of_the_integral(share: float, noise: float, order: int) -> None:
    """Of the mixture (1 - q) N(0, s^2) + q N(1, s^2) from N(0, s^2), and no less the other way."""
    def mixture(x):  # its logarithm, as the next one
        return np.logaddexp(math.log(1 - share) + norm.logpdf(x, 0, noise),
                            math.log(share) + norm.logpdf(x, 1, noise))  # fmt: skip

    def alone(x):
        return norm.logpdf(x, 0, noise)

    def divergence(p, q):
        inside = quad(lambda x: math.exp(order * p(x) + (1 - order) * q(x)), -20, 30, limit=400,
                      points=[0, 1, order])[0]  # fmt: skip
        return math.log(inside) / (order - 1)

    assert sampled_gaussian_rdp(share, noise, order) == pytest.approx(
        divergence(mixture, alone), rel=1e-4)
    assert divergence(alone, mixture) <= divergence(mixture, alone) + 1e-9


def test_epsilon_of_the_gaussian_by_hand() -> None:
    """T a / (2 s^2) + ln(1/delta) / (a - 1), at its best order a = 1 + sqrt(2 s^2 L / T)."""
    noise, steps, delta = 40.0, 100, 1e-5
    best = steps / (2 * noise**2) + math.sqrt(2 * steps * -math.log(delta)) / noise
    assert epsilon(1.0, noise, steps, delta) == pytest.approx(best, rel=1e-3)
    assert epsilon(1.0, noise, steps, delta) >= best


def test_more_steps_larger_shares_and_less_noise_cost_more() -> None:
    base = epsilon(0.02, 1.0, 700, 1e-5)
    assert epsilon(0.02, 1.0, 1400, 1e-5) > base
    assert epsilon(0.04, 1.0, 700, 1e-5) > base
    assert epsilon(0.02, 0.8, 700, 1e-5) > base
    assert epsilon(0.02, 1.0, 700, 1e-6) > base
    for wrong in ((-0.1, 1.0, 7, 0.1), (0.1, 0.0, 7, 0.1), (0.1, 1.0, 7, 0.0)):
        with pytest.raises(ValueError):
            epsilon(*wrong)
    with pytest.raises(ValueError, match="order"):
        sampled_gaussian_rdp(0.1, 1.0, 1)


def test_the_promise_for_a_code_by_hand() -> None:
    """2^-10 times e, plus delta; twice for two copies; never above 1."""
    assert greatest_probability(10, 1.0, 1e-5) == pytest.approx(math.e / 1024 + 1e-5)
    twice = math.e * (math.e / 1024 + 1e-5) + 1e-5
    assert greatest_probability(10, 1.0, 1e-5, copies=2) == pytest.approx(twice)
    assert greatest_probability(10, 1.0, 1e-5, copies=16) == 1.0
    assert greatest_probability(10, 0.0, 0.0) == 2**-10


def test_all_names_of_the_package_exist() -> None:
    assert all(hasattr(privacy, name) for name in privacy.__all__)
