#%% md
# Scaling up

After this lab you can

- fit a power law to small runs, with an interval, and check its prediction on a run that it has not seen;
- compute operations, time and memory of a published model by formula;
- run one training script on two processes, and show that it is the same training;
- say what ZeRO and FSDP divide, and when one needs them;
- say what a small model shows about learning from the prompt, and what it cannot show.

You need {doc}`a_gpt`: the loss in bits per byte, and the training loop.
#%% code
from llmbook import environment
environment.start()
#%% code
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy.optimize import least_squares
from scipy.stats import linregress
from torch.nn import functional as F

from llmbook import corpora, plots, training
from llmbook.models import GPT, GPTConfig, gpt_flops, gpt_parameters
from llmbook.studies import scaling, stored
from llmbook.training.data import collate
#%% md
## Three points on paper

Somebody trained three models, and found these losses:

| parameters $N$ | 1,000 | 10,000 | 100,000 |
|:--|--:|--:|--:|
| loss | 4 | 2 | 1 |

Ten times the parameters, half the loss. A rule of this kind, $\mathcal{L} = A / N^{\alpha}$, is a **{term}`power law`**. Take logarithms on both sides, and it is a straight line: $\log \mathcal{L} = \log A - \alpha \log N$. So one draws it on paper where both axes are logarithmic.

```{admonition} Predict
:class: predict
What is the loss at $N$ = 1,000,000? By how much does $\log_{10} \mathcal{L}$ fall when $\log_{10} N$ grows by one? That is $\alpha$. And what is $A$?
```
#%% code
size = np.array([1_000, 10_000, 100_000])
loss = np.array([4.0, 2.0, 1.0])

alpha = np.log10(2)                       # half the loss for each decade
A = 4 * 1_000**alpha                      # so that the first point fits
slope, intercept = np.polyfit(np.log10(size), np.log10(loss), 1)
line = linregress(np.log10(size), np.log10(loss))
assert np.allclose([slope, intercept], [-alpha, np.log10(A)])
assert np.allclose([line.slope, line.intercept], [slope, intercept])
print(f"alpha {alpha:.3f}, A {A:.0f}; "
      f"at a million: {A / 1e6**alpha:.2f}")
#%% md
On paper, by `np.polyfit` and by `scipy.stats` it is the same line, with $\alpha = 0.301$ and $A = 32$.

## A floor bends the line

Text cannot be predicted perfectly. Some part of the loss, call it $E$, stays whatever the model: $\mathcal{L} = E + A / N^{\alpha}$. Let $E$ be 1. The three losses are then 5, 3 and 2.

```{admonition} Predict
:class: predict
You do not know of the floor, and put the best straight line through the logarithms of 5, 3 and 2. Does it promise too much or too little at a million parameters, where the truth is 1.5? And at $10^{12}$?
```
#%% code
def true_loss(n):
    return 1 + A / n**alpha

straight = np.polyfit(np.log10(size), np.log10(true_loss(size)), 1)
for n in (10_000, 10**6, 10**12):
    promised = 10 ** np.polyval(straight, np.log10(n))
    print(f"{n:17,d}: true {true_loss(n):.2f}, "
          f"straight line {promised:.2f}")
#%% code {"mystnb": {"figure": {"caption": "Three losses with a floor of 1 (points), the curve on which they lie, and the straight line fitted to them. Both axes are logarithmic.", "name": "fig-floor"}, "image": {"alt": "Log-log chart of loss against parameters from a thousand to a thousand million. Through three points on the left go a curve and a straight line, close together. To the right the curve levels off above a dotted line at one, while the straight line goes on falling through it."}}}
many = np.geomspace(500, 1e9, 100)
figure, axes = plt.subplots(figsize=(5.6, 3.2))
axes.plot(size, true_loss(size), "o", color="#000000", label="the three runs")
axes.plot(many, true_loss(many), label="with a floor")
axes.plot(many, 10 ** np.polyval(straight, np.log10(many)), "--",
          label="straight line")
axes.axhline(1, color="#333333", linestyle=":", linewidth=1)
axes.set(xscale="log", yscale="log", xlabel="parameters", ylabel="loss")
axes.set_yticks([0.5, 1, 2, 5], ["0.5", "1", "2", "5"])
axes.minorticks_off()
axes.legend()
plt.show()
#%% md
Within the three points the line is off by a few hundredths, and nobody would complain ({numref}`fig-floor`). Ten times farther it promises 1.24 in place of 1.50; much farther it goes through the floor. **A straight line that ignores the floor promises too much**, and the more, the farther one goes.

So fit the floor too? For three sizes, each ten times the one before, it can be done on paper. The three amounts above the floor have a constant ratio, $(\mathcal{L}_2 - E)^2 = (\mathcal{L}_1 - E)(\mathcal{L}_3 - E)$, and therefore

$$
E = \frac{\mathcal{L}_1 \mathcal{L}_3 - \mathcal{L}_2^2}{\mathcal{L}_1 + \mathcal{L}_3 - 2 \mathcal{L}_2} .
$$ (eq-floor)

```{admonition} Predict
:class: predict
Check that 5, 3, 2 give $E = 1$. Now the middle run had bad luck, or good luck, and its loss is off by two in a hundred: 3.06 or 2.94. What becomes of $E$?
```
#%% code
for middle in (3.0, 3.06, 2.94):
    floor = (5 * 2 - middle**2) / (5 + 2 - 2 * middle)
    print(f"5, {middle:.2f}, 2: floor {floor:.2f}")
