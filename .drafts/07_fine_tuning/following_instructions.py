#%% md
# Following instructions

After this lab you can

- turn a question and its answer into training data, and mask the question exactly;
- say what instruction tuning changes in a model, and measure it against two controls;
- measure whether an answer depends on its question at all;
- name four ways in which a tuned model breaks.

You need {doc}`/chapters/06_pretraining/index`: the model, the tokenizer and the training loop are those of chapter 6.
#%% code
from llmbook import environment
environment.start()
#%% code
import random
import re
import tempfile

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.nn import functional as F
from transformers import AutoModelForCausalLM

from llmbook import corpora, plots, training
from llmbook.decoding import Sampling, generate
from llmbook.models import save_transformers
from llmbook.training import (
    Examples, HeldOut, NextToken, Trainer, TrainingConfig, evaluate)
from llmbook.tuning import Score, encode_instructions, prompt_text
#%% md
## A model that has only read

The GPT that ships with this book has read documentation and Wikipedia. It has never been asked anything.

```{admonition} Predict
:class: predict
The prompt is a question, then "Answer:". What does the model write after it, and when does it stop?
```
#%% code {"tags": ["nbval-ignore-output"]}
# not compared: written text, which a rounding difference can change
model, tokenizer = training.load("gpt")
END = tokenizer.special_tokens["<|endoftext|>"]

def ask(model, questions, template=prompt_text, **settings):
    prompts = [tokenizer.encode(template(q)) for q in questions]
    return generate(model, prompts, max_new_tokens=40, end_id=END,
                    **settings)

print(prompt_text("What does Locale.get_closest do?"))
[written] = ask(model, ["What does Locale.get_closest do?"])
print(written.text(tokenizer), f"\n\nended by: {written.reason}")
#%% md
It goes on writing, as it was trained to do, round and round, until our limit of 40 tokens ends it. Nothing in its training says that a question wants an answer, nor that an answer ends.

{term}`Instruction tuning` is more training, on pairs of an instruction and a good answer {cite:p}`wei2022finetuned`. Our pairs come from the documentation strings: the question is made of the *name* of a function, the answer is the first sentence of its documentation. The model has read the sentence if it is one of the training split; it has never seen the name beside it, because names are not part of the text.
#%% code
docs = corpora.docstrings()
seen = {record.summary for record in docs.split("train")}

def usable(record):
    return (record.kind in ("function", "method")
            and not record.name.split(".")[-1].startswith("__")
            and 4 <= len(record.summary.split()) <= 16)

def draw(split, number, without=()):
    rows = [record for record in docs.split(split)
            if usable(record) and record.summary not in without]
    random.Random(0).shuffle(rows)
    return rows[:number]

def pair(record):
    return f"What does {record.name} do?", record.summary

train_rows, rows = draw("train", 960), draw("validation", 300, seen)
pairs = [pair(record) for record in rows]
for question, answer in pairs[:4]:
    print(f"{question}\n    {answer}")
#%% md
No module stands in two splits, and an answer that also stands somewhere in the training split is left out of the 300 held-out pairs.

## Only the answer is learned

A pair becomes one sequence: prompt, answer, end token. When the model is used, the prompt is *given*. So only the answer and the end token shall be learned. The label of every other token is set to -100, which the loss leaves out.

Here is one pair, by hand. The label of a token stands where the token stands; the model's prediction for it is made one place earlier.
#%% code
ids, labels = [], []
for text, learned in (("Question: Two?\nAnswer:", False), (" yes", True)):
    part = tokenizer.encode(text)
    ids += part
    labels += part if learned else [-100] * len(part)
ids, labels = ids + [END], labels + [END]

for token, label in zip(tokenizer.tokens(ids), labels):
    print(f"{token.decode()!r:16} {label}")
supervised = [label for label in labels if label != -100]
print("supervised ids:", supervised)
#%% code
[example] = encode_instructions(tokenizer, [("Two?", "yes")])
assert example == {"ids": ids, "labels": labels}

batch = {name: torch.tensor([row]) for name, row in example.items()}
ready = NextToken().prepare(batch)              # shifted by one, here
targets = ready["targets"][0].tolist()
assert [t for t in targets if t != -100] == supervised
read_at = [i for i, t in enumerate(targets) if t != -100]
print("read at:", [tokenizer.decode([ids[i]]) for i in read_at])
print("to say: ", [tokenizer.decode([targets[i]]) for i in read_at])
#%% md
The last colon is the first place where something is learned, and what is learned there is the first token of the answer. The end token is learned too. Without it, the model would never learn to stop.

