import matplotlib; matplotlib.use('Agg')
import time as _t
_t0=_t.process_time()
print('--- [1]', round(_t.process_time()-_t0,1))

from llmbook import environment
environment.start()

print('--- [2]', round(_t.process_time()-_t0,1))

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from llmbook import attention, plots

print('--- [3]', round(_t.process_time()-_t0,1))

prices = {"tea": 3.0, "coffee": 4.0, "cake": 6.0}
print(prices["tea"])
try:
    prices["green tea"]
except KeyError as error:
    print("KeyError:", error)

print('--- [4]', round(_t.process_time()-_t0,1))

keys = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
values = torch.tensor([3.0, 4.0, 6.0])        # tea, coffee, cake
query = torch.tensor([1.0, 0.0])              # looks like tea
for sharpness in (0, 1, 10, 100):
    weights = (sharpness * keys @ query).softmax(0)
    print(f"{sharpness:3d}  weights {weights.numpy().round(2)}  "
          f"answer {weights @ values:.2f}")

print('--- [5]', round(_t.process_time()-_t0,1))

words = ["the", "bank", "of", "the", "muddy", "river"]
x = torch.tensor([[0.0, 0, 0, 1],             # the
                  [1, 1, 0, 0],               # bank
                  [0, 0, 0, 2],               # of
                  [0, 0, 0, 1],               # the
                  [1, 0, 1, 0],               # muddy
                  [2, 0, 0, 0]])              # river   (T, D) = (6, 4)
scores = x @ x.T                              # (T, T)
print(scores.int().numpy())

print('--- [6]', round(_t.process_time()-_t0,1))

exponentials = (scores / 2).exp()
print("bank:", exponentials[1].numpy().round(2),
      "sum", exponentials[1].sum().numpy().round(2))
weights = exponentials / exponentials.sum(1, keepdim=True)    # (T, T)
output = weights @ x                                          # (T, D)
print("weights", weights[1].numpy().round(2))
print("output ", output[1].numpy().round(2))

print('--- [7]', round(_t.process_time()-_t0,1))

plots.attention_map(weights.numpy(), words)
plt.savefig('fig_7.png'); plt.close()

print('--- [8]', round(_t.process_time()-_t0,1))

other = x.clone()
other[4] = torch.tensor([0.0, 1, 1, 0])       # rich
other[5] = torch.tensor([0.0, 2, 0, 0])       # lender
other_weights = (other @ other.T / 2).softmax(-1)
print("the bank of the muddy river:", output[1].numpy().round(2))
print("the bank of the rich lender:",
      (other_weights @ other)[1].numpy().round(2))

print('--- [9]', round(_t.process_time()-_t0,1))

w_query = torch.tensor([[1.0], [1], [0], [0]])        # (D, K) = (4, 1)
w_key = torch.tensor([[0.0], [0], [4], [0]])
w_value = torch.eye(4)                                # hand over all
scores = (x @ w_query) @ (x @ w_key).T
print(scores.int().numpy())
weights = scores.softmax(-1)
for place in (5, 4, 0):
    print(f"{words[place]:6s}", weights[place].numpy().round(2))

print('--- [10]', round(_t.process_time()-_t0,1))

def attend(x, w_query, w_key, w_value):
    query = x @ w_query                               # (T, K)
    key = x @ w_key                                   # (T, K)
    value = x @ w_value                               # (T, K)
    scores = query @ key.T / key.shape[-1] ** 0.5     # (T, T)
    weights = scores.exp()
    weights = weights / weights.sum(-1, keepdim=True)
    return weights @ value, weights

print('--- [11]', round(_t.process_time()-_t0,1))

torch.manual_seed(0)
x_random = torch.randn(6, 16)                                  # (T, D)
w_query, w_key, w_value = torch.randn(3, 16, 8) / 4            # (D, K)
ours, weights = attend(x_random, w_query, w_key, w_value)
query, key, value = (x_random @ w for w in (w_query, w_key, w_value))
library, same = attention.scaled_dot_product_attention(
    query, key, value)