#%% md
Two in a hundred move the floor from 0.72 to 1.21. What a fit says about places far from its points is much less certain than the points are. That is why every number of a fit below comes with an interval.

## Twenty runs and one kept apart

Now real losses. We trained models of the modern kind in five sizes on the bytes of documentation strings, each size on four amounts of text, from a quarter of a million bytes to two million. Nothing else changes: batch, context and learning rate are the same for all. (Muon, which {doc}`a_gpt` describes, makes that possible: its updates have the same size at every width.) Each run has a schedule that ends where its text ends. A token here is a byte. The forty minutes are stored (`python -m llmbook.studies.scaling`).

With them lies one larger run, on more text. We do not look at it yet.
#%% code
rows = stored.load("scaling")
(last,) = stored.select(rows, **scaling.LAST)
runs = [row for row in rows if row["seed"] == 1 and row is not last]
sizes = sorted({row["parameters"] for row in runs})

print("bits per byte; parameters across, bytes of text down")
print(" " * 10, *(f"{n:9,d}" for n in sizes))
for tokens in scaling.TOKENS:
    line = [stored.select(runs, parameters=n, tokens=tokens)[0]
            for n in sizes]
    print(f"{tokens:10,d}", *(f"{row['bits_per_byte']:9.3f}" for row in line))
#%% md
Parameters are counted as {cite:t}`kaplan2020scaling` do, without the table of token vectors. How much of a difference between two runs is luck? One cell of the table was trained with three more seeds, other first weights and other batches:
#%% code
seeds = np.array([row["bits_per_byte"] for row in stored.select(
    rows, shape="100 k", tokens=1_000_000)])
print(f"{len(seeds)} seeds: {seeds.min():.3f} to {seeds.max():.3f}, "
      f"standard deviation {seeds.std(ddof=1):.3f}, "
      f"that is {seeds.std(ddof=1) / seeds.mean():.1%}")
#%% code {"mystnb": {"figure": {"caption": "Bits per byte on held-out documentation. Left: against the bytes read, a line for each size. Right: the same runs against the parameters, a line for each amount of text. Crosses: three more seeds of one run. All axes are logarithmic.", "name": "fig-runs"}, "image": {"alt": "PLACE-ALT-RUNS"}}}
figure, sides = plt.subplots(1, 2, figsize=(7.2, 3.4), sharey=True)
steps = [(sides[0], "parameters", "tokens", sizes, scaling.TOKENS),
         (sides[1], "tokens", "parameters", scaling.TOKENS,
          (10_000, 100_000, 1_000_000))]
label = {"tokens": "bytes of text", "parameters": "parameters"}
for side, group, along, values, ticks in steps:
    for value, colour, marker in zip(values, plots.COLOURS, plots.MARKERS):
        line = stored.select(runs, **{group: value})
        side.plot([row[along] for row in line],
                  [row["bits_per_byte"] for row in line], color=colour,
                  marker=marker, markersize=5, label=f"{value / 1000:,.0f} k")
    side.set(xscale="log", yscale="log", xlabel=label[along])
    side.legend(title=label[group], fontsize=8, title_fontsize=8)
    side.set_xticks(ticks, [f"{tick / 1000:,.0f} k" for tick in ticks])
sides[0].plot([1_000_000] * len(seeds), seeds, "x", color="#333333")
sides[0].set_ylabel("bits per byte")
sides[0].set_yticks([2, 2.5, 3, 3.5, 4], ["2", "2.5", "3", "3.5", "4"])
for side in sides:
    side.minorticks_off()
plt.show()
#%% md
PLACE-RUNS

## One formula for both

{cite:t}`hoffmann2022training` add up three parts, {eq}`eq-scaling`: a floor, a price for few parameters, a price for little text. We measure $N$ in units of 100,000 parameters and $D$ in units of a million bytes. Then $A$ and $B$ are in bits per byte: what a model of 100,000 parameters pays for its size, and what it pays for having read only a million bytes. The fit looks for the five numbers whose logarithm of the loss is nearest to the measured ones, from many starting points, because such a search can end in a wrong valley.
#%% code
names = ("E", "A", "alpha", "B", "beta")

def law(p, n, d):
    E, A, alpha, B, beta = p
    return E + A * (n / 1e5)**-alpha + B * (d / 1e6)**-beta

def columns(rows):
    return (np.array([row[key] for row in rows], dtype=float)
            for key in ("parameters", "tokens", "bits_per_byte"))

def fit(n, d, loss, starts):
    found = [least_squares(
        lambda p: np.log(law(p, n, d) / loss), start,
        bounds=(1e-3, (10, 10, 3, 10, 3))) for start in starts]
    return min(found, key=lambda result: result.cost).x

starts = [*product((0.5, 2), (0.3, 1), (0.2, 0.6), (0.3, 1), (0.2, 0.6))]
n, d, bits = columns(runs)
best = fit(n, d, bits, starts)
missed = np.log(bits / law(best, n, d))
#%% md
How sure are the five numbers? We ask with a bootstrap: take what the formula misses at each run, deal these misses out again at random, and fit again, 300 times.
#%% code
random = np.random.default_rng(0)
wider = missed * (len(runs) / (len(runs) - len(best)))**0.5
refits = []
for _ in range(300):
    luck = np.exp(random.choice(wider, len(runs)))
    refits.append(fit(n, d, law(best, n, d) * luck, [best]))
refits = np.array(refits)                             # (300, 5)
#%% code {"compare": {"atol": 0.02}}
for name, value, many in zip(names, best, refits.T):
    low, high = np.quantile(many, (0.025, 0.975))
    print(f"{name:6s}{value:5.2f}  [{low:.2f}, {high:.2f}]")