Is that the loss that others compute? By hand: the log-probabilities of the supervised ids, and nothing else. The reference is Transformers, whose `labels` mean the same.
#%% code
with torch.no_grad():
    log_p = model(torch.tensor([ids]))[0].log_softmax(-1)      # (T, V)
    by_hand = -sum(log_p[i, targets[i]] for i in read_at) / len(read_at)
    ours, number = NextToken().loss(model, ready)
    with tempfile.TemporaryDirectory() as folder:
        save_transformers(model, folder)
        reference = AutoModelForCausalLM.from_pretrained(folder)
    theirs = reference(batch["ids"], labels=batch["labels"]).loss
assert number == len(supervised)
assert torch.allclose(by_hand, ours / number, atol=1e-4)
assert torch.allclose(by_hand, theirs, atol=1e-4)
print(f"{by_hand:.2f} nats a token, over {number} tokens")
#%% md
## Does the answer depend on the question?

A low loss on answers does not prove that the model reads the question. Perhaps it only knows what documentation sounds like. The test is simple: give each answer the question of *another* pair. If the loss stays, the question was not used.
#%% code
def exchanged(pairs):
    half = len(pairs) // 2
    moved = pairs[half:] + pairs[:half]
    return [(q, a) for (q, _), (_, a) in zip(moved, pairs)]

@torch.no_grad()
def answer_losses(model, examples):
    """Of each answer, in nats per token, its end token included."""
    found = []
    for batch in HeldOut.examples(examples, batch_size=50).batches:
        ready = NextToken().prepare(batch)
        targets = ready["targets"]                             # (B, T)
        logits = model(ready["ids"], ready["attention_mask"])
        losses = F.cross_entropy(logits.transpose(1, 2), targets,
                                 reduction="none")             # (B, T)
        found += (losses.sum(1) / (targets != -100).sum(1)).tolist()
    return np.array(found)
#%% md
Functions of one module resemble each other, so they are no independent witnesses. The intervals below draw whole modules again, and not single pairs.
#%% code {"compare": {"atol": 0.03}}
_, module = np.unique([r.module for r in rows], return_inverse=True)

def score(values, draws=2000):
    """The mean and its 95 % interval, from modules drawn again."""
    values = np.asarray(values, dtype=float)
    of = module[:len(values)]                   # or of the first few
    total, count = np.bincount(of, values), np.bincount(of)
    chosen = np.random.default_rng(0).integers(
        len(total), size=(draws, len(total)))
    means = total[chosen].sum(1) / count[chosen].sum(1)
    return Score(values.mean(), *np.quantile(means, [0.025, 0.975]))

with_own = encode_instructions(tokenizer, pairs)
with_other = encode_instructions(tokenizer, exchanged(pairs))
own = {"before": answer_losses(model, with_own)}
other = {"before": answer_losses(model, with_other)}
print("modules             ", module.max() + 1)
print("own question        ", score(own["before"]))
print("another's question  ", score(other["before"]))
print("what the question is worth", score(other["before"] - own["before"]))
#%% md
The model that has only read already uses the question: with another's, the answer is harder to guess. It has learned from running text that words come again, and a name shares words with the sentence that explains it. So we need this number *before* the tuning, or we would credit the tuning with it.

## Four trainings

All start from the same weights and make 80 steps of 12 examples, so each pair is read once. Only the examples differ.

- **tuned**: the pairs, the question masked.
- **not masked**: the pairs, every token learned.
- **exchanged**: as tuned, but each answer stands under another's question. A control: format and style can be learned, the use of the question cannot.
- **plain**: the answers alone, as texts with an end token. A control: more reading of the same sentences, without any instruction.

```{admonition} Predict
:class: predict
For each of the four: does the loss on held-out answers fall? Does the question become worth more, or less?
```
#%% code {"compare": {"atol": 0.05}}
train_pairs = [pair(record) for record in train_rows]
masked = encode_instructions(tokenizer, train_pairs)
sentences = [[END, *tokenizer.encode(a), END] for _, a in train_pairs]
data = {
    "tuned": masked,
    "not masked": [{"ids": e["ids"], "labels": e["ids"]} for e in masked],
    "exchanged": encode_instructions(tokenizer, exchanged(train_pairs)),
    "plain": [{"ids": s, "labels": s} for s in sentences],
}

