#%% md
# Full, frozen, or a small addition

After this lab you can

- train a network in four ways, all of it, its head alone, its upper half, or low-rank adapters, and compare them fairly;
- compute a low-rank adapter by hand, merge it, and prove that the merged network is the same;
- check an implementation of LoRA against peft, on the layers of a real model;
- save an adapter by itself, and say what the file does not contain;
- recognize four mistakes with adapters by what they do to the result.

You need {doc}`how_many_labels`, whose task and texts we use again.
#%% code
from llmbook import environment
environment.start()
#%% code
import tempfile
import time
import warnings
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from sklearn.linear_model import LogisticRegression
from torch import nn

from llmbook import pretrained
from llmbook.models import Bert, load_minilm
from llmbook.studies import labels as study
from llmbook.training import (
    ClassLabel, Examples, Trainer, TrainingConfig)
from llmbook.tuning import (
    Classifier, LoRALinear, accuracy, adapters, add_lora, compare, freeze,
    load_adapters, macro_f1, merge_lora, save_adapters, trained_parameters)
#%% md
## An addition of rank one

Fine-tuning changes a matrix $W$ into $W + \Delta W$. {cite:t}`hu2022lora` keep $W$ as it is and train $\Delta W$ alone, as a product of two thin matrices:

$$
\Delta W = \frac{\alpha}{r}\, B A, \qquad B\colon (\text{out}, r), \quad A\colon (r, \text{in}).
$$ (eq-lora)

The number $r$ is the **rank**. This is {term}`low-rank adaptation`, LoRA. Take $W$ with three rows and two columns, $r = 1$ and $\alpha = \tfrac12$.

```{admonition} Predict
:class: predict
$A = (1\ \ 2)$, $B = (0, 1, -1)^\top$, $x = (3, 1)$. Compute $A x$ first, one number; then $\tfrac12 B (A x)$. What is added to the three outputs?
```
#%% code
W = torch.tensor([[1., 0.], [0., 1.], [1., 1.]])      # (out, in)
A = torch.tensor([[1., 2.]])                          # (r, in)
B = torch.tensor([[0.], [1.], [-1.]])                 # (out, r)
x, scale = torch.tensor([3., 1.]), 0.5 / 1            # alpha / r

print("A x             ", (A @ x).tolist())
print("added           ", (scale * B @ (A @ x)).tolist())
print("together        ", (W @ x + scale * B @ (A @ x)).tolist())
merged = W + scale * B @ A
print("merged W        ", merged.tolist())
print("merged W times x", (merged @ x).tolist())
#%% md
Two ways to the same three numbers. Beside $W$, the adapter costs two small products more. **Merged** into $W$, it costs nothing: afterwards there is one matrix of the old shape. The library does the same.
#%% code
linear = nn.Linear(2, 3, bias=False)
linear.weight.data = W.clone()
layer = LoRALinear(linear, rank=1, alpha=0.5).eval()
layer.A.data, layer.B.data = A.clone(), B.clone()
before = layer(x)
layer.merge()
assert torch.equal(before, merged @ x)
assert torch.equal(layer(x), before)
assert torch.equal(layer.linear.weight, merged)
print("by hand = library, unmerged = merged")
#%% md
```{admonition} Predict
:class: predict
$W$ has six numbers here, $A$ and $B$ together five: no great saving. A projection in MiniLM is 384 × 384. How many numbers does it have, and how many an adapter of rank 8?
```
#%% code
full, low = 384 * 384, 8 * (384 + 384)
print(f"{full:,} against {low:,}, {low / full:.1%}")
#%% md
At the start $B$ is zero, so that the first step begins at the pretrained network itself. $A$ is random. Would it not be simpler to begin with both at zero?

```{admonition} Predict
:class: predict
The gradient of $B$ contains $A x$, the gradient of $A$ contains $B$. With $B = 0$ and $A$ random, which of the two moves in the first step? With both zero?
```
#%% code
for name, start in (("A random, B zero", 1.0), ("both zero", 0.0)):
    torch.manual_seed(0)
    layer = LoRALinear(nn.Linear(2, 3), rank=1, alpha=1.0)
    layer.A.data *= start
    layer(x).square().sum().backward()
    moved = [n for n in "AB" if getattr(layer, n).grad.abs().sum() > 0]
    print(f"{name}: a gradient for {' and '.join(moved) or 'neither'}")
