#%% md
# The encoder-decoder of 2017

After this lab you can

- compute one step of a decoder on paper, from a source of two tokens to the probabilities of the next one;
- write the block of the paper in four lines, and show that it is PyTorch's;
- count parameters and arithmetic from a formula, and check the count;
- train a translator of dates, judge it against baselines, read its attention and its errors, and find where its skill ends.

You need attention with several heads and masks; the reading of this chapter is {doc}`index`.
#%% code
from llmbook import environment
environment.start()
#%% code
import re
import time

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from llmbook import corpora, plots
from llmbook.attention import causal_mask
from llmbook.blocks import Block, BlockConfig, Stack, Trace
from llmbook.models import (
    Seq2Seq, Seq2SeqConfig, seq2seq_flops, seq2seq_parameters)
#%% md
## Two tokens, by hand

The source is *7 May*, and the Chinese is 5月7日: first the month, then the day. Suppose the {term}`encoder` has given each source token a vector of width 3, whose first entry says "I am a day" and whose second says "I am a month". The {term}`decoder` has a vector of its own, which says what it looks for: at its start, a month.

**{term}`Cross-attention`** is attention whose queries come from the decoder and whose keys and values come from the encoder. To keep the numbers small, all projections are the identity.

```{admonition} Predict
:class: predict
With the numbers in the cell below, work out on paper: the two scores (divide by $\sqrt 3$), the two weights, and their average of the source vectors. You need $e^{1.155} = 3.17$. Which source token gets more weight, and how much?
```
#%% code
source = torch.tensor([[2.0, 0.0, 0.0],        # 7
                       [0.0, 2.0, 0.0]])       # May
looking_for = torch.tensor([0.0, 1.0, 0.0])    # a month, please

scores = source @ looking_for / 3**0.5
weights = scores.softmax(0)
read = weights @ source
for name, row in (("scores", scores), ("weights", weights),
                  ("read", read)):
    print(f"{name:8s}", row.numpy().round(2))
#%% md
Three quarters of the weight go to *May*. What was read is **added** to what was there, which is the {term}`residual connection`. Then the sum is **normalized**: the mean is taken off, and the rest is divided by its standard deviation. Last, the dot product with the vector of each possible next token is its logit, and a softmax gives probabilities.
#%% code
outputs = {"7日": [1.0, 0.0, 0.0], "5月": [0.0, 1.0, 0.0],
           "(end)": [0.0, 0.0, 1.0]}

def next_token(looking_for, source):
    weights = (source @ looking_for / 3**0.5).softmax(0)
    x = looking_for + weights @ source             # residual
    x = (x - x.mean()) / x.std(correction=0)       # norm
    return (torch.tensor(list(outputs.values())) @ x).softmax(0)

for token, p in zip(outputs, next_token(looking_for, source)):
    print(f"{token:5s} {p:.2f}")
#%% md
The decoder writes 5月. A real decoder now reads its own 5月, and its own blocks turn that into the next wish, a day; we set it by hand.

```{admonition} Predict
:class: predict
What comes next if the decoder looks for a day, $(1, 0, 0)$? And what changes if the source is *May 7* instead, the same two vectors in the other order?
```
#%% code
a_day = torch.tensor([1.0, 0.0, 0.0])
names = list(outputs)
print("7 May:", [names[next_token(wish, source).argmax()]
                 for wish in (looking_for, a_day)])
print("May 7:", [names[next_token(wish, source.flip(0)).argmax()]
                 for wish in (looking_for, a_day)])
#%% md
Nothing changes. Attention is a weighted average, and an average does not know the order of its parts. Here that is just right. For 7/5, where *only* the order says which number is the month, it would be fatal; {doc}`positions` is about what the paper does against it.

## The block, in code

A block of the encoder has two layers, self-attention and a feed-forward layer. A block of the decoder has a third one between them, cross-attention. Around each layer stand a residual connection and a norm. The paper puts the norm **after** the addition, {eq}`eq-post-norm`.

We take the parts of one decoder block out of the library's `Block` and put them together ourselves.
#%% code
torch.manual_seed(0)
config = BlockConfig(d_model=16, num_heads=4, d_hidden=32,
                     activation="relu", norm_first=False)
block = Block(config, cross_attention=True)

