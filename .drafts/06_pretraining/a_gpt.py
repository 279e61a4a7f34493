#%% md
# A GPT, and what it must beat

After this lab you can

- compute the loss of a language model by hand, with the shift, and turn nats into perplexity and bits per byte;
- say what counting alone can do, and place any language model beside it;
- train a GPT for two minutes, and say what its text looks like at each loss;
- choose how to draw the next token, and measure what the choice does;
- say what an hour of training buys, and what it does not.

You need the block of {doc}`chapter 5 </chapters/05_transformer/index>` and the tokens of {doc}`chapter 2 </chapters/02_tokens/index>`.
#%% code
from llmbook import environment
environment.start()
#%% code
import math


import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.nn import functional as F

from llmbook import corpora, plots
from llmbook.decoding import Sampling, generate
from llmbook.models import GPT, GPTConfig
from llmbook.ngrams import AddOne, KneserNey
from llmbook.studies import settings, stored
from llmbook.training import (
    HeldOut, NextToken, TokenWindows, Trainer, TrainingConfig, evaluate,
    load, load_facts)
#%% md
## The loss, by hand

A {term}`language model` gives each possible next token a probability. Suppose a model with a vocabulary of four has read *the river*, and says after *the*: *the* 0, *river* ½, *bank* ¼, *floods* ¼; and after *the river*: 0, 0, ¼, ¾. The text goes on: *the river floods*.

```{admonition} Predict
:class: predict
The loss is the mean of $-\log p$ of the tokens that really came. What is it, in bits and in nats ($\ln 2 = 0.69$, $\log_2 \tfrac{4}{3} = 0.42$)? And what is the perplexity?
```
#%% code
probabilities = torch.tensor([[0, 1/2, 1/4, 1/4], [0, 0, 1/4, 3/4]])
text = torch.tensor([0, 1, 3])                  # the river floods
came = probabilities[[0, 1], text[1:]]          # of the token that came
bits = -came.log2().mean()
print(f"{bits:.2f} bits a token, {bits * math.log(2):.2f} nats, "
      f"perplexity {2**bits:.2f}")
nats = F.cross_entropy(probabilities.log(), text[1:])
assert torch.isclose(nats, bits * math.log(2))
#%% md
{term}`Perplexity` is $e$ to the loss in nats: this model is as unsure as one that has to guess among 1.63 equally likely tokens. {term}`Bits per byte`, which {doc}`chapter 2 </chapters/02_tokens/what_a_tokenizer_costs>` explains, does not depend on how a text is cut into tokens, so all of this chapter counts in it.

Look at the indices: row 0 was asked about token **1**. The prediction at place $t$ is compared with the token at $t + 1$, {eq}`eq-next-token`. It is one line of code, and the most famous line to get wrong.