#%% md
With both at zero nothing would ever be learned. With $A$ random, $B$ moves first and $A$ from the second step on.

## The same as peft

peft is the library that most people use for adapters. We put adapters on the queries and values of MiniLM {cite:p}`wang2020minilm`, in our model and in Transformers' own, copy random $A$ and $B$ from one to the other, and send the same text through both.
#%% code
warnings.filterwarnings("ignore", category=FutureWarning)  # in peft
ours = load_minilm().eval()
add_lora(ours, ("query", "value"), rank=8, alpha=16)
theirs = get_peft_model(pretrained.minilm()[0], LoraConfig(
    r=8, lora_alpha=16, target_modules=["query", "value"])).eval()

torch.manual_seed(0)
for path, adapter in adapters(ours).items():
    block, name = path.split(".")[2], path.split(".")[-1]
    other = theirs.base_model.model.get_submodule(
        f"encoder.layer.{block}.attention.self.{name}")
    for mine, there in ((adapter.A, other.lora_A),
                        (adapter.B, other.lora_B)):
        mine.data = torch.randn_like(mine) * 0.1
        there["default"].weight.data = mine.data.clone()
print(len(adapters(ours)), "adapters in", len(ours.stack.blocks), "blocks")
#%% code
ids = torch.tensor([study.encoded("MiniLM", "test")[113]])
with torch.no_grad():
    mine, there = ours(ids), theirs(ids).last_hidden_state
    plain = load_minilm().eval()(ids)
    assert torch.allclose(mine, there, atol=1e-4)
    merge_lora(ours)
    assert torch.allclose(ours(ids), mine, atol=1e-4)
    there = theirs.merge_and_unload()(ids).last_hidden_state
    assert torch.allclose(ours(ids), there, atol=1e-4)
print("ours = peft's, merged or not;",
      f"without adapters it differs by {(mine - plain).abs().max():.1f}")
assert (mine - plain).abs().max() > 0.1
#%% md
## Four ways to train MiniLM

The task is that of {doc}`how_many_labels`, with 100 labels and 800 test texts. Four ways:

- **frozen**: MiniLM is a fixed function; a logistic regression learns from its vectors;
- **LoRA**: adapters of rank 8 on queries and values, and a head;
- **upper half**: blocks 3 to 5 and a head; embeddings and blocks 0 to 2 stay;
- **full**: everything.
#%% code
few = study.subset(100, seed=0)
truth, train_truth = study.texts("test")[1], study.texts("train")[1]
rows = {s: study.encoded("MiniLM", s) for s in ("train", "test")}

def prepare(kind, seed=0):
    torch.manual_seed(seed)
    model = Classifier(load_minilm(), 8)
    if kind == "LoRA":
        add_lora(model.encoder, ("query", "value"), rank=8, alpha=16)
    if kind == "upper half":
        freeze(model, "embeddings", 0, 1, 2)
    if kind == "frozen":
        freeze(model, "encoder")
    return model

everything = trained_parameters(prepare("full"))
for kind in ("frozen", "LoRA", "upper half", "full"):
    number = trained_parameters(prepare(kind))
    print(f"{kind:11s} {number:>11,d} trained, {number / everything:8.2%}")
#%% md
Each of the three that need a training loop gets 48 steps of 16 texts. Each has its own learning rate; for LoRA and for full fine-tuning we tried two and took the one that was better on the validation texts.

```{admonition} Predict
:class: predict
The four train 3,080, about 77 thousand, about 5 million and 22.6 million numbers, with one hundred labels. Which wins? And how do the seconds compare: is LoRA as much faster as it is smaller?
```
#%% code
RATES = {"LoRA": 3e-3, "upper half": 3e-4, "full": 1e-4}