reference = F.scaled_dot_product_attention(query, key, value)
assert torch.allclose(ours, library, atol=1e-6)
assert torch.allclose(weights, same, atol=1e-6)
assert torch.allclose(ours, reference, atol=1e-6)
print("ten lines = library = PyTorch")

print('--- [12]', round(_t.process_time()-_t0,1))

large = torch.tensor([100.0, 99.0])
print("as it stands:", (large.exp() / large.exp().sum()).numpy())
print("softmax:     ", large.softmax(0).numpy().round(2))

print('--- [13]', round(_t.process_time()-_t0,1))

def episodes(number, items, generator, width=16):
    key = torch.randn(number, items, width, generator=generator)
    label = torch.randint(8, (number, items), generator=generator)
    wanted = torch.randint(items, (number,), generator=generator)
    row = torch.arange(number)
    value = F.one_hot(label, 8).float()               # (B, S, 8)
    return key[row, wanted][:, None], key, value, label[row, wanted]

query, key, value, answer = episodes(2, 3, torch.Generator())
print("query", tuple(query.shape), "key", tuple(key.shape),
      "value", tuple(value.shape), "answer", answer.numpy())

print('--- [14]', round(_t.process_time()-_t0,1))

def predict(parts, query, key, value, scale=None, mask=None):
    w_query, w_key, w_output = parts
    found, weights = attention.scaled_dot_product_attention(
        query @ w_query, key @ w_key, value, mask, scale=scale)
    return (found @ w_output)[:, 0], weights          # (B, 8), (B, 1, S)

def learn(head_width=16, rate=1.0, scale=None, mask=None, seed=0):
    generator = torch.Generator().manual_seed(seed)
    parts = [torch.randn(rows, columns, generator=generator) / rows ** 0.5
             for rows, columns in ((16, head_width),) * 2 + ((8, 8),)]
    for part in parts:
        part.requires_grad_()
    for _ in range(300):
        query, key, value, answer = episodes(64, 16, generator)
        logits, _ = predict(parts, query, key, value, scale, mask)
        gradients = torch.autograd.grad(
            F.cross_entropy(logits, answer), parts)
        with torch.no_grad():
            for part, gradient in zip(parts, gradients):
                part -= rate * gradient
    return parts

print('--- [15]', round(_t.process_time()-_t0,1))

def accuracy(parts, items=16, scale=None, mask=None, sharpen=1.0):
    generator = torch.Generator().manual_seed(1000)
    query, key, value, answer = episodes(1000, items, generator)
    with torch.no_grad():
        logits, _ = predict(parts, sharpen * query, key, value, scale,
                            mask)
    return (logits.argmax(-1) == answer).float().mean().item()

print('--- [16]', round(_t.process_time()-_t0,1))

last = torch.arange(16)[None]                         # (T, S) = (1, 16)
rivals = {"average": dict(scale=0.0), "window of 1": dict(mask=last > 14),
          "window of 4": dict(mask=last > 11),
          "window of 8": dict(mask=last > 7), "attention": {}}
for name, settings in rivals.items():
    right = [accuracy(learn(seed=seed, **settings), **settings)
             for seed in range(3)]
    print(f"{name:12s}", *(f"{share:.2f}" for share in right))
for size in (1, 4, 8):
    print(f"expected of a window of {size}: "
          f"{size / 16 + (1 - size / 16) / 8:.2f}")

print('--- [17]', round(_t.process_time()-_t0,1))

generator = torch.Generator().manual_seed(0)
widths = [4, 16, 64, 256, 1024]
deviation = []
for width in widths:
    query, key = torch.randn(2, 20_000, width, generator=generator)
    deviation.append((query * key).sum(-1).std().item())
slope = np.polyfit(np.log(widths), np.log(deviation), 1)[0]
print(*(f"K = {w}: {d:.1f}  " for w, d in zip(widths, deviation)))
print(f"standard deviation grows as K to the power {slope:.2f}")

print('--- [18]', round(_t.process_time()-_t0,1))

