#%% md
# The modern block

After this lab you can

- turn the block of GPT-2 into the block of Llama, one argument at a time, and show that both equal their reference;
- read the residual stream as a sum, and say why a deep model with the norm behind the layer may not begin to learn;
- compute RMSNorm and SwiGLU on paper;
- say what each part of the modern block buys, in bits per byte, bytes of memory and operations, with an interval;
- build a real BERT from the same block, and find which of its settings matter.

You need {doc}`encoder_decoder`, and {doc}`positions` for rotary positions.
#%% code
from llmbook import environment
environment.start()
#%% code
import dataclasses
import time

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy.stats import t as student
from torch.nn import functional as F

from llmbook import plots, pretrained
from llmbook.blocks import Trace
from llmbook.models import (
    GPT, Bert, GPTConfig, gpt_flops, gpt_parameters, load_minilm, load_weights)
from llmbook.studies import block_ladder, norm_order, stored
#%% md
## One block, two recipes

Between GPT-2 (2019) and Llama 2 (2023) the plan of the block stayed what it was in 2017: attention, feed-forward layer, a residual connection around each. Its *parts* were exchanged {cite:p}`radford2019language,touvron2023llama`. In the library the parts are arguments. Here are the two recipes, and where they differ:
#%% code
small = dict(vocab_size=256, context_length=128, d_model=96,
             num_heads=4, num_layers=4, dropout=0.0)
gpt2, modern = GPTConfig.gpt2(**small), GPTConfig.modern(**small)
for part in dataclasses.fields(GPTConfig):
    a, b = getattr(gpt2, part.name), getattr(modern, part.name)
    if a != b:
        print(f"{part.name:14s}{a!s:14s}{b}")
#%% md
Is that really Llama? We take Llama from Transformers with random weights, copy them into our model, and compare the logits; then the same for GPT-2.
#%% code
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig
from llmbook.models.transformers_config import to_transformers_config

ids = torch.randint(256, (2, 20), generator=torch.Generator().manual_seed(0))
for ours, kind in ((gpt2, GPT2Config), (modern, LlamaConfig)):
    torch.manual_seed(0)
    theirs = AutoModelForCausalLM.from_config(
        kind(**to_transformers_config(ours))).eval()
    model = GPT(ours).eval()
    load_weights(model, theirs.state_dict())
    with torch.no_grad():
        assert torch.allclose(model(ids), theirs(ids).logits, atol=1e-5)
    print("ours =", type(theirs).__name__)
#%% md
One class, and two reference implementations agree with it. The rest of this lab takes the parts one at a time.

## The residual stream

With the norm first, a layer reads a normed copy of its input and **adds** what it computes to the input itself, $\mathbf{x} + f(\mathrm{norm}(\mathbf{x}))$, as {eq}`eq-pre-norm` says. Nothing else ever touches the vector. So what comes out at the top is a plain sum: the token's embedding and two additions a block. Let us check it.
#%% code
torch.manual_seed(0)
model, written = GPT(modern).eval(), []

def note(layer, inputs, output):
    written.append(output[0] if isinstance(output, tuple) else output)

for block in model.stack.blocks:
    block.attention.register_forward_hook(note)
    block.feed_forward.register_forward_hook(note)
with torch.no_grad():
    model(ids, trace=(trace := Trace()))
    total = trace.hidden_states[0] + sum(written)       # (B, T, D)
    same = torch.allclose(model.stack.norm(total),
                          trace.hidden_states[-1], atol=1e-5)
print(f"embedding + {len(written)} additions = output before its norm:",
      same)
#%% md
This sum is called the **{term}`residual stream`**. A layer does not pass its result to the next layer; it writes into a stream from which all later layers read. Chapter 4 removed a head by setting its part of the sum to zero.