```{admonition} Predict
:class: predict
A GPT is trained with the shift forgotten: its target at each place is the token at that very place, which it has just read. The text is random numbers, which nobody can predict. Where does its loss go?
```
#%% code
def loss_after(shift, steps=150):
    torch.manual_seed(0)
    model = GPT(GPTConfig.modern(vocab_size=16, context_length=32,
                                 d_model=32, num_heads=4, num_layers=1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    random = torch.Generator().manual_seed(0)
    for _ in range(steps):
        ids = torch.randint(16, (16, 33), generator=random)
        logits = model(ids[:, :-1])
        targets = ids[:, 1:] if shift else ids[:, :-1]
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()

for shift in (True, False):
    print("with the shift" if shift else "without it   ",
          f"{loss_after(shift):.2f}")
print(f"ln 16 =        {math.log(16):.2f}")
#%% md
With the shift the loss stays at $\ln 16$, as it must: nobody can guess random numbers. Without it the loss falls to zero, and the model has learned to repeat what it just read. **A loss that is too good is a fault**, until it is explained. The library shifts in one place, inside `NextToken`, and a test plants the fault.

## What counting can do

The text: documentation strings of the Python packages on your disk. They fall into training and held-out parts by *module*, so that near copies stay on one side. The tokenizer is the one that ships with this chapter's models, 4096 tokens, trained on the training parts only.
#%% code
shipped, tokenizer = load("gpt")
end = tokenizer.special_tokens["<|endoftext|>"]
parts = {}
for split in ("train", "validation"):
    parts[split] = [r.text for r in corpora.docstrings().split(split)]
    size = sum(len(text.encode()) for text in parts[split])
    print(f"{split:10s} {len(parts[split]):6,d} texts, {size:10,d} bytes")
train_ids = [tokenizer.encode(text) for text in parts["train"]]
held_ids = [tokenizer.encode(text) for text in parts["validation"]]
#%% md
The simplest model counts tokens. A bigram model counts which token follows which; a trigram model looks two back. The longer the context, the better the guess, and the rarer the context: most of the triples that will ever occur have not occurred yet. **{term}`Kneser-Ney smoothing`** {cite:p}`kneser1995improved,chen1999empirical` is the classic answer. It takes a discount from each count and gives what it took to the next shorter context. Its second idea is the clever one: for the shorter contexts it does not ask how *often* a token occurs but after how many *different* tokens.

```{admonition} Predict
:class: predict
Order 1 needs some number of bits per byte. How much do you expect from orders 2, 3 and 4 with Kneser-Ney? And from order 3 with "add one to each count"?
```
#%% code
held_bytes = sum(len(text.encode()) for text in parts["validation"])
common = dict(vocab_size=len(tokenizer), end_id=end)
counted = {}
for order in (1, 2, 3, 4):
    model = KneserNey(train_ids, order=order, **common)
    counted[order] = model.bits_per_byte(held_ids, held_bytes)
add_one = AddOne(train_ids, order=3, **common)
#%% code
for order, bits in counted.items():
    print(f"Kneser-Ney, order {order}: {bits:.3f} bits per byte")
print(f"add one, order 3:    "
      f"{add_one.bits_per_byte(held_ids, held_bytes):.3f}")
#%% md
Counting to four is hard to beat, and takes seconds. Remember the last two numbers.

## Two minutes of training

A small GPT of the modern kind: width 128, four blocks, a context of 128 tokens. AdamW for vectors, Muon for matrices (the reading says what Muon is). We stop on the way, to look at its text.
#%% code
ids = torch.tensor([i for text in train_ids for i in (end, *text)])
token_bytes = torch.tensor(
    [len(token) for token in tokenizer.tokens(range(len(tokenizer)))])
token_bytes[end] = 0
held = torch.tensor([i for text in held_ids for i in (end, *text)])

torch.manual_seed(0)
model = GPT(GPTConfig.modern(
    vocab_size=len(tokenizer), context_length=128, d_model=128,
    num_heads=4, num_layers=4, dropout=0.0))
config = TrainingConfig(
    steps=480, batch_size=16, learning_rate=0.005, warm_up=48,
    final_rate=0.05, optimizer="muon")
trainer = Trainer(model, NextToken(), TokenWindows(ids, 129), config)
#%% code
stops, texts = (0, 25, 100, 480), {}
for stop in stops:
    if stop:
        trainer.fit(until=stop)
    found = generate(model, [[end]], max_new_tokens=25, end_id=end,
                     sampling=Sampling(temperature=0.8),
                     generator=torch.Generator().manual_seed(1))
    texts[stop] = found[0].text(tokenizer)
history = trainer.history
#%% md
```{admonition} Predict
:class: predict
Four texts will follow, from the model before training, and after 25, 100 and 480 steps. At which of them do you expect letters that are no word, words without grammar, grammar without meaning?
```
#%% code {"tags": ["nbval-ignore-output"]}
# not compared: which token is drawn depends on the last bits of a sum
for stop in stops:
    loss = history.losses[max(0, stop - 1)]
    print(f"after {stop} steps, loss {loss:.2f}:")
    print("   ", " ".join(texts[stop].split())[:70])
#%% code
part = HeldOut.windows(held, 129, token_bytes=token_bytes, every=12)
after = evaluate(model, NextToken(), part).bits_per_byte
#%% code {"compare": {"atol": 0.03}}
print(f"held-out loss after {trainer.step} steps: {after:.2f} bits per byte")
#%% md
Two minutes of training, 480 steps and close to a million tokens, and the network stands about where *pairs of counts* stand. Triples, counted in a second, are far ahead of it, and order 4 farther still. Keep this in mind whenever a small neural model is shown without a baseline. What the network has, and counts have not, is room to go on: more training, more width, a longer context. A count model of order 8 would need a text that nobody has.

Look at the texts, too. A falling loss is hard to picture; this is what it means. Near 8 any token is as good as any other. Near 6 frequent tokens come up, in no order. Between 5 and 6 there are words, and beginnings of phrases. Below 5 most of it looks like a documentation string, until one asks what it says.

## What the settings do

The same small model was trained thirty times on a million bytes, by batch, learning rate and {term}`warm-up`. A batch four times as large makes a quarter of the steps, so all runs read the same amount. That takes a quarter of an hour, so the results are stored (`python -m llmbook.studies.settings`).

```{admonition} Predict
:class: predict
With the text fixed, is a batch of 4, 16 or 64 best? And does the best learning rate grow or shrink with the batch?
```
#%% code
results = stored.load("settings")
print("bits per byte   ", *(f"{rate:>8}" for rate in settings.RATES))
for batch in settings.BATCHES:
    line = [stored.select(results, batch_size=batch, learning_rate=rate,
                          warm_up_share=0.1, seed=1)[0]["bits_per_byte"]
            for rate in settings.RATES]
    print(f"batch of {batch:2d}     ", *(f"{bits:8.3f}" for bits in line))
#%% code
print("batch of 16: mean of three seeds, lowest and highest")
print("steps:", *(row["steps"] for row in stored.select(
    results, learning_rate=0.001, warm_up_share=0.1)))
for rate in (0.003, 0.01, 0.03):
    for share in settings.SHARES:
        found = np.array([row["bits_per_byte"] for row in stored.select(
            results, batch_size=16, learning_rate=rate, warm_up_share=share)])
        print(f"rate {rate:5}, warm-up {'10 %' if share else 'none'}: "
              f"{found.mean():.3f} ({found.min():.3f} to {found.max():.3f})")
#%% md
The smallest batch wins clearly: with the text fixed, sixteen times as many steps are worth more than better directions. (On one processor; machines that compute many rows at once use large batches, because for them a large batch costs little more *time*.) The best rate is 0.003 for batches of 4 and 16; with 64, whose 122 steps are over before much is learned, 0.001 and 0.003 are alike.

Warm-up helps at 0.003 and at 0.01, where all runs with it are better than all without, and it makes the seeds agree: at 0.003, one run without it came out nearly as well, and two did not. A single run would have shown either.

## What an hour buys

The model that ships with this chapter has 3.9 million parameters, width 256, and was trained by `python -m llmbook.training gpt`; its recipe, its curve and its cost lie beside its weights.
#%% code
facts = load_facts("gpt")
curve = np.array(facts["curve"])
print(f"{sum(p.numel() for p in shipped.parameters()):,} parameters, "
      f"{facts['targets']:,} tokens read, "
      f"{facts['cpu_seconds'] / 60:.0f} minutes of one processor")
for name, row in facts["validation"].items():
    if "float16" in name:
        print(f"{name.split(',')[0]:14s} {row['bits_per_byte']:.3f}")
#%% md
The number in the table comes from the run. We measure it ourselves, on a sample of held-out texts, beside Kneser-Ney of order 4 on the same texts: bits for each text, so that we have an interval for the difference.
#%% code
chosen = np.random.default_rng(0).choice(len(held_ids), 400, replace=False)

@torch.no_grad()
def bits_of(model, text):
    """Bits of a text and its end, at most 256 tokens at a time."""
    row = torch.tensor([[end, *text, end]])[:, :257]
    logits = model(row[:, :-1])[0]
    return F.cross_entropy(logits, row[0, 1:], reduction="sum").item() / math.log(2)

short = [i for i in chosen if len(held_ids[i]) < 256]
four = KneserNey(train_ids, order=4, **common)
gpt = np.array([bits_of(shipped, held_ids[i]) for i in short])
kn = np.array([four.bits(held_ids[i]) for i in short])
size = np.array([len(parts["validation"][i].encode()) for i in short])
#%% code {"compare": {"atol": 0.01}}
random = np.random.default_rng(1)
draws = random.integers(len(short), size=(2000, len(short)))
ratio = (gpt[draws].sum(1) / kn[draws].sum(1))
low, high = np.quantile(ratio, (0.025, 0.975))
print(f"{len(short)} texts: GPT {gpt.sum() / size.sum():.3f}, "
      f"Kneser-Ney {kn.sum() / size.sum():.3f} bits per byte")
print(f"GPT needs {gpt.sum() / kn.sum():.3f} [{low:.3f}, {high:.3f}] "
      "of the bits")
#%% md
An hour of one processor passes four orders of counting: about a tenth fewer bits on the same texts, and the interval is far from 1. Note that the recipe's own number is lower than ours, 1.365. It was measured on the texts in the order of their files, with the end of the text before still in the context, and neighbours share a module and its words. **A number of bits belongs to a text and to what stood before it**; two models may only be compared if both are given the same.

## Drawing the next token

The model gives probabilities; to write, one has to draw. **Greedy** always takes the most probable token. **{term}`Temperature`** $\tau$ divides the logits: below 1 the probable becomes more probable. **{term}`Top-p sampling`** {cite:p}`holtzman2020curious` draws only among the most probable tokens that together reach probability $p$.

```{admonition} Predict
:class: predict
Logits $(2, 1, 0)$, so the probabilities are 0.67, 0.24, 0.09. What are they at temperature ½, that is, for logits $(4, 2, 0)$? Which tokens does top-p keep at $p = 0.8$?
```
#%% code
logits = torch.tensor([2.0, 1.0, 0.0])
print("as they are   ", logits.softmax(0).numpy().round(2))
print("temperature ½ ", (logits / 0.5).softmax(0).numpy().round(2))
kept = Sampling(top_p=0.8).filter(logits)
print("top-p 0.8     ", kept.softmax(0).numpy().round(2))
#%% code
def ten_lines(model, prompt, number, temperature, generator):
    ids = torch.tensor([prompt])
    with torch.no_grad():
        for _ in range(number):
            logits = model(ids)[:, -1] / temperature
            new = torch.multinomial(logits.softmax(-1), 1,
                                    generator=generator)
            ids = torch.cat((ids, new), dim=1)
    return ids[0, len(prompt):].tolist()

seeds = [torch.Generator().manual_seed(3) for _ in range(2)]
by_hand = ten_lines(shipped, [end], 20, 0.7, seeds[0])
library = generate(shipped, [[end]], max_new_tokens=20,
                   sampling=Sampling(temperature=0.7), generator=seeds[1])
assert by_hand == library[0].ids
print("ten lines = library")
#%% md
```{admonition} Predict
:class: predict
We write 40 texts in each of four ways and measure two things: how much of a text repeats itself (share of its 4-grams of tokens that occurred in it before), and how surprising a 4-gram count model finds it (bits per byte; held-out human text has the value above). What will greedy do? And temperature 1?
```
#%% code
ways = {"greedy": None, "temperature 0.7": Sampling(temperature=0.7),
        "top-p 0.9": Sampling(top_p=0.9),
        "temperature 1": Sampling(temperature=1.0)}
starts = [held_ids[i][:6] for i in short if len(held_ids[i]) > 60][:40]
written = {}
for name, sampling in ways.items():
    found = generate(shipped, [[end, *s] for s in starts],
                     max_new_tokens=80, end_id=end, sampling=sampling,
                     generator=torch.Generator().manual_seed(0))
    written[name] = [row.answer for row in found]
written["human"] = [t[6:86] for t in (
    held_ids[i] for i in short) if len(t) > 60][:40]
#%% code
def repeats(rows):
    grams = [list(zip(*(row[i:] for i in range(4)))) for row in rows]
    return 1 - sum(len(set(g)) for g in grams) / sum(map(len, grams))

def surprise(rows):
    bits = sum(-four.log2_probs([*start, *row])[6:6 + len(row)].sum()
               for start, row in zip(starts, rows))
    return bits / sum(token_bytes[row].sum().item() for row in rows)
#%% code {"compare": {"atol": 0.06}}
for name, rows in written.items():
    print(f"{name:16s} repeats {repeats(rows):.2f}, "
          f"{surprise(rows):.2f} bits a byte")
#%% md
Greedy text runs in circles: two thirds of its four-token sequences have occurred in it before, and a count model finds it much more predictable than anything people write. {cite:t}`holtzman2020curious` saw the same in a model a hundred times larger. At temperature 1 the text is *less* predictable than human text: a small model gives too much probability to nonsense, and one draw of nonsense leads on to more. Between the two lie temperature 0.7 and top-p 0.9, which comes nearest to the human row in both columns. Neither is a property of the model; both hide what it does not know.
#%% code {"tags": ["nbval-ignore-output"]}
# not compared: which token is drawn depends on the last bits of a sum
for name in ("greedy", "temperature 0.7", "temperature 1"):
    print(name)
    for start, row in list(zip(starts, written[name]))[:3]:
        text = tokenizer.decode(start) + "|" + tokenizer.decode(row)
        print("   ", " ".join(text.split())[:150])
#%% md
## Where this breaks

### It knows its training text

```{admonition} Predict
:class: predict
We give the model the first 24 tokens of a text and let it go on greedily for 24 more. How often are these 24 exactly those of the original, for texts that it was trained on, and for held-out ones?
```
#%% code
def recited(texts, number=200):
    random = np.random.default_rng(0)
    long = [t for t in texts if len(t) >= 48]
    some = [long[i] for i in random.choice(len(long), number, False)]
    found = generate(shipped, [[end, *t[:24]] for t in some],
                     max_new_tokens=24, end_id=end)
    return np.array([row.ids == t[24:48] for row, t in zip(found, some)])

known, new = recited(train_ids), recited(held_ids)
#%% code {"compare": {"atol": 0.05}}
print(f"trained on: {known.mean():.2f} recited, held out: {new.mean():.2f}")
#%% md
PLACE-RECITE

### It is fluent about nothing

#%% code {"tags": ["nbval-ignore-output"]}
# not compared: a greedy text turns where two probabilities are equal
for prompt in ("The capital of France is", "Returns the number of moons of",
               "The first president of the United States was"):
    row = generate(shipped, [[end, *tokenizer.encode(prompt)]],
                   max_new_tokens=20, end_id=end)[0]
    print(prompt, "|", " ".join(row.text(tokenizer).split()))
#%% md
PLACE-END