print(f"misses: {(missed**2).mean()**0.5:.1%} on average, "
      f"at most {abs(missed).max():.1%}")
#%% md
PLACE-FIT

## The run that was kept apart

The larger model has 1,771,200 parameters, more than twice those of the largest in the fit, and it read four million bytes, twice the most. Three simple predictions stand beside that of the formula:

- **no change**: the loss of the best run so far;
- **more text**: a straight line, on logarithmic axes, through the four runs of the largest size, drawn on to four million;
- **more operations**: a straight line through those runs that no cheaper run beats, against $6ND$, which the reading explains.

```{admonition} Predict
:class: predict
Draw {numref}`fig-runs` on with a pencil, and write your own prediction down, with a range that you would bet on. Which of the four predictions will be nearest? Which will be too low, which too high?
```
#%% code
def straight_line(x, y, to):
    return np.exp(np.polyval(np.polyfit(np.log(x), np.log(y), 1), np.log(to)))

def frontier(rows):
    """Runs that no cheaper run beats, from the cheapest on."""
    kept = []
    for row in sorted(rows, key=lambda r: 6 * r["parameters"] * r["tokens"]):
        if not kept or row["bits_per_byte"] < kept[-1]["bits_per_byte"]:
            kept.append(row)
    return kept

N, D, measured = (column[0] for column in columns([last]))
large = n == sizes[-1]
f_n, f_d, f_bits = columns(frontier(runs))
predicted = {"no change": bits.min(),
             "more text": straight_line(d[large], bits[large], D),
             "more operations": straight_line(f_n * f_d, f_bits, N * D),
             "the formula": law(best, N, D)}
luck = np.exp(random.choice(wider, len(refits)))
low, high = np.quantile(law(refits.T, N, D) * luck, (0.025, 0.975))
#%% code {"compare": {"atol": 0.01}}
for name, value in predicted.items():
    print(f"{name:16s}{value:6.3f}" + (
        f"  [{low:.3f}, {high:.3f}]" if name == "the formula" else ""))
print(f"{'measured':16s}{measured:6.3f}")
#%% md
PLACE-LAST

## What to buy with a fixed budget

Training takes about $6ND$ operations. With twice the budget, should the model be larger, or read more?

```{admonition} Predict
:class: predict
Below are the runs that no cheaper run beats, from the cheapest to the dearest. Do you expect only the model to grow on the way, only the text, or both?
```
#%% code
print("operations  parameters     bytes  bytes a parameter  bits per byte")
for row in frontier(runs):
    N_, D_, loss_ = (row[key] for key in (
        "parameters", "tokens", "bits_per_byte"))
    print(f"{6 * N_ * D_:10.1e}{N_:12,d}{D_:10,d}{D_ / N_:19.1f}"
          f"{loss_:15.3f}")
#%% code {"mystnb": {"figure": {"caption": "Every run against its operations, $6ND$; the line joins the runs that no cheaper run beats. The bar is the formula's 95 % interval for the last run, which it has not seen, the star the measurement.", "name": "fig-budget"}, "image": {"alt": "PLACE-ALT-BUDGET"}}}
figure, axes = plt.subplots(figsize=(6.4, 3.6))
axes.plot(6 * f_n * f_d, f_bits, color="#999999", linewidth=1)
for value, colour, marker in zip(sizes, plots.COLOURS, plots.MARKERS):
    axes.plot(6 * value * d[n == value], bits[n == value], marker,
              color=colour, label=f"{value / 1000:,.0f} k")
middle = (low + high) / 2
axes.errorbar([6 * N * D], [middle], [[middle - low], [high - middle]],
              color="#333333", capsize=4, label="predicted")
axes.plot([6 * N * D], [measured], "*", color="#D55E00", markersize=11,
          label=f"{N / 1000:,.0f} k, measured")
axes.set(xscale="log", yscale="log", xlabel="operations, 6ND",
         ylabel="bits per byte")
axes.set_yticks([2, 2.5, 3, 3.5, 4], ["2", "2.5", "3", "3.5", "4"])
axes.minorticks_off()
axes.legend(fontsize=8, ncols=2)
plt.show()
#%% md
The formula gives the answer for any budget $C$. Put $D = C / 6N$ into it and look for the smallest loss: the derivative is zero where $\alpha A / N^{\alpha} = \beta B / D^{\beta}$, and so the best $N$ grows as $C^{\beta / (\alpha + \beta)}$ and the best $D$ as $C^{\alpha / (\alpha + \beta)}$.
#%% code {"compare": {"atol": 0.04}}
def best_size(p, operations):
    """The N that minimizes the law with D = operations / 6N."""
    E, A, alpha, B, beta = p
    n = (alpha * A / (beta * B) * (operations / 6e11)**beta)
    return 1e5 * n**(1 / (alpha + beta))

share = refits[:, 4] / (refits[:, 2] + refits[:, 4])
low_, high_ = np.quantile(share, (0.025, 0.975))
print(f"best N grows as C to the {best[4] / (best[2] + best[4]):.2f} "
      f"[{low_:.2f}, {high_:.2f}]")
#%% code {"compare": {"rtol": 0.05}}
C = 6 * N * D
low_, high_ = np.quantile(best_size(refits.T, C), (0.025, 0.975))
print(f"for the operations of the last run: "
      f"{best_size(best, C):,.0f} parameters [{low_:,.0f}, {high_:,.0f}]; "
      f"it had {N:,.0f}")
#%% md
PLACE-OPTIMUM