def at_the_start(width, scale):
    effective, stuck, size = [], [], []
    for seed in range(10):
        generator = torch.Generator().manual_seed(seed)
        parts = [torch.randn(r, c, generator=generator) / r ** 0.5
                 for r, c in ((16, width), (16, width), (8, 8))]
        parts[0].requires_grad_()
        logits, a = predict(parts, *(batch := episodes(
            200, 16, generator))[:3], scale)
        effective.append(torch.special.entr(a).sum(-1).exp().mean())
        stuck.append(((a * (1 - a)).amax(-1) < 0.01).float().mean())
        F.cross_entropy(logits, batch[3]).backward()
        size.append(parts[0].grad.norm())
    return [torch.stack(column).mean().item()
            for column in (effective, stuck, size)]

print('--- [19]', round(_t.process_time()-_t0,1))

print("           K  effective keys  rows stuck  gradient")
for name in ("divided", "plain"):
    for width in (16, 64, 256, 1024):
        row = at_the_start(width, None if name == "divided" else 1.0)
        print(f"{name:8s}{width:5d}{row[0]:14.1f}{row[1]:12.0%}"
              f"{row[2]:12.2f}")

print('--- [20]', round(_t.process_time()-_t0,1))

rates = [0.1, 0.3, 1.0, 3.0, 10.0]
reached = {
    (width, name): np.array([[accuracy(learn(width, rate, scale, seed=seed),
                                       scale=scale)
                              for seed in range(3)] for rate in rates])
    for width in (16, 256)
    for name, scale in (("divided", None), ("plain", 1.0))}

print('--- [21]', round(_t.process_time()-_t0,1))

print("K    scores   ", *(f"{rate:8g}" for rate in rates))
for (width, name), table in reached.items():
    print(f"{width:3d}  {name:8s}     ",
          *(f"{value:7.2f} " for value in table.mean(axis=1)))

print('--- [22]', round(_t.process_time()-_t0,1))

figure, panels = plt.subplots(1, 2, figsize=(6.8, 3.0), sharey=True)
for (width, name), table in reached.items():
    panel = panels[int(width == 256)]
    line, = panel.semilogx(rates, table.mean(axis=1), marker="o",
                           linestyle="-" if name == "divided" else "--",
                           label=name)
    panel.fill_between(rates, table.min(axis=1), table.max(axis=1),
                       color=line.get_color(), alpha=0.2)
    panel.set(title=f"K = {width}", xlabel="learning rate")
panels[0].set(ylabel="accuracy on new episodes")
panels[0].legend(title="scores")
plt.savefig('fig_22.png'); plt.close()

print('--- [23]', round(_t.process_time()-_t0,1))

mask = attention.causal_mask(6)
_, causal = attention.scaled_dot_product_attention(x, x, x, mask)
plots.attention_map(causal.numpy(), words)
plt.savefig('fig_23.png'); plt.close()

print('--- [24]', round(_t.process_time()-_t0,1))

changed = x.clone()
changed[5] = torch.tensor([0.0, 2, 0, 0])             # lender
before, _ = attention.scaled_dot_product_attention(x, x, x, mask)
after, _ = attention.scaled_dot_product_attention(
    changed, changed, changed, mask)
print("outputs that moved:", (before != after).any(-1).int().numpy())

print('--- [25]', round(_t.process_time()-_t0,1))

batch = torch.randn(2, 6, 4, generator=torch.Generator().manual_seed(0))
mask = attention.padding_mask(torch.tensor([6, 4]))[:, 0]   # (B, 1, S)
print(mask.int().numpy().tolist())
full, _ = attention.scaled_dot_product_attention(
    batch, batch, batch, mask)
short = batch[1:, :4]
alone, _ = attention.scaled_dot_product_attention(short, short, short)
assert torch.allclose(full[1:, :4], alone, atol=1e-6)

print('--- [26]', round(_t.process_time()-_t0,1))

