#%% md
# Positions: what "any length" means

After this lab you can

- show that attention without positions does not know the order of its tokens, and where a causal mask gives some of it back;
- compute sinusoidal and rotary positions by hand, and prove that their dot products depend on distance alone;
- measure what a model does beyond the length of its training, for four schemes, and say why each fails;
- repair one of them completely, at a price, and state what is true of the sentence "a transformer handles sequences of any length".

You need {doc}`encoder_decoder` or chapter 4 for attention. The first half is arithmetic; the second trains twelve small models.
#%% code
from llmbook import environment
environment.start()
#%% code
import math

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.nn import functional as F

from llmbook import plots
from llmbook.attention import (
    LearnedPositions, RotaryPositions, causal_mask, sinusoidal_positions)
from llmbook.blocks import BlockConfig, Stack, Trace
from llmbook.models import GPT, GPTConfig, load_minilm
from llmbook.models.initialization import initialize_xavier
#%% md
## Without positions, order is lost

*Dog bites man* and *man bites dog* have the same words. We send both through a stack of two blocks without positions and look at the vector of *bites*.

```{admonition} Predict
:class: predict
Every token may look at every other. Will *bites* have the same vector in both sentences? And the vector of *dog*, which stands first in one and last in the other?
```
#%% code
torch.manual_seed(0)
dog, bites, man = torch.randn(3, 16)
one = torch.stack([dog, bites, man])[None]        # (B, T, D)
other = torch.stack([man, bites, dog])[None]
config = BlockConfig(d_model=16, num_heads=2, d_hidden=32)

stack = Stack(config, num_layers=2)
a, b = stack(one)[0], stack(other)[0]
print(f"bites: {(a[1] - b[1]).abs().max():.4f}")
print(f"dog:   {(a[0] - b[2]).abs().max():.4f}")
#%% md
Both are the same, up to rounding. If the tokens are permuted, the outputs are permuted with them and nothing else happens: such a stack reads a bag of words.

A decoder has a causal mask: each token sees itself and those before it. Its last token sees all.

```{admonition} Predict
:class: predict
With a causal mask and no positions, take *dog bites man* and *bites dog man*: the last token is the same, and the two before it change places. Does the vector of *man* change with one block? With two?
```
#%% code
swapped = torch.stack([bites, dog, man])[None]
for layers in (1, 2):
    torch.manual_seed(0)
    stack = Stack(config, num_layers=layers)
    a, b = (stack(x, mask=causal_mask(3))[0, -1] for x in (one, swapped))
    print(f"{layers} block(s): man differs by {(a - b).abs().max():.4f}")
#%% md
One block: no difference. Two blocks: some, because in the second block *dog* is no longer the word alone; it has or has not seen *bites*. The mask lets some order in through the back door, and language models without any positions do learn from it {cite:p}`haviv2022transformer`. How much it is worth we shall measure.

## Sines and cosines

The paper adds to each token a vector that depends on its position $t$ only {cite:p}`vaswani2017attention`: pairs of a sine and a cosine, each pair slower than the one before, {eq}`eq-sinusoid`. For width 4 there are two pairs, with angles $t$ and $t / 100$.
#%% code
by_hand = torch.tensor([[math.sin(t), math.cos(t),
                         math.sin(t / 100), math.cos(t / 100)]
                        for t in range(4)])
assert torch.allclose(by_hand, sinusoidal_positions(4, 4))
print(by_hand.numpy().round(2))
#%% md
The first pair turns quickly, once round in $2\pi$ positions, like the hand of seconds on a clock; the second takes a hundred times as long. All hands together tell the time.

```{admonition} Predict
:class: predict
Take the dot product of the vectors of two positions $s$ and $t$. On paper: $\sin s \sin t + \cos s \cos t = {?}$ So what does the dot product depend on? And how long is each vector?
```
#%% code
p = sinusoidal_positions(600, 64)                 # (T, D)
products = p @ p.T
for s, t in ((3, 10), (203, 210), (503, 510)):
    print(f"positions {s:3d} and {t:3d}: {products[s, t]:.2f}")
print(f"lengths from {p.norm(dim=1).min():.2f} "
      f"to {p.norm(dim=1).max():.2f}")
#%% md
The distance, and nothing else: $\mathbf{p}_s^\top \mathbf{p}_t = \sum_i \cos((s - t)\,\omega_i)$. There is more. To go from any position to the one three later, each hand is turned by a fixed angle. That is one matrix for all positions, which a projection of queries or keys can learn. It was the paper's reason to hope that attention by relative position is easily learned.
#%% code
omega = 10_000 ** (-torch.arange(0, 64, 2) / 64)
turn = torch.zeros(64, 64)
for i, w in enumerate(omega):
    c, s = math.cos(3 * w), math.sin(3 * w)
    turn[2 * i:2 * i + 2, 2 * i:2 * i + 2] = torch.tensor([[c, s], [-s, c]])