## What GPT-3 took, by formula

The paper prints the shape: 96 blocks of width 12,288, a context of 2048, and 300 billion tokens read {cite:p}`brown2020language`. From these the rest follows.

```{admonition} Predict
:class: predict
A block of GPT-2's kind has four matrices of $D \times D$ in its attention and two of $D \times 4D$ in its feed-forward layer. How many parameters have 96 blocks, in billions? (The width is about 12 thousand; its square is about 150 million.)
```
#%% code
gpt3 = GPTConfig.gpt2(d_model=12_288, num_layers=96, num_heads=96,
                      context_length=2048)
matrices = 96 * (4 + 2 * 4) * 12_288**2
parameters, tokens = gpt_parameters(gpt3), 300e9
operations = 6 * parameters * tokens
print(f"in the matrices of the blocks {matrices / 1e9:.1f} billion, "
      f"in all {parameters / 1e9:.1f} billion parameters")
print(f"6ND = {operations:.3g} operations")
#%% md
The paper's own numbers, in its table D.1, are 174,600 million parameters and $3.14 \cdot 10^{23}$ operations {cite:p}`brown2020language`. Two numbers of a page, and three multiplications, give the same.

Why six? In the forward pass each parameter multiplies once and adds once for each token. The backward pass does that twice: once for the gradient of the weights, once for that of the inputs. Our own formula counts products exactly, attention's scores included. PyTorch has a counter that watches the products as they happen:
#%% code
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

config, counted = scaling.config("790 k"), []
for backward in (False, True):
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(
            display=False) as counter:
        out = GPT(config)(torch.zeros(1, 128, dtype=torch.long))
        if backward:
            out.sum().backward()
    counted.append(counter.get_total_flops())
assert counted[0] == gpt_flops(config, 1, 128)
assert counted[1] == 3 * counted[0]
print(f"forward {counted[0]:,}, with backward {counted[1]:,}")
#%% md
Both assertions hold: formula and counter agree, and forward and backward together are three times the forward pass, to the last operation. $6ND$ leaves things out: the output layer, and attention's products of tokens with tokens.

```{admonition} Predict
:class: predict
For which model is $6N$ per token the better approximation, for our smallest or for GPT-3?
```
#%% code
def ratio(config, length, n):
    return 3 * gpt_flops(config, 1, length) / (6 * n * length)

for shape, n_ in zip(scaling.SHAPES, (*sizes, int(N))):
    exact = ratio(scaling.config(shape), scaling.CONTEXT, n_)
    print(f"{n_:15,d}: counted / 6N = {exact:.2f}")
print(f"{parameters:15,d}: counted / 6N = "
      f"{ratio(gpt3, 2048, parameters):.2f}")
#%% md
For GPT-3. Its width is large against its context and its vocabulary, and $6ND$ misses three in a hundred. Our smallest model computes more than twice what $6ND$ says: half of its work is the output layer and the scores of attention. Keep that in mind when somebody reports a law "in operations" for small models. Not everybody counts the same ones.

### How long

{cite:t}`brown2020language` trained on V100 cards. NVIDIA gives their peak as 125 tera-operations a second, for products of matrices in 16 bits. No training reaches the peak. On 1024 of the later A100 cards, with a peak of 312, {cite:t}`narayanan2021efficient` report 140 tera-operations a second and card, and estimate 34 days for a model of this size and 300 billion tokens. They recompute in the backward pass what they did not keep, so that for them a token costs $8N$ and not $6N$.

```{admonition} Predict
:class: predict
One V100, at its peak, day and night: how long? Days, years, centuries? And at a third of the peak?
```
#%% code
year = 365.25 * 24 * 3600
for share in (1, 1 / 3):
    years = operations / (share * 125e12) / year
    print(f"one V100 at {share:.0%} of its peak: {years:.0f} years")
days = 8 * parameters * tokens / (1024 * 140e12) / 86_400
print(f"1024 A100 as reported: {days:.1f} days, "
      f"{1024 * 24 * days:,.0f} card-hours")
print(f"of their peak, {6 / 8 * 140 / 312:.0%} went into 6ND")
#%% md
The formula gives the 34 days of the paper. Money is the number of card-hours times a price that changes from year to year and from contract to contract: at one dollar an hour, 0.8 million dollars, at three dollars, 2.5 million. We have no source for what was paid; put your own price in.

And here? We measure how many operations a second a product of two large matrices reaches on this machine, with one thread.
#%% code {"tags": ["nbval-ignore-output"]}
# not compared: the speed of this machine
a = torch.randn(1024, 1024)
a @ a
began = time.perf_counter()
for _ in range(10):
    a @ a
speed = 10 * 2 * 1024**3 / (time.perf_counter() - began)
print(f"{speed / 1e9:.0f} giga-operations a second; "
      f"GPT-3: {operations / speed / year:,.0f} years")
spent = 3 * gpt_flops(scaling.config(last["shape"]), 1, 128) / 128 * D
print(f"our last run: {spent / speed / 60:.0f} minutes at this speed, "
      f"{last['cpu_seconds'] / 60:.0f} minutes where it was trained")
#%% md
### How much memory

Training with Adam keeps four things for each parameter: the weight, its gradient, and two running means. In float32, four bytes each, that makes 16 bytes. Let us look at what a step really leaves behind:
#%% code
model = GPT(scaling.config("1.8 M"))
optimizer = torch.optim.AdamW(model.parameters())
model(torch.zeros(1, 8, dtype=torch.long)).sum().backward()
optimizer.step()
kept = {"weights": [p for p in model.parameters()],
        "gradients": [p.grad for p in model.parameters()],
        "running means": [t for state in optimizer.state.values()
                          for t in state.values() if t.dim()]}