def train(model, learning_rate, seed=0):
    config = TrainingConfig(
        steps=48, batch_size=16, learning_rate=learning_rate,
        final_rate=0.05, warm_up=5, weight_decay=0.01,
        betas=(0.9, 0.999), seed=seed)
    examples = [{"ids": rows["train"][i], "label": int(train_truth[i])}
                for i in few]
    trainer = Trainer(model, ClassLabel(), Examples(examples, seed=seed),
                      config, quiet=True)
    losses = trainer.fit().losses
    return sum(losses[-10:]) / 10

def vectors_of(model, texts):
    model.eval()
    with torch.no_grad():
        return torch.cat([model.pool(torch.tensor([t])) for t in texts])
#%% code
models, guesses, losses, seconds = {}, {}, {}, {}
start = time.process_time()
frozen = prepare("frozen")
features = vectors_of(frozen, [rows["train"][i] for i in few]).numpy()
regression = LogisticRegression(C=0.1, max_iter=2000)
regression.fit(features, train_truth[few])
seconds["frozen"] = time.process_time() - start
guesses["frozen"] = regression.predict(
    vectors_of(frozen, rows["test"]).numpy())

for kind, rate in RATES.items():
    start = time.process_time()
    models[kind] = prepare(kind)
    losses[kind] = train(models[kind], rate)
    seconds[kind] = time.process_time() - start
    guesses[kind] = models[kind].predict(rows["test"]).numpy()
#%% code {"compare": {"atol": 0.04}}
print(f"{'':11s} {'accuracy':20s} {'macro-F1':20s}")
for kind, guess in guesses.items():
    print(f"{kind:11s} {accuracy(truth, guess)} {macro_f1(truth, guess)}")
for kind in ("LoRA", "upper half", "frozen"):
    print(f"full minus {kind}: "
          f"{compare(truth, guesses['full'], guesses[kind])}")
#%% code {"tags": ["nbval-ignore-output"]}
# not compared: seconds are the machine's
for kind, spent in seconds.items():
    print(f"{kind:11s} {spent:5.1f} CPU seconds for training")
#%% md
The four intervals overlap widely, and those of the differences hold zero or touch it: with a hundred labels and one seed, the four cannot be told apart. Training 3,080 numbers does as well as training 22.6 million. The study in {doc}`how_many_labels` has three seeds and more labels.

What differs is the bill, and not as the sizes suggest. LoRA trains 0.34 % of the numbers and takes well over half of the time of full fine-tuning. Its forward pass is the same, and the gradient must travel down to the first block, where the lowest adapter is. What it saves is the gradient of each $W$, and the two numbers that AdamW remembers for each trained one: memory more than time. The upper half trains seventy times as many numbers as LoRA, in about the same time, because there the gradient stops half-way. Frozen is another kind of cheap: each text goes through the network once, forward only.

## What is saved

A fine-tuned network is as large as the network. An adapter is not.
#%% code
folder = Path(tempfile.mkdtemp())
save_adapters(models["LoRA"], folder / "adapter.safetensors",
              also=["head"])
torch.save(models["full"].state_dict(), folder / "full.pt")
sizes = {p.name: p.stat().st_size for p in folder.iterdir()}
small, large = sizes["adapter.safetensors"], sizes["full.pt"]
print(f"adapter and head {small / 1000:,.0f} kB, "
      f"whole network {large / 1e6:,.0f} MB, {large / small:,.0f} times")

fresh = Classifier(load_minilm(), 8)
load_adapters(fresh, folder / "adapter.safetensors")
some = rows["test"][:400]
again = fresh.predict_proba(some)
assert torch.allclose(again, models["LoRA"].predict_proba(some))
again = again.argmax(1).numpy()
#%% md
Ten tasks are ten such files beside one MiniLM. What the file does not contain is MiniLM itself: without exactly these weights it means nothing, and that is where most mistakes come from.

## Where this breaks

Each of these four mistakes runs without an error, in our library or in a script without its checks. All are measured on 400 of the test texts.

