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
from scipy.stats import bootstrap, spearmanr
from torch import nn
from torch.nn import functional as F

from llmbook import attention, corpora, plots, pretrained
from llmbook.blocks import Trace
from llmbook.models import load_minilm

_, tokenizer = pretrained.minilm()
model = load_minilm()

print('--- [3]', round(_t.process_time()-_t0,1))

sentence = "The bank of the muddy river was steep."     # yours?

def look(sentence):
    ids = torch.tensor([tokenizer(sentence).input_ids])
    trace = Trace()
    with torch.no_grad():
        model(ids, trace=trace)
    tokens = tokenizer.convert_ids_to_tokens(ids[0])
    return tokens, torch.cat(trace.attention), trace.hidden_states

tokens, maps, _ = look(sentence)
print(tokens)
print(tuple(maps.shape), "(L, H, T, T)")

print('--- [4]', round(_t.process_time()-_t0,1))

figure, panels = plt.subplots(1, 3, figsize=(8.4, 3.4), sharey=True)
for panel, (layer, head) in zip(panels, ((0, 2), (1, 8), (4, 5))):
    plots.attention_map(maps[layer, head].numpy(), tokens, axes=panel,
                        numbers=False)
    panel.set_xlabel(f"head {layer}.{head}", labelpad=6)
plt.savefig('fig_4.png'); plt.close()

print('--- [5]', round(_t.process_time()-_t0,1))

sentences = [s for article in corpora.wikipedia()
             for s in article.sentences if 12 <= len(s.split()) <= 25]
rng = np.random.default_rng(0)
chosen = [sentences[i] for i in rng.choice(len(sentences), 200,
                                           replace=False)]

def shares(maps):
    words = maps[:, :, 1:-1]                # queries that are no marks
    before, itself, after = (
        words[..., shift:].diagonal(0, 2, 3).mean(-1) for shift in (0, 1, 2))
    return {"previous": before, "next": after, "itself": itself,
            "[CLS]": words[..., 0].mean(-1),
            "[SEP]": words[..., -1].mean(-1)}

each = [shares(look(s)[1]) for s in chosen]
share = {name: torch.stack([one[name] for one in each]).mean(0)
         for name in each[0]}                           # (L, H) each
uniform = np.mean([1 / len(look(s)[0]) for s in chosen])

print('--- [6]', round(_t.process_time()-_t0,1))

print("mean over the heads of layer  0    1    2    3    4    5"
      "   strongest head")
for name, table in share.items():
    top = divmod(int(table.argmax()), 12)
    print(f"{name:26s}", *(f"{m:.2f}" for m in table.mean(1)),
          f"  {top[0]}.{top[1]} with {table.max():.2f}")
print(f"any one token, if all weigh the same: {uniform:.2f}")

print('--- [7]', round(_t.process_time()-_t0,1))

def arriving(maps, hidden):
    lengths = []
    for block, x, a in zip(model.stack.blocks, hidden, maps):
        layer = block.attention
        value = layer.value(x)[0].unflatten(-1, (12, 32)).transpose(0, 1)
        w_output = layer.output.weight.T.unflatten(0, (12, 32))
        sent = value @ w_output                         # (H, S, D)
        lengths.append(a * sent.norm(dim=-1)[:, None])  # (H, T, S)
    return torch.stack(lengths).detach()                # (L, H, T, S)

def share_of_cls(table):
    words = table[:, :, 1:-1]
    return (words[..., 0] / words.sum(-1)).mean((1, 2))

both = []
for s in chosen[:60]:
    _, maps, hidden = look(s)
    both.append(torch.stack([share_of_cls(maps), share_of_cls(
        arriving(maps, hidden))]))
weight, arrived = torch.stack(both).mean(0)

print('--- [8]', round(_t.process_time()-_t0,1))

figure, axes = plt.subplots(figsize=(5.2, 3.0))
axes.plot(range(6), weight, "o-", label="of the weight")
axes.plot(range(6), arrived, "s--", label="of what arrives")
axes.set(xlabel="layer", ylabel="share of [CLS]", ylim=(0, 0.6))
axes.legend()
plt.savefig('fig_8.png'); plt.close()

print('--- [9]', round(_t.process_time()-_t0,1))

print("of the weight:  ", *(f"{w:.2f}" for w in weight))
print("of what arrives:", *(f"{a:.2f}" for a in arrived))

print('--- [10]', round(_t.process_time()-_t0,1))