number = sum(p.numel() for p in model.parameters())
for name, tensors in kept.items():
    print(f"{name:14s}{sum(t.nbytes for t in tensors) / number:3.0f} "
          "bytes a parameter")
#%% md
With numbers of 16 bits it is 16 bytes again, in another division: two each for weight and gradient in 16 bits, and four each for a weight in 32 bits and the two means {cite:p}`rajbhandari2020zero`. The activations, which depend on batch and length, come on top. To *use* a model one needs the weights alone, two bytes each.

```{admonition} Predict
:class: predict
Your laptop has 16 GB. How large a model can it train at most, by this count, and how large a model can it run? How many cards of 80 GB does GPT-3 need, for its weights alone, and to be trained?
```
#%% code
for name, n_ in (("our last run", N), ("GPT-2", 1_542e6),
                 ("GPT-3", parameters)):
    print(f"{name:13s} to run {2 * n_ / 1e9:8.3f} GB, "
          f"to train {16 * n_ / 1e9:9.3f} GB")
print(f"16 GB: train {16e9 / 16 / 1e9:.0f} billion parameters, "
      f"run {16e9 / 2 / 1e9:.0f} billion")
print(f"cards of 80 GB for GPT-3: {-(-2 * parameters // 80e9):.0f} to run, "
      f"{-(-16 * parameters // 80e9):.0f} to train")
#%% md
Nothing with the weights of GPT-3 in it fits on one card. So training is spread, in two ways that one should keep apart: to be *faster*, and to *fit*.

## One script, two processes

To be faster, each of several processes holds the whole model, reads its own rows of the batch, and computes a gradient. The gradients are averaged, and all make the same step. This is **{term}`data parallelism`**. It should be the same training as that of one process with the whole batch. Should.

```{admonition} Predict
:class: predict
The model is one number $w$, and a target $y$ costs $\frac{1}{2}(w - y)^2$. Process A has a single target, $y = 10$, process B has nine targets, all 0. Where does $w$ end if one process learns from all ten? And where if A and B each take the *mean* of their own losses, and their gradients are averaged?
```
#%% code
a, b = np.array([10.0]), np.zeros(9)
ends = {"mean of all ten": np.concatenate((a, b)).mean(),
        "mean of two means": (a.mean() + b.mean()) / 2,
        "both sums, divided once": (a.sum() + b.sum()) / (len(a) + len(b))}
for name, w in ends.items():
    print(f"{name:24s}w = {w:.1f}")
#%% md
At the end $w$ is where the gradient is zero, the mean that was asked for. **The mean of two means is not the mean of all**, unless both have equally many targets. With texts of unequal length they have not. Here are eight documentation strings, the GPT that ships with this chapter, and two processes played by hand. The texts are ordered by length, as is often done to save padding.
#%% code
gpt, tokenizer = training.load("gpt")
texts = [tokenizer.encode(record.text)[:256] for record
         in corpora.docstrings().split("validation")[:8]]
texts.sort(key=len)                  # short ones together: less padding
objective = training.NextToken()
batch = objective.prepare(collate([{"ids": text} for text in texts]))

def gradient(loss):
    gpt.zero_grad()
    loss.backward(retain_graph=True)
    return torch.cat([p.grad.flatten() for p in gpt.parameters()])

def share_of(rows):
    return objective.loss(gpt, {k: v[rows] for k, v in batch.items()})

every, first, second = slice(None), slice(0, 4), slice(4, 8)
#%% code {"compare": {"atol": 0.03}}
total, count = share_of(every)
right = gradient(total / count)
(s_a, n_a), (s_b, n_b) = share_of(first), share_of(second)
print(f"{count} targets, {n_a} in one process and {n_b} in the other")
for name, loss_ in {"both sums, divided once": (s_a + s_b) / (n_a + n_b),
                    "mean of two means": (s_a / n_a + s_b / n_b) / 2,
                    "both read the same rows": s_a / n_a}.items():
    off = (gradient(loss_) - right).norm() / right.norm()
    print(f"{name:25s}gradient off by {off:.0%}")
#%% md
The long texts have most of the targets. In the mean of two means they count no more than the short ones, and the gradient that comes out has little to do with the right one. This is why the library's objectives return a *sum* and the number of targets, and why the loop divides once, by the targets of all processes. The same trap waits with **gradient accumulation**, where one process computes several small batches before it makes a step.

### For real

Now with two real processes. `torchrun`, which comes with PyTorch, starts a script several times and tells each copy its number; the copies find each other at an address, here this machine itself. Inside the script, our loop hands the model to Hugging Face's Accelerate, which averages the gradients. The script is `python -m llmbook.training tiny`, the same that trains the models of this book. (On Windows skip to the next section: these processes need Linux or macOS.)
#%% code
folder = Path(tempfile.mkdtemp())