def decoder_block(x, memory, mask):
    x = block.attention_norm(x + block.attention(x, mask=mask)[0])
    x = block.memory_norm(x + block.memory_attention(x, memory)[0])
    return block.feed_forward_norm(x + block.feed_forward(x))

x, memory = torch.randn(2, 5, 16), torch.randn(2, 7, 16)  # (B, T or S, D)
mask = causal_mask(5)                                     # True = may attend
assert torch.allclose(decoder_block(x, memory, mask),
                      block(x, memory, mask), atol=1e-6)
print(mask.int().numpy())
#%% md
Three lines, one a layer. The mask says that a target token may attend to itself and to those before it, because when the model writes, those after it do not exist yet. The encoder needs no such mask: the whole source is there from the start.

The norm **before** the layer, {eq}`eq-pre-norm`, is a change of one word in each line:
#%% code
first = Block(BlockConfig(d_model=16, num_heads=4, d_hidden=32,
                          activation="relu", norm_first=True), True)
first.load_state_dict(block.state_dict())

def pre_norm_block(x, memory, mask):
    x = x + first.attention(first.attention_norm(x), mask=mask)[0]
    x = x + first.memory_attention(first.memory_norm(x), memory)[0]
    return x + first.feed_forward(first.feed_forward_norm(x))

assert torch.allclose(pre_norm_block(x, memory, mask),
                      first(x, memory, mask), atol=1e-6)
change = (first(x, memory, mask) - block(x, memory, mask)).abs().max()
print(f"same weights, largest difference: {change:.1f}")
#%% md
The two have the same weights and are **different functions**: weights trained with the one are useless in the other. Readers of famous implementations stumble here, because prose and code disagree. The paper prints post-norm. The authors' own library calls it "the published version" in a comment, remarks that the other order "seems better for harder-to-learn models", and later made that the default {cite:p}`vaswani2018tensor2tensor`. Tutorials that quote the paper and follow the library confuse everybody. In this lab we keep to the paper; {doc}`the_modern_block` measures what the order does.

## The same as PyTorch

`nn.Transformer` is the reference. We copy its weights into our two stacks, block by block, and compare outputs. Two traps: in its masks True means "may *not* attend", the opposite of ours; and it puts one more norm behind each stack, which the paper does not have when the norm comes after, so we take it out.
#%% code
def copy_attention(ours, theirs):
    weight, bias = theirs.in_proj_weight, theirs.in_proj_bias
    for layer, w, b in zip((ours.query, ours.key, ours.value),
                           weight.chunk(3), bias.chunk(3)):
        layer.load_state_dict({"weight": w, "bias": b})
    ours.output.load_state_dict(theirs.out_proj.state_dict())

def copy_block(ours, theirs):
    norms = [ours.attention_norm, ours.feed_forward_norm]
    copy_attention(ours.attention, theirs.self_attn)
    if ours.memory_attention is not None:
        norms.insert(1, ours.memory_norm)
        copy_attention(ours.memory_attention, theirs.multihead_attn)
    for i, norm in enumerate(norms, start=1):
        norm.load_state_dict(getattr(theirs, f"norm{i}").state_dict())
    ours.feed_forward.up.load_state_dict(theirs.linear1.state_dict())
    ours.feed_forward.down.load_state_dict(theirs.linear2.state_dict())
#%% code
theirs = nn.Transformer(16, 4, 2, 2, 32, dropout=0.0,
                        batch_first=True).eval()
theirs.encoder.norm = theirs.decoder.norm = None
encoder, decoder = Stack(config, 2), Stack(config, 2, cross_attention=True)
for ours, oracle in ((encoder, theirs.encoder), (decoder, theirs.decoder)):
    for block, layer in zip(ours.blocks, oracle.layers):
        copy_block(block, layer)

a_source, target = torch.randn(3, 7, 16), torch.randn(3, 5, 16)
with torch.no_grad():
    found = decoder(target, encoder(a_source), causal_mask(5))
    expected = theirs(a_source, target, tgt_mask=~causal_mask(5))
assert torch.allclose(found, expected, atol=1e-5)
print("ours = nn.Transformer")
#%% md
## Counting

How large is the model of the paper? Its base version has width $D = 512$, a feed-forward layer of width $F = 2048$, six blocks on either side, and a shared vocabulary of about 37,000 tokens {cite:p}`vaswani2017attention`.