def embed(hidden, keep):
    mean = (hidden * keep[..., None]).sum(-2) / keep.sum(-1, keepdim=True)
    return F.normalize(mean, dim=-1)

def effect_of_silence(sentence):
    ids = torch.tensor(tokenizer(sentence).input_ids)
    T = len(ids)
    hide = 1 - torch.eye(T)                  # row i silences token i
    keep = hide.clone()
    keep[:, [0, -1]] = 0                     # mean of other words
    hooks = [block.attention.value.register_forward_hook(
        lambda module, inputs, output: output * hide[..., None])
        for block in model.stack.blocks]
    with torch.no_grad():
        silenced = embed(model(ids.repeat(T, 1)), keep)
    for hook in hooks:
        hook.remove()
    with torch.no_grad():
        full = embed(model(ids[None]), keep)
    return 1 - (silenced * full).sum(-1)     # (T,)

print('--- [11]', round(_t.process_time()-_t0,1))

effects = [effect_of_silence(s) for s in chosen[:60]]
of_cls = torch.stack([e[0] for e in effects])
of_word = torch.stack([e[1:-1].mean() for e in effects])
ratio = bootstrap((of_cls.numpy(), of_word.numpy()),
                  lambda c, w: c.mean() / w.mean(), paired=True,
                  vectorized=False, method="percentile", rng=0)
print(f"[CLS] {of_cls.mean():.4f}, a word {of_word.mean():.4f}")
print(f"ratio {of_cls.mean() / of_word.mean():.2f} "
      f"[{ratio.confidence_interval.low:.2f}, "
      f"{ratio.confidence_interval.high:.2f}]")

print('--- [12]', round(_t.process_time()-_t0,1))

def importance(sentence):
    ids = torch.tensor(tokenizer(sentence).input_ids)
    less = torch.stack([torch.cat([ids[:i], ids[i + 1:]])
                        for i in range(1, len(ids) - 1)])
    with torch.no_grad():
        full = embed(model(ids[None]), torch.ones(1, len(ids)))
        short = embed(model(less), torch.ones(less.shape))
    return 1 - (short @ full[0])             # (T - 2,)

frequency = {}
for s in sentences:
    for token in tokenizer.tokenize(s):
        frequency[token] = frequency.get(token, 0) + 1

print('--- [13]', round(_t.process_time()-_t0,1))

rows = []
for s in chosen[:60]:
    tokens, maps, hidden = look(s)
    target = importance(s)
    received = maps[..., 1:-1].mean(2)                  # (L, H, T - 2)
    lengths = arriving(maps, hidden)[..., 1:-1].mean(2)
    rare = torch.tensor([-frequency[t] for t in tokens[1:-1]])
    candidates = {"rare words first": rare,
                  "weight, layer 0": received[0].mean(0),
                  "weight, last layer": received[5].mean(0),
                  "weight, all layers": received.mean((0, 1)),
                  "what arrives": lengths.mean((0, 1))}
    candidates |= {f"head {layer}.{head}": received[layer, head]
                   for layer in range(6) for head in range(12)}
    rows.append({name: spearmanr(c, target).statistic
                 for name, c in candidates.items()})

print('--- [14]', round(_t.process_time()-_t0,1))

def mean_and_interval(values):
    ci = bootstrap((values,), np.mean, method="percentile",
                   rng=0).confidence_interval
    return f"{np.mean(values):+.2f} [{ci.low:+.2f}, {ci.high:+.2f}]"

table = {name: np.array([row[name] for row in rows]) for name in rows[0]}
for name in list(table)[:5]:
    print(f"{name:19s}", mean_and_interval(table[name]))
heads = sorted((name for name in table if name.startswith("head")),
               key=lambda name: table[name].mean())
for name in (heads[0], heads[-1]):
    print(f"{name:19s}", mean_and_interval(table[name]))
print("heads below zero:", sum(table[n].mean() < 0 for n in heads), "of 72")

print('--- [15]', round(_t.process_time()-_t0,1))

articles = sorted(corpora.wikipedia(), key=lambda a: -len(a.sentences))[:8]
rng = np.random.default_rng(0)
texts, topics = [], []
for topic, article in enumerate(articles):
    fit = [s for s in article.sentences if 10 <= len(s.split()) <= 25]
    texts += list(rng.choice(fit, 100, replace=False))
    topics += [topic] * 100