```{admonition} Predict
:class: predict
**The scale is forgotten.** Somebody loads $A$ and $B$, and adds $BA$ instead of $\tfrac{\alpha}{r} BA$, with $\tfrac{\alpha}{r} = 2$. Half of what was learned, or nothing? And four times as much?
```
#%% code {"compare": {"atol": 0.06}}
def with_scale(scale):
    for adapter in adapters(fresh).values():
        adapter.alpha = scale * adapter.rank
    return accuracy(truth[:400], fresh.predict(some).numpy())

for scale in (0, 1, 2, 8):
    print(f"alpha / r = {scale}: {with_scale(scale)}")
restored = with_scale(2)
#%% md
Nobody would notice. Half of the addition costs nothing that can be measured, 0.580 against 0.588; even without any, the trained head on plain MiniLM reaches 0.547. On this task the head does most of the work. That makes the mistake a quiet one: the program runs and the accuracy is plausible. Four times as much as in training, and it shows: 0.340. A comparison of *outputs*, as with peft above, finds either mistake at once.

**The base is another.** The same file, on three networks of the same shape: the right one, one with random weights, and one that somebody else has fine-tuned fully, for the very same task.
#%% code {"compare": {"atol": 0.06}}
def on_base(encoder):
    model = Classifier(encoder, 8)
    load_adapters(model, folder / "adapter.safetensors")
    return accuracy(truth[:400], model.predict(some).numpy())

torch.manual_seed(0)
config = load_minilm().config
tuned = Bert(config)
tuned.load_state_dict(models["full"].encoder.state_dict())
for name, encoder in (("MiniLM", load_minilm()),
                      ("random weights", Bert(config)),
                      ("fine-tuned MiniLM", tuned)):
    print(f"{name:18s} {on_base(encoder)}")
#%% md
On random weights the file is worth 0.133, hardly more than chance. The third line is the treacherous one. Base and adapter have both learned this very task, and together they reach 0.525, less than the adapter on the base that it was trained with. `load_adapters` cannot notice, since all shapes fit. Whoever publishes an adapter should name its base with a checksum.

**The learning rate of full fine-tuning is used for LoRA.** It is thirty times smaller than that of LoRA above.

```{admonition} Predict
:class: predict
Same adapters, same texts, same steps, learning rate $0.0001$ instead of $0.003$. What will the training loss look like? ($\ln 8 = 2.08$ is the loss of a guess.)
```
#%% code {"compare": {"atol": 0.06}}
slow = prepare("LoRA")
slow_loss = train(slow, RATES["full"])
print(f"training loss at the end: {losses['LoRA']:.1f} with 0.003, "
      f"{slow_loss:.1f} with 0.0001;")
print(f"full fine-tuning with 0.0001: {losses['full']:.1f}")
for name, guess in (("0.003 ", again), ("0.0001", slow.predict(some).numpy())):
    print(name, accuracy(truth[:400], guess))
#%% md
The loss stays where guessing is, 2.1, and the accuracy is 0.228. With the same rate and the same number of steps, full fine-tuning brought its loss to 0.7. Millions of numbers that each move a little can do together what a few thousand cannot, and $B$ begins at zero. So a LoRA that "does not work" may be a LoRA with a borrowed rate, and a comparison in which only one side had its rate chosen says little.

**Merged twice.** A script merges the adapter, saves the network, loads it with the adapter still beside it, and merges again.
#%% code {"compare": {"atol": 0.06}}
merge_lora(fresh)
once = accuracy(truth[:400], fresh.predict(some).numpy())
try:
    merge_lora(fresh)
except ValueError as error:
    print("ours refuses:", error)
for adapter in adapters(fresh).values():     # what a script would do
    adapter.linear.weight.data += adapter.delta()
twice = accuracy(truth[:400], fresh.predict(some).numpy())
print("merged once ", once)
print("merged twice", twice)
#%% md
From 0.588 to 0.497, without any error. Our layer keeps a flag beside its numbers, which is saved and loaded with them, so that a merged adapter cannot be merged again. Plain tensors have no memory.

Next: {doc}`following_instructions`.