def launch(*command, processes=1):
    """`python command`, through torchrun if there are several."""
    with socket.socket() as probe:                    # a free port
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    torchrun = ("-m", "torch.distributed.run", "--master-addr=127.0.0.1",
                f"--master-port={port}", f"--nproc-per-node={processes}")
    loopback = "lo0" if sys.platform == "darwin" else "lo"
    done = subprocess.run(
        [sys.executable, *(torchrun if processes > 1 else ()), *command],
        cwd=folder, capture_output=True, text=True, env=os.environ | {
            "GLOO_SOCKET_IFNAME": loopback, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout

tiny = ("llmbook.training", "tiny", "--steps", "40", "--out")
launch("-m", *tiny, "one")
launch("-m", *tiny, "two", processes=2);
#%% code {"tags": ["nbval-ignore-output"]}
# not compared: the last digits of sums in another order
def history_of(name):
    path = folder / name / "checkpoint-000040" / "checkpoint.json"
    return json.loads(path.read_text())["history"]

one, two = (np.array(history_of(name)["losses"]) for name in ("one", "two"))
assert np.allclose(one, two, atol=1e-5)
print(f"loss from {one[0]:.3f} to {one[-1]:.3f}; "
      f"largest difference {abs(one - two).max():.1e}")
#%% md
Forty steps, and the losses agree to a hundred-thousandth: it is the same training. What is left is rounding, because the same numbers are added in another order.

Now break it. We change one line of the library, so that every process takes the *first* half of the batch, as happens when a data loader does not know that it is one of two.

```{admonition} Predict
:class: predict
What will you see? An error? A loss that goes wrong? A model that is worse?
```
#%% code
(folder / "same_rows.py").write_text("""
import sys
from llmbook.training.__main__ import main
from llmbook.training.processes import Processes

def rows(self, batch):
    return {name: t[:len(t) // self.count] for name, t in batch.items()}

Processes.rows = rows
main(sys.argv[1:])
""")
launch("same_rows.py", *tiny[1:], "same", processes=2);
#%% code {"compare": {"atol": 0.02}}
for name in ("one", "two", "same"):
    history = history_of(name)
    print(f"{name:5s} loss at the end {history['losses'][-1]:.2f}, "
          f"held out {history['evaluations'][-1]['loss']:.2f}, "
          f"targets counted {history['targets']:,}")
#%% md
None of these. The run ends with a loss like the others, counts as many targets, and its model is as good as theirs, as far as forty steps can tell. Only half of what it counted was ever read: two processes did one process's work, at double the cost. **A loss curve does not show it; comparing with one process does.** That is why such a comparison stands in the tests of this book, to a hundred-thousandth, with texts of unequal length.

## When it does not fit

Data parallelism makes every process hold everything. ZeRO {cite:p}`rajbhandari2020zero` starts from the observation that most of it is held many times over for nothing. It comes in stages, and each divides more among the processes:

1. the state of the optimizer, 12 of the 16 bytes;
2. the gradients too, 2 more;
3. the weights too, the last 2. A block's weights are then collected just before the block computes, and dropped afterwards.

The first two need no more communication than data parallelism, the third half as much again {cite:p}`rajbhandari2020zero`. PyTorch's FSDP, "fully sharded data parallel", is the third stage: only one unit at a time is put together, and the rest stays in shards {cite:p}`zhao2023pytorch`.

```{admonition} Predict
:class: predict
GPT-3 on 1024 cards of 80 GB: which stage is the first to fit?
```
#%% code
def on_each(n, cards, stage):
    """Bytes of weights, gradients and optimizer state on one card."""
    parts = (12, 2, 2)            # optimizer, gradients, weights
    divided = sum(parts[:stage])
    return n * (16 - divided + divided / cards)

for stage in range(4):
    needed = on_each(parameters, 1024, stage) / 1e9
    print(f"stage {stage}: {needed:8.1f} GB on each card")
#%% md
Only the third. The first two reach a quarter and an eighth of the bytes, however many cards there are, because the weights stay whole.

Two processes on a laptop are enough to see it work. The script below is plain PyTorch; the line that calls `fully_shard` is all that is added.
#%% code
START = """
import json, os, torch
from torch import distributed
from torch.distributed.fsdp import fully_shard
from llmbook.models import GPT
from llmbook.studies import scaling
from llmbook.training import NextToken

count, rank = (int(os.environ.get(name, default)) for name, default in
               (("WORLD_SIZE", 1), ("RANK", 0)))
torch.set_num_threads(1)
torch.manual_seed(0)
model = GPT(scaling.config("345 k"))
if count > 1:
    distributed.init_process_group("gloo")
    mesh = distributed.init_device_mesh("cpu", (count,))
    for part in (*model.stack.blocks, model):
        fully_shard(part, mesh=mesh)
"""
#%% code
LOOP = """
optimizer = torch.optim.AdamW(model.parameters(), lr=0.003)
random, losses = torch.Generator().manual_seed(1), []
for step in range(10):
    ids = torch.randint(32, (8, 33), generator=random)[rank::count]
    loss, targets = NextToken()(model, {"ids": ids})
    (loss / targets).backward()          # as many targets in each
    optimizer.step()
    optimizer.zero_grad()
    mean = loss.detach() / targets / count
    if count > 1:
        distributed.all_reduce(mean)
    losses.append(mean.item())
held = [*model.parameters(), *(t for state in optimizer.state.values()
                               for t in state.values() if t.dim())]
held = [t.to_local() if count > 1 else t for t in held]
if rank == 0:
    print(json.dumps([sum(t.nbytes for t in held), losses]))
if count > 1:
    distributed.destroy_process_group()
"""
(folder / "shards.py").write_text(START + LOOP);
#%% code
whole, alone = json.loads(launch("shards.py"))
half, together = json.loads(launch("shards.py", processes=2))
assert np.allclose(alone, together, atol=1e-4)
print(f"weights and running means: {whole:,} bytes alone, "
      f"{half:,} in each of two")
print(f"loss from {alone[0]:.3f} to {alone[-1]:.3f}, the same in both")
#%% md
Each process holds exactly half, and the training is the same. The gradients were halved too, but they are gone after the step, and not in this count.

When does one need this? When 16 bytes a parameter, plus activations, do not fit on one card; not before, because whatever is divided has to be sent. None of the models of this book comes near. For real work the same idea comes ready-made in PyTorch's FSDP, in DeepSpeed, where ZeRO comes from, and through Accelerate, which can hand a model to either.

## What the prompt teaches

{cite:t}`brown2020language` showed more than a large model: GPT-3 solves tasks from a description and a few examples in its prompt, without any training on them. They call it {term}`in-context learning`. What of this can a model of our size show?

{doc}`/chapters/04_self_attention/what_heads_look_at` trained a model on repeated blocks until an {term}`induction head` appeared. The model of this chapter was never trained for that: it has read documentation. We give it tokens drawn at random, as often as they occur in text, 32 of them, and then the *same* 32 again, as {cite:t}`olsson2022context` did. Nothing in such a row makes sense, so whatever the model gains in the second round, it has from the prompt. Two controls: the same 32 tokens in another order first, and 32 others first.

```{admonition} Predict
:class: predict
The second round is the same in all three rows. In which of them will the loss be lower, and by how much: a tenth of a nat, one nat, five? What would a model do that remembers *which* tokens occurred, but not in which order?
```
#%% code
end = tokenizer.special_tokens["<|endoftext|>"]
documents = [tokenizer.encode(record.text) for record
             in corpora.docstrings().split("validation")[:3000]]
counts = torch.bincount(torch.tensor(sum(documents, [])),
                        minlength=len(tokenizer)).float()

@torch.no_grad()
def second_round(model, before, tokens):
    """Losses (B, T - 1) of a round after `before`, its first token out."""
    start = torch.full((len(tokens), 1), end)
    ids = torch.cat((start, before, tokens), dim=1)
    logits = model(ids[:, :-1])[:, before.shape[1] + 1:]
    return F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten(),
                           reduction="none").view(len(tokens), -1)
#%% code
def three_rows(tokens, others, generator):
    mixed = torch.rand(tokens.shape, generator=generator).argsort(1)
    return {"the same": tokens, "the same, mixed": tokens.gather(1, mixed),
            "others": others}

random = torch.Generator().manual_seed(0)
drawn = torch.multinomial(counts, 2 * 96 * 32, replacement=True,
                          generator=random).view(2, 96, 32)
torch.manual_seed(0)
models = {"trained": gpt, "first weights": GPT(gpt.config).eval()}
losses = {(name, before): second_round(model, ids, drawn[0])
          for name, model in models.items()
          for before, ids in three_rows(*drawn, random).items()}
#%% code {"compare": {"atol": 0.05}}
for (name, before), loss_ in losses.items():
    each = loss_.mean(1)                              # one number a row
    half_ = 1.96 * each.std() / len(each)**0.5
    print(f"{name:14s}after {before:16s}{each.mean():6.2f} ± {half_:.2f}")
print(f"all tokens equally likely          {np.log(len(tokenizer)):.2f}")
#%% md
After the same tokens in the same order, a token costs 6.67 nats in place of 10.53, almost four nats less, from the prompt alone. With the order mixed, less than half a nat is gained. So the model does not merely remember which tokens occurred. It finds the place where it stood before, and says what came next: the rule of an induction head, learned from documentation and used on nonsense. With its first weights it gains nothing.

Why do three of the rows cost *more* than even guessing, 8.32? A trained model expects English. On random tokens it is wrong, and sure of it. We did not look for a prettier measure: the comparison that counts is between rows of the same tokens.

Does the same happen on real text? We put a held-out documentation string in the place of the random tokens:
#%% code
long = torch.tensor([t[:32] for t in documents if len(t) >= 32])
chosen = long[torch.randperm(len(long), generator=random)[:192]]
real = {before: second_round(gpt, ids, chosen[:96]) for before, ids in
        three_rows(chosen[:96], chosen[96:], random).items()}
#%% code {"mystnb": {"figure": {"caption": "Loss of the shipped GPT at each place of the second round, by what came before it. Left: tokens drawn at random. Right: beginnings of held-out documentation strings. Means over 96 rows, smoothed over three places.", "name": "fig-second-round"}, "image": {"alt": "Two line charts of loss against the place in the second round. Left, random tokens: after the same tokens the loss lies between six and seven and a half nats; after the same tokens mixed, and after others, it lies at about ten, the mixed a little lower. Right, documentation: after the same text the loss falls to about one and a half, after the mixed text or another text it stays above three."}}}
figure, sides = plt.subplots(1, 2, figsize=(7.2, 3.2), sharey=True)
left_ = {before: losses["trained", before] for before in real}
styles = dict(zip(real, ("-", "--", ":")))
for side, kind, title in ((sides[0], left_, "random tokens"),
                          (sides[1], real, "documentation")):
    for before, loss_ in kind.items():
        curve = np.convolve(loss_.mean(0), np.ones(3) / 3, "valid")
        side.plot(np.arange(len(curve)) + 3, curve, styles[before],
                  label=before)
    side.set(xlabel="place in the second round", title=title, ylim=(0, None))
sides[0].set_ylabel("loss (nats a token)")
sides[1].legend(title="before it", fontsize=8, title_fontsize=8)
plt.show()
#%% md
It does ({numref}`fig-second-round`, right). A text that stands in the prompt already costs about half of what it costs otherwise, from the first few tokens on.

### A task from examples

Copying is one thing, taking up a *task* another. Two tasks, each with twelve pairs. In one the answer is the opposite (`hot: cold`); it needs knowledge. In the other the answer is the word itself (`file: file`); it needs nothing but the prompt. The model sees 0, 1, 4 or 8 pairs, then a new word and a colon, and we take the answer that it finds most probable among all twelve of the task. One in twelve is right by chance.

```{admonition} Predict
:class: predict
How often is it right with 0, 1, 4 and 8 examples? If it is wrong, which of the twelve will it choose?
```
#%% code
twelve = ("file line value name array class key table string index list "
          "module").split()
opposites = ("hot cold big small high low old new first last left right open "
             "closed true false up down black white before after good "
             "bad").split()
tasks = {"opposite": list(zip(opposites[::2], opposites[1::2])),
         "the same": list(zip(twelve, twelve))}

@torch.no_grad()
def scores(prompt, answers):
    """log P of each answer after the prompt."""
    start = [end, *tokenizer.encode(prompt)]
    tails = [tokenizer.encode(" " + answer) for answer in answers]
    ids = torch.full((len(tails), len(start) + max(map(len, tails))), end)
    for row, tail in zip(ids, tails):
        row[:len(start) + len(tail)] = torch.tensor(start + tail)
    log_p = gpt(ids[:, :-1]).log_softmax(-1).gather(2, ids[:, 1:, None])
    return np.array([row[len(start) - 1:][:len(tail)].sum().item()
                     for row, tail in zip(log_p[..., 0], tails)])
#%% code
def ask(pairs, examples, seed):
    """Share right, and share that repeats an answer of the prompt."""
    random, right, shown = np.random.default_rng(seed), [], []
    for query, (word, _) in enumerate(pairs):
        others = [i for i in range(len(pairs)) if i != query]
        chosen = random.permutation(others)[:examples]
        prompt = "".join(f"{pairs[i][0]}: {pairs[i][1]}\n" for i in chosen)
        found = scores(prompt + word + ":", [y for _, y in pairs]).argmax()
        right.append(found == query)
        shown.append(found in chosen)
    return np.mean(right), np.mean(shown)
#%% code {"compare": {"atol": 0.1}}
print("task      examples  right  repeats an answer of the prompt")
for task, pairs in tasks.items():
    for examples in (0, 1, 4, 8):
        right, shown = np.mean(
            [ask(pairs, examples, seed) for seed in (0, 1)], axis=0)
        print(f"{task:10s}{examples:8d}{right:7.2f}{shown:12.2f}")
#%% md
Without examples the model is right more often than by chance, and for the second task, which asks to repeat a word, in 0.67 of the cases: repeating is what it is good at. *With* examples it is hardly ever right. It takes one of the answers that it has just seen. The examples do not tell it what to do; they are text to be continued, and after `file:` or `cold` the nearest precedent is copied. More examples do not help.

So this is what our toy shows: a model trained on nothing but the next token takes up structure from its prompt, and we can say how, by copying with a lookup. It does not show that examples in a prompt can teach a task. {cite:t}`brown2020language` report that for models up to 175 billion parameters, and that the gap between no, one and a few examples often grows with the size. {cite:t}`olsson2022context` argue that induction heads are behind much of it; for large models that is a correlation. Between our four million parameters and theirs lies a factor of forty thousand, and nothing in this lab bridges it.

## Where this breaks

### A size that the fit has not seen

We leave out one size at a time, fit the other sixteen runs, and predict the four.

```{admonition} Predict
:class: predict
For which sizes will the prediction be worst: those in the middle, or those at the ends?
```
#%% code {"compare": {"atol": 0.6, "rtol": 0.1}}
print("left out     measured / predicted, by bytes of text      alpha  beta")
for size_ in sizes:
    keep = n != size_
    p = fit(n[keep], d[keep], bits[keep], starts)
    off = bits[~keep] / law(p, n[~keep], d[~keep]) - 1
    print(f"{size_:8,d}   ", *(f"{x:+9.1%}" for x in off),
          f"{p[2]:14.2f}{p[4]:6.2f}")
#%% md
PLACE-LEFT-OUT

### A schedule cut short

Could one train once, for long, and read off in the middle what a shorter run would have reached? It would save most of the work. But in the middle of a long schedule the learning rate is still high. All runs of a seed read the same batches in the same order, so we can compare the loss of training itself, over the same steps.

```{admonition} Predict
:class: predict
At step 488 the run of a million bytes is at its end, and the run of two million is half way. Both have read the same. Whose loss is lower?
```
#%% code
def reading(row, low, high):
    """Mean loss of training over the steps low to high, in bits."""
    return np.mean([loss_ for step, loss_ in row["curve"]
                    if low < step <= high]) / np.log(2)

print("parameters   bytes    ended  in the middle")
gaps = []
for size_ in sizes:
    long = stored.select(runs, parameters=size_, tokens=2_000_000)[0]
    width = long["curve"][0][0]
    for tokens_ in scaling.TOKENS[:-1]:
        row = stored.select(runs, parameters=size_, tokens=tokens_)[0]
        high = row["curve"][-1][0] // width * width
        pair = [reading(r, high - width, high) for r in (row, long)]
        gaps.append(pair[1] - pair[0])
        print(f"{size_:10,d}{tokens_:10,d}{pair[0]:8.2f}{pair[1]:10.2f}")
#%% md
PLACE-CUT

### What no fit knows
#%% code {"compare": {"rtol": 0.1}}
print(f"the formula for GPT-3: "
      f"{law(best, parameters, tokens):.2f} bits per byte")
own = len(scaling.docstring_bytes("train"))
print(f"our text has {own:,} bytes")
#%% md
PLACE-END