batch = tokenizer(texts, padding="max_length", truncation=True,
                  max_length=48, return_tensors="pt")
with torch.no_grad():
    hidden = torch.cat([model(ids, mask) for ids, mask in zip(
        batch.input_ids.split(50), batch.attention_mask.split(50))])
inside = batch.attention_mask.bool()
inside[:, 0] = False                         # without [CLS]
hidden = F.normalize(hidden - hidden[inside].mean(0), dim=-1) * 8
order = rng.permutation(800)
topic_task = (hidden[order], inside[order], torch.tensor(topics)[order])

print('--- [16]', round(_t.process_time()-_t0,1))

generator = torch.Generator().manual_seed(0)
row = torch.arange(800)
x = 0.5 * torch.randn(800, 24, 64, generator=generator)
labels = torch.randint(8, (800, 24), generator=generator)
place = torch.randint(24, (800,), generator=generator)
x[:, :, :8] = 2.0 * F.one_hot(labels, 8)
x[:, :, 8] = 0.0
x[row, place, 8] = 3.0                       # the mark
needle_task = (x, torch.ones(800, 24, dtype=torch.bool),
               labels[row, place])

print('--- [17]', round(_t.process_time()-_t0,1))

class Pool(nn.Module):
    def __init__(self, width, uniform=False):
        super().__init__()
        self.query = nn.Parameter(torch.randn(width) / width ** 0.5)
        self.read = nn.Linear(width, 8)
        self.uniform = uniform

    def weights(self, x, inside):
        scores = x @ self.query * (0.0 if self.uniform else 1.0)
        return scores.masked_fill(~inside, -torch.inf).softmax(-1)

    def forward(self, x, weights):
        return self.read((weights[..., None] * x).sum(1))

def apart(a, b):                             # 0 the same, 1 disjoint
    return 0.5 * (a - b).abs().sum(-1)

print('--- [18]', round(_t.process_time()-_t0,1))

def train_pool(task, seed, rate, uniform=False, avoid=None, steps=150):
    torch.manual_seed(seed)
    x, inside, y = (part[:400] for part in task)
    pool = Pool(x.shape[-1], uniform)
    optimizer = torch.optim.AdamW(pool.parameters(), rate)
    for _ in range(steps):
        weights = pool.weights(x, inside)
        loss = F.cross_entropy(pool(x, weights), y)
        if avoid is not None:
            loss = loss - 0.3 * apart(weights, avoid).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return pool

def permuted(weights, inside):
    shuffled = torch.zeros_like(weights)
    for i, places in enumerate(inside):
        index = places.nonzero()[:, 0]
        shuffled[i, index] = weights[i, index[torch.randperm(len(index))]]
    return shuffled

print('--- [19]', round(_t.process_time()-_t0,1))

def study(task, rate):
    x, inside, y = (part[400:] for part in task)
    hits, distance = [], []
    for seed in range(3):
        pool = train_pool(task, seed, rate)
        with torch.no_grad():
            train_weights = pool.weights(task[0][:400], task[1][:400])
            own = pool.weights(x, inside)
        rivals = {"own": pool, "uniform": train_pool(
            task, seed, rate, uniform=True), "another seed": train_pool(
            task, seed + 10, rate), "adversary": train_pool(
            task, seed + 10, rate, avoid=train_weights)}
        with torch.no_grad():
            all_weights = {n: p.weights(x, inside) for n, p in rivals.items()}
            found = {n: p(x, all_weights[n]) for n, p in rivals.items()}
            found["permuted"] = pool(x, permuted(own, inside))
        hits.append({n: (logits.argmax(-1) == y).float()
                     for n, logits in found.items()})
        distance.append({n: apart(own, w).mean().item()
                         for n, w in all_weights.items()})
    return hits, distance

results = {"topic": study(topic_task, 0.01),
           "needle": study(needle_task, 0.03)}

print('--- [20]', round(_t.process_time()-_t0,1))

for task, (hits, distance) in results.items():
    print(task)
    for name in hits[0]:
        right = " ".join(f"{h[name].mean():.2f}" for h in hits)
        far = ("" if name == "permuted" else
               f"  distance {np.mean([d[name] for d in distance]):.2f}")
        print(f"  {name:13s} accuracy {right}{far}")
    for name in ("uniform", "adversary"):
        gap = torch.stack([h[name] - h["own"] for h in hits]).mean(0)
        print(f"  {name} minus own:", mean_and_interval(gap.numpy()))