def tune(examples, seed=0):
    model, _ = training.load("gpt")
    config = TrainingConfig(steps=80, batch_size=12, learning_rate=5e-4,
                            warm_up=10, weight_decay=0.0, seed=seed)
    Trainer(model, NextToken(), Examples(examples, seed=seed), config).fit()
    return model.eval()

models = {"before": model}
for name, examples in data.items():
    models[name] = tune(examples)
length = sum(len(e["ids"]) for e in masked)
prompts = sum(e["labels"].count(-100) for e in masked)
print(f"{length} tokens, of which {prompts / length:.0%} are prompt")
#%% code {"compare": {"atol": 0.04}}
for name in data:
    own[name] = answer_losses(models[name], with_own)
    other[name] = answer_losses(models[name], with_other)
print("            own question          what the question is worth")
for name in models:
    print(f"{name:11s}", score(own[name]), score(other[name] - own[name]))
print("\nloss with the own question, minus that of tuned")
for name in ("before", "not masked", "exchanged", "plain"):
    print(f"{name:11s}", score(own[name] - own["tuned"]))
#%% code {"compare": {"atol": 0.04}}
def worth(name):
    return other[name] - own[name]

print("worth of the question, tuned minus")
for name in ("before", "not masked", "exchanged", "plain"):
    print(f"{name:11s}", score(worth("tuned") - worth(name)))
#%% code {"mystnb": {"figure": {"caption": "The loss of held-out answers under their own question and under another's, before tuning and after four trainings. The length of a line is what the question is worth.", "name": "fig-question-worth"}, "image": {"alt": "Five horizontal lines, one for each model, from the loss under the own question to the loss under another's. Tuned and not masked lie furthest to the left and have the longest lines; exchanged has by far the shortest line; plain lies close to before."}}}
figure, axes = plt.subplots(figsize=(6.4, 2.6))
names = list(models)
left = [own[name].mean() for name in names]
right = [other[name].mean() for name in names]
places = np.arange(len(names))[::-1]
axes.hlines(places, left, right, color="#8a8a8a")
axes.plot(left, places, plots.MARKERS[0], color=plots.COLOURS[0],
          label="own question")
axes.plot(right, places, plots.MARKERS[1], color=plots.COLOURS[1],
          label="another's question")
axes.set_yticks(places, names)
axes.set(xlabel="loss of the answer, nats per token", ylim=(-0.5, 4.5))
axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
plt.show()
#%% md
{numref}`fig-question-worth` and the tables tell four things.

- **It is more than reading on.** Tuning takes 0.597 nats a token off the loss of held-out answers. *Plain* learned from the same sentences, and is left 0.526 behind.
- **Two thirds of the gain are form.** *Exchanged* cannot have learned which answer belongs to which question, and it is only 0.199 behind. It knows how such a sentence begins, how long it is, and where it stops. That tuning teaches above all a form is what {cite:t}`zhou2023lima` suppose of large models too.
- **The question is worth more than before**, by 0.127, and the interval is far from 0. After *exchanged* it is worth far *less* than before, 0.168: this model was shown nearly a thousand times that the question does not matter. So the data, and not the template, decide whether a model listens.
- **The mask matters a little.** 59% of the tokens are prompt, and most of what is hard in a prompt is a name that nobody can guess. Who learns the prompt too loses 0.023 on the answers, and some of the worth of the question. This is no law: {cite:t}`shi2024instruction` find that learning the prompt often *helps*, most of all where prompts are long, answers brief and examples few. Our examples are few, their prompts longer than their answers, and it did not help. Measure it on your own task. Further down, the mask has a second effect.

## What it says now

```{admonition} Predict
:class: predict
Six held-out functions. Will the answers be sentences? Will they be about the right thing? Will they be true?
```
#%% code {"tags": ["nbval-ignore-output"]}
# not compared: written text, which a rounding difference can change
first = [question for question, _ in pairs[:150]]
answers = {name: ask(models[name], first) for name in models}
for (question, truth), written in list(zip(pairs, answers["tuned"]))[:6]:
    print(f"{question}\n    says  {written.text(tokenizer).strip()}")
    print(f"    truth {truth}")