```{admonition} Predict
:class: predict
Which part holds most of the parameters: the attentions (there are three in each pair of blocks), the feed-forward layers, or the one table of token vectors? Use {eq}`eq-parameters`, and leave out biases and norms, which are small.
```
#%% code
D, width, blocks, vocabulary = 512, 2048, 6, 37_000
attention = 4 * D * D + 4 * D
feed_forward = 2 * D * width + width + D
norm = 2 * D
encoder_block = attention + feed_forward + 2 * norm
decoder_block = 2 * attention + feed_forward + 3 * norm
total = blocks * (encoder_block + decoder_block) + vocabulary * D
for name, part in (("attention", 3 * blocks * attention),
                   ("feed-forward", 2 * blocks * feed_forward),
                   ("token vectors", vocabulary * D), ("all", total)):
    print(f"{name:14s}{part:11,} {part / total:5.0%}")
#%% code
paper = Seq2SeqConfig(vocab_size=vocabulary, context_length=512)
with torch.device("meta"):        # shapes without memory
    shapes = Seq2Seq(paper)
counted = sum(p.numel() for p in shapes.parameters())
assert total == seq2seq_parameters(paper) == counted
print(f"{counted:,} by hand, by formula and by counting")
#%% md
The feed-forward layers lead. One matrix serves three times, for source, target and output (section 3.4 of the paper), or the tables of vectors would be the largest part. The paper's table 3 gives 65 million {cite:p}`vaswani2017attention`; the exact size of its vocabulary is not printed, and a difference of two million is four thousand tokens.

Arithmetic next. A matrix product of $(m, n)$ with $(n, k)$ takes $2mnk$ floating point operations (FLOPs), since each of its $mk$ results is $n$ multiplications and $n$ additions. Count only those, as {eq}`eq-flops` does, and check with torch's own counter. (On a CPU the counter does not know the fused attention, so we ask for the plain one.)
#%% code
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

small = Seq2SeqConfig(vocab_size=56, context_length=40, d_model=64,
                      num_heads=4, d_hidden=128, num_layers=2, dropout=0.0)
S, T, D, width = 26, 15, 64, 128

def attention_flops(queries, keys):
    return (2 * 2 * queries * D * D + 2 * 2 * keys * D * D
            + 2 * 2 * queries * keys * D)

by_hand = 2 * (attention_flops(S, S) + 2 * 2 * S * D * width
               + attention_flops(T, T) + attention_flops(T, S)
               + 2 * 2 * T * D * width) + 2 * T * D * 56
with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
    Seq2Seq(small)(torch.zeros(1, S).long(), torch.zeros(1, T).long())
assert by_hand == seq2seq_flops(small, 1, S, T) == counter.get_total_flops()
print(f"{by_hand:,} FLOPs for one date")
#%% md
## Dates in two languages

The paper trained on millions of sentences and eight graphics cards. We take something that a small model can learn to the last character in a minute: dates. Babel, a package that builds this book, writes any day in any language as the CLDR prescribes, so there is as much text as one likes, and every answer is known. Eight styles, one for each day of a hundred years:
#%% code
dates = corpora.localized_dates(1950, 2049)
shown = {}
for pair in dates:
    shown.setdefault((pair.locale, pair.length), pair)
for (locale, length), pair in sorted(shown.items()):
    print(f"{locale:5s} {length:6s} {pair.english:29s}{pair.chinese}")
#%% md
Is that translation? It has what makes translation hard, in small: another **order** (the year moves to the front, and American and British days change places), **words** (*March* is 3月, *Friday* is 星期五), things **left out and put in** (07 becomes 7; 50 becomes 1950). A program of twenty lines could do it without learning. That is why it is a good test: we know the rule, and can say precisely what the model did and did not find.

The split is by **day**. A test day is never seen in training, in any style.
#%% code
train, validation, test = (dates.split(name) for name in corpora.SPLITS)
print(f"{len(train):,} training pairs, {len(validation):,} validation, "
      f"{len(test):,} test")
assert not {p.id for p in train} & {p.id for p in test}

PAD, START, END = 0, 1, 2
signs = sorted({sign for p in train for sign in p.english + p.chinese})
number = {sign: i for i, sign in enumerate(signs, start=3)}
print(len(signs) + 3, "tokens:", "".join(signs))
#%% code
def to_ids(texts, start=False):
    """Characters as numbers, an end mark, padding on the right."""
    return pad_sequence([torch.tensor(
        [START] * start + [number[sign] for sign in text] + [END])
        for text in texts], batch_first=True)            # (B, T)