assert torch.allclose(p[:-3] @ turn.T, p[3:], atol=1e-4)
print("one matrix moves every position by three")
#%% md
A trap for builders: each vector has length $\sqrt{D/2}$, here more than five. Token vectors that begin with GPT-2's standard deviation of 0.02 have a length of about 0.16, and drown. So the paper multiplies them by $\sqrt D$.

## Learned positions

The simplest scheme: a table, one trained vector for each position. BERT and GPT-2 have one {cite:p}`devlin2019bert,radford2019language`. MiniLM, which lies on your disk, has 512 rows, learned from text. Did it learn that near positions are alike, which the sines have built in?
#%% code
table = load_minilm().embeddings.position.weight.detach()   # (512, D)
unit = table / table.norm(dim=1, keepdim=True)
cosines = unit @ unit.T
distances = range(0, 60)
learned = [cosines.diagonal(d)[1:400].mean() for d in distances]
sines = [products[0, d] / products[0, 0] for d in distances]
#%% code {"mystnb": {"figure": {"caption": "Left: sinusoidal positions; a row is a position, a column an entry of its vector, sine and cosine by turns. Right: cosine between two positions by their distance, for the sines and for the trained table of MiniLM (mean over positions).", "name": "fig-position-vectors"}, "image": {"alt": "Left: image of 60 positions by 64 entries; the first columns change sign every few rows, the last ones hardly change. Right: two falling curves over distances 0 to 60. Both start at one and fall, the learned one steeply at first and then slowly, the sines in waves."}}}
figure, (left, right) = plt.subplots(1, 2, figsize=(6.8, 3))
image = left.imshow(p[:60], aspect="auto", cmap="RdBu", vmin=-1, vmax=1)
left.grid(visible=False)
left.set(xlabel="entry", ylabel="position")
figure.colorbar(image, ax=left)
right.plot(distances, sines, label="sines")
right.plot(distances, learned, "--", label="MiniLM, learned")
right.set(xlabel="distance (tokens)", ylabel="cosine", ylim=(-0.1, 1.05))
right.legend()
plt.show()
#%% md
It did ({numref}`fig-position-vectors`): without being told, the table gives near positions similar vectors. But a table ends.
#%% code
rows = LearnedPositions(context_length=512, d_model=16)
try:
    rows(torch.tensor([511, 512]))
except ValueError as error:
    print("ValueError:", error)
#%% md
This is the first answer to "any length": with learned positions, no.

## Rotary positions

{cite:t}`su2024roformer` add nothing to the tokens. They **turn** queries and keys: each pair of columns is rotated by an angle that grows with the position, {eq}`eq-rotary`. If both are turned, their dot product sees the difference of the angles only.

```{admonition} Predict
:class: predict
Take width 2, so that there is one pair and its angle is $t$ itself, in radians. The query is $(1, 0)$ at position 5, the key is $(1, 0)$ at position 3. What is their dot product after turning? And at positions 105 and 103?
```
#%% code
rotary = RotaryPositions(head_width=2)
vector = torch.tensor([[1.0, 0.0]])
for q_at, k_at in ((5, 3), (105, 103), (5, 5)):
    q = rotary(vector, torch.tensor([q_at]))
    k = rotary(vector, torch.tensor([k_at]))
    print(f"{q_at:3d} and {k_at:3d}: q {q[0].numpy().round(2)}, "
          f"k {k[0].numpy().round(2)}, score {(q @ k.T).item():.2f}")
print(f"cos 2 = {math.cos(2):.2f}")
#%% md
The vectors differ, the scores do not. For more columns it is the same, pair by pair. One detail has cost many people a day: which columns form a pair? The paper takes neighbours, 0 with 1. Llama in Transformers takes halves, 0 with $K/2$, and so do we. Both are right, and weights trained with one are wrong in the other. The reference:
#%% code
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import (
    LlamaRotaryEmbedding, apply_rotary_pos_emb)

torch.manual_seed(0)
q, k = torch.randn(2, 1, 4, 10, 16)               # (B, H, T, K) each
llama = LlamaRotaryEmbedding(LlamaConfig(
    hidden_size=64, num_attention_heads=4))