def their_weights(mask):
    module = nn.MultiheadAttention(4, 1, bias=False, batch_first=True)
    with torch.no_grad():
        module.in_proj_weight.copy_(torch.eye(4).repeat(3, 1))
    return module(x[None], x[None], x[None], attn_mask=mask)[1][0].detach()

mask = attention.causal_mask(6)
print("ours given to theirs, first and last row:")
print(their_weights(mask)[[0, 5]].numpy().round(2))
assert torch.allclose(their_weights(~mask), causal, atol=1e-6)

print('--- [27]', round(_t.process_time()-_t0,1))

added = torch.zeros(6, 6).masked_fill(~mask, -torch.inf)
print("as booleans, first row:", added.bool()[0].int().numpy())
try:
    attention.scaled_dot_product_attention(x, x, x, added)
except ValueError as error:
    print("ValueError:", error)

print('--- [28]', round(_t.process_time()-_t0,1))

nothing = torch.zeros(1, 6, dtype=torch.bool)
scores = (x[:1] @ x.T / 2).masked_fill(~nothing, -torch.inf)
print("textbook:", scores.softmax(-1).numpy())
ours, _ = attention.scaled_dot_product_attention(
    x[:1], x, x, nothing)
theirs = F.scaled_dot_product_attention(
    x[None, :1], x[None], x[None], nothing[None])
print("library: ", ours.numpy(), " PyTorch:", theirs[0].numpy())

print('--- [29]', round(_t.process_time()-_t0,1))

new = x[None, -1:]                                    # one query
every = x[None]                                       # six keys
wrong = F.scaled_dot_product_attention(
    new, every, every, is_causal=True)
right = F.scaled_dot_product_attention(
    new, every, every, attention.causal_mask(1, 6))
print("is_causal=True:", wrong[0, 0].numpy().round(2), "= first token")
print("our mask:      ", right[0, 0].numpy().round(2))
assert torch.equal(wrong[0, 0], x[0])
assert torch.allclose(right[0, 0], output[5], atol=1e-6)

print('--- [30]', round(_t.process_time()-_t0,1))

def violations(attend, trials=200):
    generator = torch.Generator().manual_seed(0)
    count = 0
    for _ in range(trials):
        tokens, width = torch.randint(2, 9, (2,), generator=generator)
        x = torch.randn(tokens, width, generator=generator)
        order = torch.randperm(tokens, generator=generator)
        same = torch.allclose(attend(x[order]), attend(x)[order], atol=1e-5)
        count += not same
    return count

def plain(x):
    return attention.scaled_dot_product_attention(x, x, x)[0]

print("violations:", violations(plain), "of 200")

print('--- [31]', round(_t.process_time()-_t0,1))

def causal_attention(x):
    mask = attention.causal_mask(len(x))
    return attention.scaled_dot_product_attention(x, x, x, mask)[0]

def with_positions(x):
    x = x + attention.sinusoidal_positions(len(x), 16)[:, :x.shape[1]]
    return attention.scaled_dot_product_attention(x, x, x)[0]

print("with a causal mask:", violations(causal_attention), "of 200")
print("with positions:    ", violations(with_positions), "of 200")
orders = sum(bool((torch.randperm(n) == torch.arange(n)).all())
             for n in torch.randint(2, 9, (200,)))

print('--- [32]', round(_t.process_time()-_t0,1))

parts = learn(head_width=16)
generator = torch.Generator().manual_seed(5)
query, key, value, _ = episodes(1000, 16, generator)
absent = torch.randn(query.shape, generator=generator)
with torch.no_grad():
    for name, asked in (("present", query), ("absent ", absent)):
        logits, weights = predict(parts, asked, key, value)
        print(f"{name}: largest weight {weights.amax(-1).mean():.2f}, "
              f"confidence {logits.softmax(-1).amax(-1).mean():.2f}")

print('--- [33]', round(_t.process_time()-_t0,1))

print("items      as trained   sharper")
for items in (16, 64, 256, 1024, 4096):
    print(f"{items:5d}{accuracy(parts, items):14.2f}"
          f"{accuracy(parts, items, sharpen=2.0):10.2f}")