def to_text(row):
    row = row.tolist()
    row = row[:row.index(END)] if END in row else row
    return "".join(signs[i - 3] for i in row if i >= 3)

sources = to_ids([p.english for p in train])
targets = to_ids([p.chinese for p in train], start=True)
example = 4
print(train[example].english, "->", train[example].chinese)
print(targets[example].tolist())
assert to_text(targets[example][1:]) == train[example].chinese
#%% md
## Training

The decoder is given the right beginning and must predict the next token, at all places at once: it reads `target[:-1]` and is asked for `target[1:]`. That is called **teacher forcing**.

Where we leave the paper, and why:

- **Size**: width 64 and two blocks on either side, for a minute on one core.
- **Learning rate**: the paper lets it rise for 4,000 steps and then fall like one over the square root (section 5.3). With 1,000 steps in all we let it rise for 100 and fall in a straight line to zero.
- **No dropout**: each pair is seen about twice, so there is little to learn by heart.
- As the paper: post-norm, sinusoidal positions, one embedding for all, scaled by $\sqrt D$, Adam with $\beta_2 = 0.98$, and **{term}`label smoothing`** of 0.1 (section 5.4): the right token is asked for with 0.9, and 0.1 is spread evenly over all tokens.

```{admonition} Predict
:class: predict
With a vocabulary of 56 and label smoothing of 0.1, can the loss reach zero? If not, how low can it get? Think of the distribution that is asked for: no prediction can cost less than its entropy.
```
#%% code
asked = torch.full((56,), 0.1 / 56)
asked[0] += 0.9
floor = -(asked * asked.log()).sum()
print(f"the loss cannot fall below {floor:.3f}")
#%% code
def translate(model, texts):
    model.eval()
    source = to_ids(texts)
    written = model.greedy(source, source != PAD, start_id=START,
                           end_id=END, max_new_tokens=20)
    return [to_text(row) for row in written]

def exact(model, pairs):
    found = translate(model, [p.english for p in pairs])
    return [text == p.chinese for text, p in zip(found, pairs)]