#%% md
The form is right: one sentence, in the voice of documentation, and then the end. The contents are not. Where an answer fits, it is because a word of the name, or a neighbour of such a word, has found its way into it.

How much of that is real?

Four measures. *Stops*: the end token came within 40 tokens. *Names*: the answer contains a word of its question's name; the control beside it asks the same of the next question's name. *Overlap*: twice the common words by all words of answer and truth. *Exact*: the same words in the same order.

The baselines do no language modelling at all. One copies the words of the name. The other looks up the most similar name among the 960 training questions and gives its answer.
#%% code
def words(text):
    return re.findall("[a-z]{3,}", text.lower())

def name_words(question):
    name = question.removeprefix("What does ").removesuffix(" do?")
    return words(" ".join(re.findall("[A-Z]?[a-z]+|[A-Z]+", name)))

def overlap(one, two):
    one, two = set(one), set(two)
    return 2 * len(one & two) / max(len(one) + len(two), 1)

known = [(name_words(q), a) for q, a in train_pairs]

def look_up(question):
    name = name_words(question)
    return max(known, key=lambda entry: overlap(entry[0], name))[1]
#%% code {"compare": {"atol": 0.05}}
said = {n: [w.text(tokenizer) for w in a] for n, a in answers.items()}
said["copy the name"] = [" ".join(name_words(q)) for q in first]
said["look up"] = [look_up(q) for q in first]
alike = {}

print(f"{'':14}stops names (next) overlap exact")
for name, texts in said.items():
    stops = np.mean([w.reason == "end" for w in answers.get(name, [])] or 1)
    hits, chance, exact, alike[name] = [], [], [], []
    for i, text in enumerate(texts):
        found, truth = words(text), words(pairs[i][1])
        following = first[(i + 1) % len(first)]
        hits.append(bool({*found} & {*name_words(first[i])}))
        chance.append(bool({*found} & {*name_words(following)}))
        alike[name].append(overlap(found, truth))
        exact.append(found == truth)
    print(f"{name:13} {stops:5.2f} {np.mean(hits):5.2f} "
          f"({np.mean(chance):.2f}) {np.mean(alike[name]):7.2f} "
          f"{np.mean(exact):5.2f}")
#%% code {"compare": {"atol": 0.04}}
print("overlap with the truth, tuned minus")
for name in ("before", "exchanged", "plain", "look up", "copy the name"):
    difference = np.subtract(alike["tuned"], alike[name])
    print(f"{name:13s}", score(difference))
#%% md
**What it learned.** It stops: 0.95 of the answers end by themselves, before it was 0.09. *Plain* learned much of that as well, 0.66, for its sentences had end tokens too. It speaks of what it was asked: 0.37 of the answers have a word of the name in them, twice as many as before, and the control is 0.03. *Exchanged* stops best of all and mentions the name in 0.05 of the cases.

**What it did not learn.** Not one answer is exact. And the words of the name, copied by a line of Python, are closer to the truth than the model's sentences: 0.29 against 0.16, and the interval of the difference is far from 0. A model of four million parameters writes what *could* stand in the documentation of a function of this name. What the function does, it cannot know: the fact is not in the question, and the held-out text was never read.

Greedy decoding shows one answer. What else does the model think possible? We draw a few.
#%% code {"tags": ["nbval-ignore-output"]}
# not compared: sampled text
sampling = Sampling(temperature=0.7, top_p=0.9)
generator = torch.Generator().manual_seed(0)
for question in first[:3]:
    print(question)
    drawn = ask(models["tuned"], [question] * 4, sampling=sampling,
                generator=generator)
    for written in drawn:
        print("   ", written.text(tokenizer).strip())
#%% md
Four draws, four different functions. The model has no opinion on what the function does; it has a distribution over sentences that start in the right way. An answer that sounds sure is one draw from it.

## Where this breaks

**The same wish in other words.** All training questions have one form. What happens with a token more or less, with another template, with other words, and with the opposite question?