With the norm behind the layer, {eq}`eq-post-norm`, there is no such sum: every norm rescales all that came before. Does that matter? We look at twelve blocks before training, in both orders, with the first weights that our 2017 model has (Glorot's). Two numbers at every depth: the length of the vectors, and how alike the vectors of *different tokens* are, the mean cosine between any two.

```{admonition} Predict
:class: predict
How does the length grow with depth in a sum of many random additions? What is it behind a post-norm block? And will tokens become more alike with depth, or less?
```
#%% code
def at_the_start(norm_first):
    model = norm_order.new_model(
        norm_order.config(norm_first, num_layers=12), 1, "xavier")
    ids = torch.randint(256, (8, 64),
                        generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        model(ids, trace=(trace := Trace()))
    lengths, alike = [], []
    for x in trace.hidden_states[:12]:                  # (B, T, D) each
        lengths.append(x.norm(dim=-1).mean().item())
        unit = F.normalize(x, dim=-1)
        cosines = (unit @ unit.mT).sum((1, 2)) - 64     # without itself
        alike.append((cosines / (64 * 63)).mean().item())
    return lengths, alike
#%% code {"compare": {"atol": 0.02, "rtol": 0.02}}
for name, first in (("norm first", True), ("norm after", False)):
    lengths, alike = at_the_start(first)
    print(f"{name}, behind blocks 0, 1, 3, 7, 11")
    print("   length", *(f"{lengths[i]:6.1f}" for i in (0, 1, 3, 7, 11)))
    print("   cosine", *(f"{alike[i]:6.2f}" for i in (0, 1, 3, 7, 11)))
#%% md
With the norm first the stream grows, and the embedding stays in it as one term among many. With the norm after, the length is always the same, so each block shrinks what came before it, and after twelve blocks the vectors of different tokens are nearly one vector. A causal attention that has not learned anything averages over the tokens before, which is the same average for everybody; repeated, and rescaled each time, it leaves little else. The last block can hardly tell which token it stands at.

## Before or after?

Does it hurt? We trained 108 small language models of bytes on Wikipedia, of 2, 6 and 12 blocks, in both orders, at three learning rates, with and without {term}`warm-up`, three seeds each, 300 steps. That takes 45 minutes, so the results are stored (`python -m llmbook.studies.norm_order`).

```{admonition} Predict
:class: predict
A model that knows only how frequent each byte is needs about 4.5 bits per byte. Which of the two orders gets below it at 2 blocks? And at 12? Does warm-up help?
```
#%% code
results = stored.load("norm_order")

def bits(norm_first, depth, rate, warm_up, steps=300):
    return np.array([row["bits_per_byte"] for row in stored.select(
        results, norm_first=norm_first, num_layers=depth, steps=steps,
        learning_rate=rate, warm_up=warm_up, initialization="xavier")])

print("bits per byte, lowest to highest of three seeds")
print("blocks   rate  warm-up    norm first       norm after")
for depth in norm_order.DEPTHS:
    for rate in norm_order.RATES:
        for warm_up in norm_order.WARM_UPS:
            pair = [bits(f, depth, rate, warm_up) for f in (True, False)]
            print(f"{depth:6d} {rate:6} {warm_up:8d}  ", *(
                f"{b.min():.2f} to {b.max():.2f}  " for b in pair))
#%% md
Three answers.

- At **2 blocks** the order makes no difference that matters: none of the six rows differs by a tenth of a bit.
- At **6 blocks** the norm after fails at the largest rate without warm-up, and with warm-up it does as well as the other. This is why the paper has a warm-up: its models had six blocks on either side.
- At **12 blocks** the norm after fails in *every* row, at every rate, with warm-up or without: its models end where a table of byte frequencies stands. With the norm first all of them learn.

Is it impossible, then, to train twelve blocks with the norm after? We gave it the smallest rate, a longer warm-up and five times the steps:
#%% code
for name, first in (("norm first", True), ("norm after", False)):
    b = bits(first, 12, 0.0003, 400, 1500)
    print(f"{name}, 12 blocks, 1500 steps: {b.min():.2f} to {b.max():.2f}")
#%% code {"mystnb": {"figure": {"caption": "Loss of models of twelve blocks at learning rate 0.0003, by the order of norm and layer, three seeds each. Left: 300 steps, no warm-up. Right: 1500 steps, warm-up over 400. Means over ten steps; the dotted line is a model that knows byte frequencies alone.", "name": "fig-norm-order"}, "image": {"alt": "Two line charts. Left: with the norm first the loss falls steadily; with the norm after it stops at the dotted line and stays there. Right, with five times the steps: the norm after also stays on the dotted line for a few hundred steps, then leaves it, and ends as low as the norm first."}}}
figure, sides = plt.subplots(1, 2, figsize=(6.8, 3.0), sharey=True)
for side, (warm_up, steps) in zip(sides, ((0, 300), (400, 1500))):
    for first, style in ((True, "-"), (False, "--")):
        for row in stored.select(
                results, norm_first=first, num_layers=12, steps=steps,
                learning_rate=0.0003, warm_up=warm_up):
            curve = np.array(row["curve"]) / np.log(2)
            side.plot(10 * np.arange(len(curve)), curve, style,
                      color=plots.COLOURS[int(not first)],
                      label=("norm first" if first else "norm after")
                      if row["seed"] == 1 else None)
    side.axhline(4.55, color="#333333", linestyle=":")
    side.set(xlabel="step", ylim=(3, 6.5))
sides[0].set(ylabel="loss (bits a byte)")
sides[0].legend()
plt.show()
#%% md
With patience the two end alike ({numref}`fig-norm-order`). So the accurate statement is not "post-norm does not train" but: **it trains in a narrower range of settings, and the range shrinks with depth**. {cite:t}`xiong2020layer` found the same in large models, and explain the need for warm-up by the gradients at the start. The first weights matter as well. GPT-2's, which were made for the norm first, are so small that a post-norm model of six blocks does not get going with them:
#%% code
for name, first in (("norm first", True), ("norm after", False)):
    b = [row["bits_per_byte"] for row in stored.select(
        results, norm_first=first, initialization="gpt2")]
    print(f"{name}, 6 blocks, GPT-2's first weights: "
          f"{min(b):.2f} to {max(b):.2f}")
#%% md
A tutorial that copies the block from one source and the first weights from another can lose a day here. BERT, of the last part of this lab, has twelve post-norm blocks, and was trained with warm-up over ten thousand steps {cite:p}`devlin2019bert`.

## RMSNorm

A LayerNorm takes the mean off and divides by the standard deviation. RMSNorm {cite:p}`zhang2019root` leaves the mean and divides by the root of the mean square. On the vector $(3, 4)$: the mean is 3.5 and the standard deviation 0.5; the mean square is 12.5.

```{admonition} Predict
:class: predict
Compute both norms of $(3, 4)$. What does LayerNorm give for *any* vector of two different numbers? And which of the two norms notices when all entries grow by 100?
```
#%% code
def rms_norm(x):
    return x / x.square().mean(-1, keepdim=True).sqrt()

x = torch.tensor([[3.0, 4.0], [103.0, 104.0]])
for row in x:
    print(row.numpy(), "LayerNorm", F.layer_norm(row, (2,)).numpy().round(2),
          "RMSNorm", rms_norm(row).numpy().round(2))
assert torch.allclose(rms_norm(x), F.rms_norm(x, (2,)))
#%% md
LayerNorm sees only how the entries differ, RMSNorm also their common part. With one pass over the numbers less, RMSNorm is cheaper to compute. Whether it is *better* we measure below, with the rest.

## SwiGLU

The feed-forward layer of 2017 is $\mathbf{W}_2\, \mathrm{relu}(\mathbf{W}_1 \mathbf{x})$. SwiGLU {cite:p}`shazeer2020glu` has a second matrix, whose result opens or closes the first one's, entry by entry:

$$
\mathrm{SwiGLU}(\mathbf{x}) = \mathbf{W}_2 \bigl( \mathrm{silu}(\mathbf{W}_g \mathbf{x}) \odot \mathbf{W}_1 \mathbf{x} \bigr), \qquad
\mathrm{silu}(z) = z\, \sigma(z) .
$$ (eq-swiglu)

Here $\odot$ multiplies entry by entry. Three matrices in place of two: to keep the number of parameters, the hidden width becomes two thirds of what it was, $\tfrac{2}{3} \cdot 4D$.

```{admonition} Predict
:class: predict
One hidden entry, $\mathbf{W}_1 \mathbf{x} = 5$. How much of it passes with $\mathbf{W}_g \mathbf{x} = 0$, with 10, and with $-10$? (You need $\sigma(10) \approx 1$.) And with $-1$, where $\sigma(-1) = 0.27$?
```
#%% code
for gate in (0.0, 10.0, -10.0, -1.0):
    z = torch.tensor(gate)
    print(f"gate {gate:5.1f}: {(F.silu(z) * 5).item() + 0.0:6.2f}")

feed_forward = model.stack.blocks[0].feed_forward
x = torch.randn(3, 96, generator=torch.Generator().manual_seed(0))
w_g, w_1, w_2 = (getattr(feed_forward, name).weight
                 for name in ("gate", "up", "down"))
by_hand = (F.silu(x @ w_g.T) * (x @ w_1.T)) @ w_2.T
assert torch.allclose(by_hand, feed_forward(x), atol=1e-6)
print(f"{3 * 96 * 256:,} weights with a gate, {2 * 96 * 384:,} without")
#%% md
At 0 the gate is shut, at 10 the entry passes ten times over, at −10 nothing passes. A gate is a product of two things that the layer computes from $\mathbf{x}$, which a relu layer cannot make.

## What do they buy?

We walk from the block of GPT-2 to the modern one, one change at a time, and train a byte-level model of four blocks at each rung, with four seeds, 800 steps on Wikipedia. All rungs have the same number of parameters within one in a hundred (except for the table of positions, which rotary makes superfluous), the same batches in the same order and the same learning rate. An hour of work, stored (`python -m llmbook.studies.block_ladder`).

```{admonition} Predict
:class: predict
Order the five changes by what you expect them to gain: no biases, RMSNorm, SwiGLU, rotary positions, grouped queries (with two heads of keys and values in place of four). Will each one gain?
```
#%% code
ladder = stored.load("block_ladder")

def rung(name, rate=block_ladder.RATE):
    rows = stored.select(ladder, rung=name, learning_rate=rate)
    return np.array([row["bits_per_byte"] for row in rows])

print(f"{'':18s}parameters  bits per byte   change [95 %]")
for i, name in enumerate(block_ladder.RUNGS):
    row = stored.select(ladder, rung=name)[0]
    line = f"{name:18s}{row['parameters']:10,d}{rung(name).mean():13.3f}"
    if i:
        change = rung(name) - rung(block_ladder.RUNGS[i - 1])
        half = (student.ppf(0.975, len(change) - 1)
                * change.std(ddof=1) / len(change)**0.5)
        line += (f"       {change.mean():+.3f} "
                 f"[{change.mean() - half:+.3f}, {change.mean() + half:+.3f}]")
    print(line)
#%% md
LADDER TEXT

One learning rate for all could favour one end. So both ends were also trained at half and at twice the rate, with one seed:
#%% code
for name in block_ladder.ENDS:
    print(f"{name:18s}", *(
        f"{rate}: {rung(name, rate).mean():.3f}  "
        for rate in (0.0015, 0.003, 0.006)))
#%% code {"mystnb": {"figure": {"caption": "From the block of GPT-2 to the modern one: bits per byte on held-out Wikipedia after 800 steps, each rung with the changes of those before it. Points are seeds, the line joins their means.", "name": "fig-block-ladder"}, "image": {"alt": "LADDER ALT"}}}
figure, axes = plt.subplots(figsize=(6.8, 3.2))
means = [rung(name).mean() for name in block_ladder.RUNGS]
axes.plot(range(len(means)), means, color=plots.COLOURS[0])
for i, name in enumerate(block_ladder.RUNGS):
    axes.plot([i] * len(rung(name)), rung(name), "o",
              color=plots.COLOURS[0], alpha=0.6)
axes.set_xticks(range(len(means)), [
    name.replace(" ", "\n", 2) for name in block_ladder.RUNGS])
axes.set(ylabel="bits per byte")
plt.show()
#%% md
LADDER TEXT 2

## Keys and values, kept

A model writes one token at a time. Without memory it computes everything anew for each token. But keys and values of earlier tokens do not change, because with a causal mask nothing later can reach them. So they are kept: the **{term}`key-value cache`**.

```{admonition} Predict
:class: predict
The model writes 100 tokens after a prompt of 20. How many tokens does each of its matrices read in all, without a cache and with one?
```
#%% code
def write(model, prompt, number, cached):
    cache = model.new_cache() if cached else None
    ids, new, read = prompt, prompt, 0
    with torch.no_grad():
        for _ in range(number):
            read += new.shape[1]
            logits = model(new, cache=cache)            # (1, T, V)
            token = logits[:, -1:].argmax(-1)
            ids = torch.cat((ids, token), dim=1)
            new = token if cached else ids
    return ids, read

prompt = ids[:1]
plain, with_cache = (write(model, prompt, 100, c) for c in (False, True))
assert torch.equal(plain[0], with_cache[0])
print(f"the same 120 tokens; read without a cache {plain[1]:,}, "
      f"with one {with_cache[1]:,}")
#%% code {"tags": ["nbval-ignore-output"]}
# not compared: seconds depend on the machine
for cached in (False, True):
    began = time.process_time()
    write(model, prompt, 100, cached)
    print("with a cache" if cached else "without     ",
          f"{time.process_time() - began:.2f} CPU seconds")
#%% md
The tokens are the same, for about a sixtieth of the reading. (The seconds fall by less: with one token at a time, a small model spends its time on everything but products.) The cache costs memory: for each token, in each block, a key and a value for each head,

$$
\text{bytes} = 2 \cdot L \cdot H_{kv} \cdot K \cdot T \cdot (\text{bytes a number}) .
$$ (eq-cache)

**{term}`Grouped-query attention`** {cite:p}`ainslie2023gqa` saves on $H_{kv}$: several heads of queries share one head of keys and values. Our model has four heads of queries and two of keys.
#%% code
def cache_bytes(model, tokens):
    cache = model.new_cache()
    with torch.no_grad():
        model(torch.zeros(1, tokens, dtype=torch.long), cache=cache)
    return sum(kept.nbytes for block in cache.blocks for kept in
               (block.attention.key, block.attention.value))

for config in (gpt2, modern):
    formula = 2 * 4 * config.kv_heads * config.head_width * 100 * 4
    assert cache_bytes(GPT(config).eval(), 100) == formula
    print(f"{config.kv_heads} heads of keys: {formula:,} bytes "
          "for 100 tokens")
#%% md
For a small model that is nothing. Llama 2 with 70 billion parameters has 80 blocks, 64 heads of queries of width 128, and 8 heads of keys {cite:p}`touvron2023llama`:
#%% code
for heads in (64, 8):
    per_token = 2 * 80 * heads * 128 * 2      # two bytes a number
    print(f"{heads:2d} heads of keys: {per_token:9,d} bytes a token, "
          f"{4096 * per_token / 1e9:5.2f} GB for 4096 tokens")
#%% md
Ten gigabytes for one conversation, or little more than one: this is what grouped queries are for, and not the loss, in which our ladder shows no gain from them.

## A real BERT from the same block

The block of 2017 and the modern one are two settings of one class. A third is BERT: norm after, exact GELU, biases, learned positions, no causal mask. MiniLM {cite:p}`wang2020minilm` is a BERT with six blocks, trained on a great deal of text. We load its file into our modules, and compare *all* hidden states with Transformers' `BertModel`.
#%% code
theirs, tokenizer = pretrained.minilm()
ours = load_minilm()
batch = tokenizer(["The bank of the muddy river was steep.",
                   "The shore of the stream was slippery.",
                   "Interest rates rose again this week."],
                  padding=True, return_tensors="pt")
keep = batch.attention_mask[..., None]                  # (B, T, 1)
with torch.no_grad():
    ours(batch.input_ids, batch.attention_mask, trace=(trace := Trace()))
    reference = theirs(**batch, output_hidden_states=True).hidden_states
for a, b in zip(trace.hidden_states, reference, strict=True):
    assert torch.allclose(a * keep, b * keep, atol=1e-5)
print(len(reference), "layers of hidden states agree, real weights,",
      f"{sum(p.numel() for p in ours.parameters()):,} parameters")
#%% md
(We compare under the mask. What stands at padding is never read by anybody, and differs.)

## Where this breaks

### A setting that is nearly right

The weights fit into any model of the same shapes. What if a setting is wrong? We compare the first sentence, about a river bank, with the second, about a shore, and the third, about interest rates: the cosine of their mean vectors.

```{admonition} Predict
:class: predict
Which of these wrong settings would you notice: eps of $10^{-5}$ in place of $10^{-12}$, the approximate GELU of GPT-2, relu, six heads in place of twelve, the norm first?
```
#%% code
def similarities(model):
    with torch.no_grad():
        hidden = model(batch.input_ids, batch.attention_mask)
    mean = F.normalize((hidden * keep).sum(1), dim=-1)  # (B, D)
    return mean[0] @ mean[1], mean[0] @ mean[2]

wrong = {"right": {}, "eps 1e-5": {"norm_eps": 1e-5},
         "approximate GELU": {"activation": "gelu_tanh"},
         "relu": {"activation": "relu"}, "6 heads": {"num_heads": 6},
         "norm first": {"norm_first": True}}
print("                  bank-shore  bank-interest")
for name, change in wrong.items():
    model = Bert(dataclasses.replace(ours.config, **change)).eval()
    model.load_state_dict(ours.state_dict(), strict=name == "right")
    print(f"{name:18s}", *(f"{s:9.2f}" for s in similarities(model)))
#%% md
Two of the five cannot be seen in two decimals. Two change the numbers and keep the order, so that a quick look ("similar sentences are more similar") passes them. Only with the norm first does the model fall apart. **A model that runs and looks plausible proves nothing; equality with a reference does.** That is why every model of this book is compared.

### A cache that counts wrong

With rotary positions only distances matter. So what happens when *all* positions are off by seven? And when only the new token's position is off by one?

```{admonition} Predict
:class: predict
Which of the two changes the logits, for rotary and for learned positions?
```
#%% code
def last_logits(model, shift_all=0, shift_new=0):
    cache, where = model.new_cache(), torch.arange(19) + shift_all
    mask = torch.ones(19, 19, dtype=torch.bool).tril()
    with torch.no_grad():
        model.stack(model.embeddings(prompt[:, :19], where), mask=mask,
                    positions=where, cache=cache)
        new = torch.tensor([19 + shift_all + shift_new])
        x = model.stack(model.embeddings(prompt[:, 19:], new),
                        positions=new, cache=cache)
        return model.output(x)[0, -1]                   # (V,)

print("largest change of a logit  all + 7   new + 1")
for name, config in (("learned", gpt2), ("rotary", modern)):
    model = norm_order.new_model(config, 0, "xavier")
    right = last_logits(model)
    assert torch.allclose(right, model(prompt)[0, -1], atol=1e-4)
    changes = [(last_logits(model, *shift) - right).abs().max()
               for shift in ((7, 0), (0, 1))]
    print(f"{name:24s}", *(f"{change:9.2f}" for change in changes))
#%% md
CACHE TEXT

### What the ladder does not say

Our models have half a million parameters, see a million and a half bytes, and are trained for a minute each. At that size a change of a hundredth of a bit is the smallest that four seeds can tell from chance. The parts of the modern block were chosen with models ten thousand times larger, and partly for reasons that no loss shows: speed, memory, and a training that does not break off. Our runs can say that the parts work and what they cost. They cannot say which of them matters at scale.