#%% code
def fit(seed, steps):
    torch.manual_seed(seed)
    model, losses, curve = Seq2Seq(small), [], {}
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003,
                                 betas=(0.9, 0.98), eps=1e-9)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / 100, 1 - step / steps))
    random = torch.Generator().manual_seed(seed)
    for step in range(1, steps + 1):
        rows = torch.randint(len(train), (64,), generator=random)
        source, target = sources[rows], targets[rows]
        logits = model.train()(source, target[:, :-1], source != PAD)
        loss = F.cross_entropy(
            logits.flatten(0, 1), target[:, 1:].flatten(),
            ignore_index=PAD, label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
        if step % 100 == 0:
            curve[step] = np.mean(exact(model, validation[:500]))
    return model, losses, curve
#%% code
began = time.process_time()
model, losses, curve = fit(seed=0, steps=1000)
seconds = time.process_time() - began
#%% code {"compare": {"atol": 0.02}}
print(f"last loss {np.mean(losses[-50:]):.3f}, floor {floor:.3f}")
print(f"exact on validation days after 1000 steps: {curve[1000]:.2f}")
#%% code {"tags": ["nbval-ignore-output"]}
# not compared: seconds depend on the machine
print(f"{seconds:.0f} CPU seconds")
#%% code {"mystnb": {"figure": {"caption": "Training on dates. Left: the loss falls to its floor, the entropy of the smoothed labels (dotted). Right: the share of 500 validation days whose Chinese is right to the last character.", "name": "fig-dates-training"}, "image": {"alt": "Two line charts over 1000 training steps. Left: the loss falls steeply to about 1 within 200 steps and then flattens onto a dotted line at 0.71. Right: exact match is near zero at step 100, jumps to more than half by step 200 and reaches 1 at the end."}}}
figure, (left, right) = plt.subplots(1, 2, figsize=(6.8, 2.8))
left.plot(np.convolve(losses, np.ones(10) / 10, "valid"))
left.axhline(floor, color="#333333", linestyle=":", label="floor")
left.set(xlabel="step", ylabel="loss (nats a token)", ylim=(0.5, 3))
left.legend()
right.plot(list(curve), list(curve.values()), marker="o")
right.set(xlabel="step", ylabel="exact match", ylim=(0, 1.05))
plt.show()
#%% md
{numref}`fig-dates-training` shows two speeds. Within two hundred steps the model has the grammar: it writes well-formed Chinese dates, many of them wrong. Getting the last digits into the right place takes the rest of the minute. The loss hardly shows this second half, while exact match shows nothing else. **Look at what you care about, not only at the loss.**

## Is it good?

A score needs baselines. **Copy** repeats the English. **Nearest** answers with the Chinese of the training date whose English is most alike, by character n-grams. Since no test day is among the training days, nearest can never be exactly right, so we also give chrF, which scores the character n-grams that two texts share, from 0 to 100 {cite:p}`popovic2015chrf`.
#%% code
from sacrebleu.metrics import CHRF
from scipy.stats import binomtest
from sklearn.feature_extraction.text import TfidfVectorizer

english = [p.english for p in test]
grams = TfidfVectorizer(analyzer="char", ngram_range=(1, 4))
seen = grams.fit_transform([p.english for p in train])
near = [(grams.transform(english[i:i + 200]) @ seen.T).argmax(1)
        for i in range(0, len(english), 200)]
near = np.concatenate([np.asarray(part).ravel() for part in near])
answers = {"copy": english, "nearest": [train[i].chinese for i in near],
           "transformer": translate(model, english)}
#%% code {"compare": {"atol": 0.02}}
for name, found in answers.items():
    right = sum(a == p.chinese for a, p in zip(found, test))
    span = binomtest(right, len(test)).proportion_ci(method="wilson")
    chrf = np.mean([CHRF().sentence_score(a, [p.chinese]).score
                    for a, p in zip(found, test)])
    print(f"{name:12s} exact {right / len(test):.3f} "
          f"[{span.low:.3f}, {span.high:.3f}]  chrF {chrf / 100:.2f}")
#%% md
The brackets are 95 % intervals (Wilson's, for a share). On days that it has never seen, the model is right to the last character nearly always. The wrong answers, if there are any in your run:
#%% code {"tags": ["nbval-ignore-output"]}
# not compared: the few errors depend on the processor
wrong = [(p.english, a, p.chinese) for a, p in
         zip(answers["transformer"], test) if a != p.chinese]
print(len(wrong), "wrong of", len(test))
for row in wrong[:5]:
    print(*row, sep="   ")
#%% md
So few errors teach little. A model that was stopped early makes more of them. We train a second one, for 300 steps, and sort its errors by what is wrong in them.
#%% code
early, _, _ = fit(seed=1, steps=300)
found = translate(early, english)
#%% code
def fields(chinese):
    return re.findall(r"\d+|星期.", chinese)

def kinds(pair):
    """What kind of thing stands in the English for each field."""
    short = pair.length == "short"
    two_digits = short and pair.locale == "en"
    return ["year of two digits" if two_digits else "year in full",
            "month as a number" if short else "month by name",
            "day", "weekday"]

tally, wrong = {}, [p for a, p in zip(found, test) if a != p.chinese]
for answer, pair in zip(found, test):
    got = fields(answer) + [""] * 4
    for i, field in enumerate(fields(pair.chinese)):
        tally.setdefault(kinds(pair)[i], []).append(got[i] != field)
swapped = sum(sorted(a) == sorted(p.chinese) and a != p.chinese
              for a, p in zip(found, test))
#%% code {"compare": {"atol": 0.13}}
print(f"{len(wrong) / len(test):.2f} of the test days wrong; of these, "
      f"{swapped / len(wrong):.2f} have the right signs in a wrong order")
for name, errors in tally.items():
    print(f"{name:19s} wrong in {np.mean(errors):.2f} of the cases")
#%% code {"tags": ["nbval-ignore-output"]}
# not compared: which days are wrong depends on the processor
some = [(p.english, a) for a, p in zip(found, test) if a != p.chinese]
for english_date, chinese_date in some[::len(some) // 7]:
    print(f"{english_date:29s} {chinese_date}")
#%% md
The model does not take one weekday for another, and seldom one month's name for another: a name is one thing, wherever it stands. It stumbles over **numbers**, and most of its errors have all the right signs, in a wrong order: 31 becomes 13. That fits how it works. Attention collects what is there; in which order, only the positions can tell it.

## Where it looks

Which part of the English does the decoder read when it writes a Chinese sign? The {term}`alignment` stands in the cross-attention. We take one date and average the heads of the last block.
#%% code
def cross_attention(model, pair):
    """Mean over heads in the last block, (signs of Chinese + 1, S)."""
    source = to_ids([pair.english])
    target = to_ids([pair.chinese], start=True)
    trace = Trace()
    with torch.no_grad():
        model.eval().decode(target[:, :-1], model.encode(source),
                            trace=trace)
    return trace.memory[-1][0].mean(0)

pair = next(p for p in test if p.length == "full" and p.locale == "en_GB"
            and len(fields(p.chinese)[2]) == 2)
weights = cross_attention(model, pair)
print(pair.english, "->", pair.chinese, tuple(weights.shape))
#%% code {"mystnb": {"figure": {"caption": "Cross-attention of the last decoder block, mean over its four heads. A row is a sign being written (Chinese signs in pinyin: nián is 年, yuè 月, rì 日, xīngqī 星期), a column is a sign of the source; ␣ is a space, end the end mark.", "name": "fig-date-alignment"}, "image": {"alt": "Attention map with the Chinese date in the rows and the British English date in the columns. The rows of the year look at the year at the right end of the source, the row of the month looks at the month name in the middle, the rows of the day look at the digits of the day, and the last sign of the weekday looks at the weekday at the left: the dark cells run from right to left, against the order of reading."}}}
pinyin = dict(zip("年月日星期一二三四五六", "nián yuè rì xīng qī yī èr "
                  "sān sì wǔ liù".split()))
rows = [pinyin.get(sign, sign) for sign in pair.chinese] + ["end"]
columns = [sign.replace(" ", "␣") for sign in pair.english] + ["end"]
plots.attention_map(weights.numpy(), rows, columns)
plt.show()
#%% md
Read {numref}`fig-date-alignment` from the top. Nobody told the model which parts correspond, and it had to find out: digits of the year look at the year, the digits of the day at the day, the month at its name. The order of reading is reversed, which no model that reads strictly from left to right could do so simply.

One map could be luck. Over many dates, how much of the attention of each part falls on the part that it translates? The control is attention spread evenly over the source.

```{admonition} Predict
:class: predict
The day has one or two digits in a source of about twenty signs. What share of evenly spread attention would fall on it? And how much will the trained model put there?
```
#%% code
def parts_of(english):
    """The part of the date that each sign of the source belongs to."""
    parts = []
    for word in re.findall(r"[A-Za-z]+|\d+|.", english):
        kind = ("year" if len(word) == 4 and word.isdigit() else
                "day" if word.isdigit() else
                "weekday" if word.endswith("day") else
                "month" if word.isalpha() else "")
        parts += [kind] * len(word)
    return parts + [""]

def rows_of(chinese):
    year, month, day = re.findall(r"\d+", chinese)
    rows = (["year"] * len(year) + [""] + ["month"] * len(month) + [""]
            + ["day"] * len(day) + [""])
    return rows + ["", "", "weekday"] * ("期" in chinese) + [""]
#%% code
written = [p for p in test if p.length != "short"][:300]
share = {name: [] for name in ("year", "month", "day", "weekday")}
for pair in written:
    weights = cross_attention(model, pair)
    parts = np.array(parts_of(pair.english))
    for row, name in zip(weights.numpy(), rows_of(pair.chinese)):
        if name:
            inside = parts == name
            share[name].append((row[inside].sum(), inside.mean()))
#%% code {"compare": {"atol": 0.35}}
for name, values in share.items():
    attention, evenly = np.mean(values, axis=0)
    print(f"{name:8s} {attention:.2f} of the attention")
#%% code
for name, values in share.items():
    print(f"{name:8s} {np.mean(values, axis=0)[1]:.2f} if spread evenly")
#%% md
Year, month and day get far more than chance would give them. The weekday depends on the seed and on the layer: with two blocks and four heads there are eight places where the model may look, and it need not use the last. So read attention maps as *where this layer reads*, and no more; a part that is not looked at here may have been read one block below.

## Writing, step by step

`model.greedy` takes the most probable token, again and again, and keeps the keys and values of earlier tokens in a cache. Without a cache it is four lines, and the result is the same.
#%% code
@torch.no_grad()
def greedy_by_hand(model, text):
    source, target = to_ids([text]), torch.tensor([[START]])
    memory = model.encode(source)                       # (1, S, D)
    while target[0, -1] != END and target.shape[1] < 20:
        logits = model.decode(target, memory)           # (1, T, V)
        best = logits[:, -1:].argmax(-1)
        target = torch.cat((target, best), dim=1)
    return to_text(target[0, 1:])

some = [p.english for p in test[:50]]
assert [greedy_by_hand(model, text) for text in some] == translate(
    model, some)
print(some[0], "->", greedy_by_hand(model, some[0]))
#%% md
## Where this breaks

### Years that it never saw

The training days lie between 1950 and 2049. The rule for a year is as simple as a rule can be: copy four digits. And every digit has been seen.

```{admonition} Predict
:class: predict
What share of the dates in 2060 to 2069 will be right? And in 1930 to 1939? (We leave out the short American style: there a year has two digits, and nobody could know the century.)
```
#%% code
decades, right = list(range(1900, 2100, 10)), []
for decade in decades:
    pairs = [p for p in corpora.localized_dates(decade, decade + 9)
             if (p.locale, p.length) != ("en", "short")]
    if 1950 <= decade < 2050:          # inside: test days only
        pairs = [p for p in pairs if p.id in {q.id for q in test}]
    else:
        pairs = pairs[::8]
    right.append(np.mean(exact(model, pairs)))
right = np.array(right)
inside = np.array([1950 <= decade < 2050 for decade in decades])
#%% code {"compare": {"atol": 0.35}}
print(f"worst decade inside:  {right[inside].min():.2f}")
print(f"mean of the ten outside: {right[~inside].mean():.2f}")
#%% code {"mystnb": {"figure": {"caption": "Share of dates translated exactly, by decade. The model was trained on the years 1950 to 2049 (shaded); within them the test days are new, outside the years are.", "name": "fig-unseen-years"}, "image": {"alt": "Bar chart over the decades from 1900 to 2090. All bars from 1950 to 2040, on a shaded ground, reach 1. The bars before 1950 and from 2050 on are much lower, several of them near zero."}}}
figure, axes = plt.subplots(figsize=(6.8, 2.8))
axes.axvspan(1945, 2045, color="#e4eef6", zorder=0)
axes.bar(decades, right, width=7, color=plots.COLOURS[0])
axes.set(xlabel="decade", ylabel="exact match", ylim=(0, 1.05))
axes.text(1995, 0.08, "years of training", ha="center", color="white")
plt.show()
#%% code {"tags": ["nbval-ignore-output"]}
# not compared: which wrong year is written depends on the processor
for text in ("January 1, 2050", "17 July 2068", "July 20, 1930",
             "October 14, 1066", "March 7, 2019"):
    print(f"{text:18s} {greedy_by_hand(model, text)}")
#%% md
A cliff ({numref}`fig-unseen-years`). Inside, new days are no problem; one year outside, most dates are wrong, and the answer is often a year *from the training*, made of the right digits: 2050 becomes 2005. The test inside could not have told us. **Held-out examples test what lies between the training examples. They say nothing about what lies beyond**, and the score in the table above, near one, was never a score for "dates". Which years happen to come out right changes with the seed; that the cliff is there does not.

The model did not learn "copy four digits". Nothing forced it to: for a hundred years of training, a rule that knows a hundred years is as good.

### Forms that it never saw
#%% code {"tags": ["nbval-ignore-output"]}
# not compared: what comes out for a form never seen is arbitrary
for text in ("Monday, March 7, 2019", "March 7 2019", "Febuary 7, 2019",
             "February 31, 2019", "2019 March 7", "2019/3/7",
             "7 May 2019 or 8 May 2019"):
    print(f"{text:25s} {greedy_by_hand(model, text)}")
#%% md
Look at each. March 7, 2019 was a Thursday: the model translates *Monday*, as it should, for it translates and does not check. A missing comma and a misspelled month do no harm, and a day that does not exist is translated without a blink. But a date in an order that is not among the eight gives a fluent, well-formed, wrong answer, and so does a sentence with two dates. **It never says that it does not know.** Nothing in its training ever asked it to.

What is true of this small model stays true of large ones; only what counts as "beyond" moves outward. {doc}`positions` looks at one kind of beyond by itself, length; a later chapter is about the others.