```{admonition} Predict
:class: predict
Order these by the harm they do: the last colon is missing; a space stands after it; "Q" and "A" instead of the words; no template at all; "Explain" instead of "What does"; the word "not" before "do".
```
#%% code
ASKED = "What does {} do?"
forms = {
    "as trained": f"Question: {ASKED}\nAnswer:",
    "no colon": f"Question: {ASKED}\nAnswer",
    "space at the end": f"Question: {ASKED}\nAnswer: ",
    "Q and A": f"Q: {ASKED}\nA:",
    "no template": ASKED,
    "Explain": "Question: Explain {}.\nAnswer:",
    "not": "Question: What does {} not do?\nAnswer:",
}

def in_form(form, names, answers):
    examples = []
    for name, answer in zip(names, answers):
        prompt = tokenizer.encode(form.format(name))
        space = "" if form.endswith(" ") else " "
        learned = tokenizer.encode(space + answer) + [END]
        examples.append({"ids": prompt + learned,
                         "labels": [-100] * len(prompt) + learned})
    return examples
#%% code {"compare": {"atol": 0.06}}
names = [row.name for row in rows[:100]]
truths = [row.summary for row in rows[:100]]
assert in_form(forms["as trained"], names, truths) == with_own[:100]

print(f"{'':17} loss  minus as trained        worth stops")
losses = {}
for name, form in forms.items():
    losses[name], with_another = (
        answer_losses(models["tuned"], in_form(form, asked, truths))
        for asked in (names, names[50:] + names[:50]))
    written = ask(models["tuned"], names, form.format)
    print(f"{name:16} {losses[name].mean():5.2f}",
          score(losses[name] - losses["as trained"]),
          f"{(with_another - losses[name]).mean():5.2f}",
          f"{np.mean([w.reason == 'end' for w in written]):5.2f}")
#%% md
The least visible change does the most harm. **A space at the end** of the prompt costs 0.634 nats a token, as much as the whole tuning gained. In our tokenizer a word carries the space before it, so after a space of its own the model has to begin with a token that it never saw in this place. A missing colon or a missing template costs about half as much. "Q" and "A" cost little, "Explain" nothing that we can measure.

In the answers none of this shows: they stop as often as ever. Whoever looks only at the text does not notice that the prompt is broken.

And **"not" changes nothing**, to the third digit. The model does not follow the question. It has learned to look for a name in it.

**A question about something else.**
#%% code {"tags": ["nbval-ignore-output"]}
# not compared: written text, which a rounding difference can change
strange = ["What is the capital of France?", "How are you?",
           "What does the moon do?", "What does asdkfj_qwpoe do?",
           "Please do not answer."]
for question, written in zip(strange, ask(models["tuned"], strange)):
    print(f"{question:32} {written.text(tokenizer).strip()}")
#%% md
Whatever the prompt is, a sentence of documentation comes back. The model has learned *one* instruction and applies it to everything. It repeats a name that it finds, a capital or a moon, and it answers when it is asked not to. Following instructions in general takes many kinds of instructions: {cite:t}`wei2022finetuned` tuned on more than sixty data sets, and a model of 137 billion parameters.

**What it has forgotten.** The weights that hold the old text were moved. We read held-out text of both kinds that the model was pretrained on.
#%% code {"compare": {"atol": 0.03}}
lengths = [len(token) for token in tokenizer.tokens(range(len(tokenizer)))]
lengths[END] = 0

def held_out(texts):
    ids = [END]
    for text in texts:
        ids += tokenizer.encode(text) + [END]
    return HeldOut.windows(ids, 257, token_bytes=torch.tensor(lengths))

texts = {
    "documentation": [r.text for r in docs.split("validation")[:250]],
    "Wikipedia": [r.text for r in corpora.wikipedia().split("validation")[:3]],
}
for kind, sample in texts.items():
    bits = [evaluate(m, NextToken(), held_out(sample)).bits_per_byte
            for m in models.values()]
    print(f"{kind:14s}", *(f"{n} {b:.2f} " for n, b in zip(models, bits)))
#%% md
Each training has made the model worse at its old trade, *plain* least. *Not masked* forgets most: it learned to predict the template and the names as well, which no documentation contains. That is the second effect of the mask, and here the larger one.

**It never says that it does not know.** No pair of the training says so. Look again at the answers above: the ones about the moon and about a name of random letters have the same form as all others.

**Our measures are blind to truth.** Loss, stop rate and common words all improve, and a sentence such as "Return the default value" can stand under any name. Whether an answer is true was measured only by *exact*, and that is 0.00.