cos, sin = llama(q, torch.arange(10)[None])
theirs = apply_rotary_pos_emb(q, k, cos, sin)
ours = RotaryPositions(16)
assert torch.allclose(ours(q), theirs[0], atol=1e-5)
assert torch.allclose(ours(k), theirs[1], atol=1e-5)
print("ours = Llama's in Transformers")
#%% md
## Longer than in training: a rule about neighbours

Now the question of this lab. We need a task whose rule does **not** depend on length, so that a model that has understood it works at any length. The simplest: *say the token that stood three places before*. A row of random letters goes in, and at each place the model must name the letter three back. Chance is one in sixteen.

The model has one block. It is trained on rows of 32, and tested on rows of 512.
#%% code
def new_model(positions, seed):
    torch.manual_seed(seed)
    model = GPT(GPTConfig.gpt2(
        vocab_size=16, context_length=512, d_model=64, num_heads=4,
        num_layers=1, positions=positions, dropout=0.0,
        tie_embeddings=False))
    initialize_xavier(model)
    model.embeddings.scale = 64**0.5     # or the sines drown the letters
    return model
#%% code
def train(positions, seed, steps=600, length=32):
    model = new_model(positions, seed)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.0)
    random = torch.Generator().manual_seed(seed)
    for step in range(steps):
        rate = 0.003 * min((step + 1) / 50, 1 - step / steps)
        optimizer.param_groups[0]["lr"] = rate
        ids = torch.randint(16, (32, length), generator=random)
        logits = model(ids)[:, 3:]                # (B, T - 3, V)
        loss = F.cross_entropy(logits.flatten(0, 1), ids[:, :-3].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()

schemes, seeds = ("none", "learned", "sinusoidal", "rotary"), (0, 1, 2)
models = {(scheme, seed): train(scheme, seed)
          for scheme in schemes for seed in seeds}
#%% md
To judge them we call the parts of the model ourselves, so that we can change the mask later.
#%% code
@torch.no_grad()
def logits_of(model, ids, window=512, trace=None):
    """As model(ids), but each token sees only the last `window`."""
    mask = causal_mask(ids.shape[1]).triu(1 - window)   # (T, T)
    where = torch.arange(ids.shape[1])
    x = model.embeddings(ids, where)
    x = model.stack(x, mask=mask, positions=where, trace=trace)
    return model.output(x)

ids = torch.randint(16, (64, 512), generator=torch.Generator().manual_seed(9))
with torch.no_grad():
    assert torch.allclose(logits_of(models["rotary", 0], ids[:4]),
                          models["rotary", 0](ids[:4]), atol=1e-4)

def accuracy(model, window=512):
    """Share that is right at each place from 3 on, (T - 3,)."""
    right = logits_of(model, ids, window)[:, 3:].argmax(-1) == ids[:, :-3]
    return right.float().mean(0).numpy()
#%% md
```{admonition} Predict
:class: predict
All rows of training had 32 tokens. Sketch a curve of accuracy against place, from 1 to 512, for each scheme. Which ones work within 32? For which does something happen exactly at 32? Does any of them work at 500?
```
#%% code
curves = {key: accuracy(model) for key, model in models.items()}
bands = {"3 to 31": (3, 32), "32 to 63": (32, 64), "64 to 127": (64, 128),
         "128 to 511": (128, 512)}

def table_of(curves):
    print(f"{'place':11s}", *(f"{name:>12s}" for name in bands))
    for scheme in schemes:
        cells = []
        for low, high in bands.values():
            three = [curves[scheme, s][low - 3:high - 3].mean()
                     for s in seeds]
            cells.append(f"{min(three):.2f} - {max(three):.2f}")
        print(f"{scheme:11s}", *(f"{cell:>12s}" for cell in cells))
#%% code {"compare": {"atol": 0.25}}
table_of(curves)
#%% code {"mystnb": {"figure": {"caption": "Naming the token three places back, by place in the row; mean over three seeds, the band from the lowest to the highest. Trained on rows of 32 (dashed line). Curves are averaged over eight neighbouring places; the dotted line is chance.", "name": "fig-length-echo"}, "image": {"alt": "Line chart with a logarithmic axis of places from 4 to 512. Learned positions are at one up to place 32 and fall straight down to chance. The sines fall just behind 32 and scatter between chance and one half. Rotary stays at one until beyond 40 and then declines slowly, to one half near 130 and to chance near 300. Without positions the curve is low everywhere."}}}
def smooth(curve):
    return np.convolve(curve, np.ones(8) / 8, mode="valid")

figure, axes = plt.subplots(figsize=(6.8, 3.4))
for scheme, style in zip(schemes, (":", "-", "--", "-.")):
    three = np.stack([smooth(curves[scheme, s]) for s in seeds])
    place = 6.5 + np.arange(three.shape[1])
    line, = axes.plot(place, three.mean(0), style, label=scheme)
    axes.fill_between(place, three.min(0), three.max(0), alpha=0.2,
                      color=line.get_color(), linewidth=0)
axes.axvline(32, color="#333333", linestyle="--", linewidth=0.8)
axes.axhline(1 / 16, color="#333333", linestyle=":", linewidth=0.8)
axes.set(xscale="log", xlabel="place in the row (tokens)",
         ylabel="accuracy", ylim=(0, 1.05))
axes.set_xticks([8, 16, 32, 64, 128, 256, 512],
                [8, 16, 32, 64, 128, 256, 512])
axes.legend()
plt.show()
#%% md
Four schemes, four ways to fail ({numref}`fig-length-echo`).

- **None**: a causal mask alone does not tell one block which token is three back. It does a little better than chance, by guessing a frequent letter of the row.
- **Learned**: perfect up to the last trained place, chance from the next one on. Rows 32 to 511 of the table hold the random numbers of the start.
- **Sinusoidal**: perfect, then a fall, and a ragged rest. The matrix that moves every position by three *exists*; we wrote it down above. Training did not find it, because inside 32 places other solutions are just as good. The paper hoped that sines "may allow the model to extrapolate" (section 3.5); here they do not.
- **Rotary**: no cliff, but not any length either. It fades, and is at chance long before 512.

The last one is the most instructive, because rotary scores depend on distance alone, and the distance three was seen at every place. Why does it fade? We look at where its attention goes.

```{admonition} Predict
:class: predict
For a token at place 31, 127 and 511: how much attention goes to the right token (summed over the four heads), how much to other tokens at distances up to 31, and how much to tokens farther away than any in training?
```
#%% code
def where_it_looks(model, place):
    trace = Trace()
    logits_of(model, ids[:16, :place + 1], trace=trace)
    row = trace.attention[0][:, :, -1].mean((0, 1))    # (S,)
    far = row[:max(0, place - 31)].sum()
    return row[place - 3], 1 - row[place - 3] - far, far

looks = {place: np.mean([where_it_looks(models["rotary", s], place)
                         for s in seeds], axis=0)
         for place in (31, 127, 511)}
#%% code {"compare": {"atol": 0.1}}
print("place   right   near    far")
for place, shares in looks.items():
    print(f"{place:5d}", *(f"{share:7.2f}" for share in shares))
#%% md
Nobody told the heads what to do with distances of more than 31: there were none. What they do by accident is to look there, a little at each of many tokens, and with hundreds of them the little adds up. If that is the reason, the repair is clear: do not let them.

```{admonition} Predict
:class: predict
At test time only, we change the mask: each token sees the last 32 tokens, itself included, and nothing else. No weight changes. What happens to rotary at place 500? And to the other three schemes?
```
#%% code
windowed = {key: accuracy(model, window=32)
            for key, model in models.items()}
#%% code {"compare": {"atol": 0.25}}
table_of(windowed)
#%% code
worst = min(windowed["rotary", s].min() for s in seeds)
print(f"rotary with a window, worst place of all: {worst:.2f}")
#%% md
Rotary is repaired completely, at every place, for all seeds. This is not luck. With the window, what a token computes depends on the 32 tokens before it and on their distances, and not on where it stands; so each place of a long row is a place that training has seen. We can state it as an equality:
#%% code
row = ids[:1]
inside = logits_of(models["rotary", 0], row, window=32)[:, 500]
alone = logits_of(models["rotary", 0], row[:, 469:501])[:, -1]
assert torch.allclose(inside, alone, atol=1e-4)
print("token 500 of a long row = the last token of a row of 32")
#%% md
The others are not repaired, since *their* trouble is the number of the place itself, and a window does not change it. And the price? A model with this window never sees a token more than 31 places back. In a stack of $L$ such blocks, information can travel $31 L$ places, and no farther.

## Longer than in training: a rule about the whole

Three back is a rule about neighbours. Many rules are about the whole: to **reverse** a string, its first output is its last letter, and the last output is found at the other end. A window cannot help.

A GPT of two blocks was trained to read up to ten letters and a separator and to write them backwards, three seeds for each scheme. For every scheme but *none* we trained it a second time with **randomized positions** {cite:p}`ruoss2023randomized`: in training, the positions are not 0, 1, 2, … but as many numbers drawn from 0 to 63, in order. So large numbers are no surprise later. That takes half an hour, so the results are stored (`python -m llmbook.studies.lengths`).

```{admonition} Predict
:class: predict
Strings of ten letters were in training, strings of eleven were not. What share of strings of eleven comes out right, with rotary positions, say?
```
#%% code
from llmbook.studies import lengths, stored

results = stored.load("lengths")

def three(positions, randomized, length, key="strings"):
    place = lengths.LENGTHS.index(length)
    return [row[key][place] for row in stored.select(
        results, positions=positions, randomized=randomized)]

print("whole strings right, lowest and highest of three seeds")
print(f"{'letters':21s}", *(f"{n:>12d}" for n in (8, 10, 11, 12, 16)))
for positions, randomized in lengths.SCHEMES:
    cells = [three(positions, randomized, n) for n in (8, 10, 11, 12, 16)]
    name = positions + (", randomized" if randomized else "")
    print(f"{name:23s}", *(f"{min(c):5.2f} - {max(c):4.2f}" for c in cells))
#%% code {"mystnb": {"figure": {"caption": "Reversing a string: share of its letters that are right, by its length; mean of three seeds, the band from the lowest to the highest. Trained on up to ten letters (dashed line), with ordinary positions (left) and with randomized ones (right). The dotted line is chance.", "name": "fig-length-reverse"}, "image": {"alt": "Two line charts over string lengths from 2 to 30. Left: learned, sinusoidal and rotary are at one up to ten letters and fall steeply behind it, learned at once to one third, rotary more slowly. Right, with randomized positions: all three begin a little below one and decline slowly, without a cliff; at twenty letters they still have most letters right."}}}
figure, sides = plt.subplots(1, 2, figsize=(6.8, 3.2), sharey=True)
for side, randomized in zip(sides, (False, True)):
    for scheme, style in zip(schemes, (":", "-", "--", "-.")):
        if randomized and scheme == "none":
            side.plot([], [])
            continue
        rows = np.array([three(scheme, randomized, n, "letters")
                         for n in lengths.LENGTHS])
        line, = side.plot(lengths.LENGTHS, rows.mean(1), style,
                          label=scheme)
        side.fill_between(lengths.LENGTHS, rows.min(1), rows.max(1),
                          alpha=0.2, color=line.get_color(), linewidth=0)
    side.axvline(10, color="#333333", linestyle="--", linewidth=0.8)
    side.axhline(1 / 16, color="#333333", linestyle=":", linewidth=0.8)
    side.set(xlabel="letters", title="randomized" if randomized
             else "ordinary")
sides[0].set(ylabel="letters right", ylim=(0, 1.05))
sides[0].legend()
plt.show()
#%% md
With ordinary positions each of the three schemes solves ten letters, and next to none of the strings of eleven: **one letter more** ({numref}`fig-length-reverse`). Rotary positions, which faded gently before, now fall too. Randomized positions take the cliff away and cost something: at ten letters, where the others are perfect, about half of the strings have a mistake, and longer strings still fail as wholes, since one wrong letter spoils them.

None of this is a proof that a scheme cannot generalize; other tasks, sizes and amounts of training give other curves. {cite:t}`kazemnejad2023impact` compared five schemes on a battery of reasoning tasks and found that the usual ones, rotary among them, are not well suited to longer inputs, and that none at all did best. On our two tasks *none* did worst within the training length. So no order of schemes holds everywhere. What does hold is the need to test.

## Where this breaks

"A transformer can process sequences of any length." After this lab the sentence can be taken apart.

- **The formula** accepts any length, if positions are computed (sines, rotary, none). With a table it does not: it raises an error, or it should.
- **What was learned** holds for the lengths of training. Just behind them it may fail at once, fail slowly, or hold, and which of the three depends on scheme, task and seed. The models give no sign of it: their answers look as sure as before.
- **The cost** grows with the square of the length, as chapter 4 measures.
- **A window** makes the cost and the behaviour independent of the length, and the view short.
#%% code {"compare": {"atol": 0.08}}
for low, high in ((3, 32), (384, 512)):
    sure = [logits_of(models["learned", s], ids)[:, low:high]
            .softmax(-1).amax(-1).mean().item() for s in seeds]
    print(f"learned, places {low} to {high - 1}: "
          f"mean probability of its answer {np.mean(sure):.2f}, right "
          f"{np.mean([curves['learned', s][low - 3:high - 3].mean() for s in seeds]):.2f}")
#%% md
The last lines show the worst of it. At places that it has never seen, the model is as wrong as a guess and by no means as unsure as one. A score on short inputs does not carry over to long ones, and neither does confidence.

Next: {doc}`the_modern_block`.
