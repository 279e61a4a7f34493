"""Labels x methods on package labels. fp32, one thread, T = 48. Prints as it goes."""
import sys, time, copy, random
import numpy as np, torch
from data import load, PACKAGES
from llmbook import pretrained, vectors, corpora
from llmbook.models import load_minilm
from llmbook.tokenizers import WordPieceTokenizer
from llmbook.tuning import *
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
torch.set_num_threads(1)
T = 48
d = load()
tok = WordPieceTokenizer.load(pretrained.minilm_folder() / "tokenizer.json")
def enc(t):
    ids = tok.encode(t); return ids if len(ids) <= T else [*ids[:T-1], ids[-1]]
X = {s: [enc(t) for t, _ in rows] for s, rows in d.items()}
text = {s: [t for t, _ in rows] for s, rows in d.items()}
Y = {s: np.array([l for _, l in rows]) for s, rows in d.items()}
SIZES = (100, 500, 2000); PRED = {}
def subset(n, seed=0):  # balanced as far as 8 divides n
    order = np.random.default_rng(seed).permutation(2000) if n < 2000 else np.arange(2000)
    if n == 2000: return order
    per, out = n // 8, []
    extra = n - 8 * per
    for c in range(8):
        out += [i for i in order if Y["train"][i] == c][: per + (c < extra)]
    return np.array(out)
def report(name, n, seed, pred, cpu, trained, note=""):
    PRED[name, n, seed] = pred
    print(f"{name:22s} n={n:4d} seed={seed} acc {accuracy(Y['test'], pred)}  F1 {macro_f1(Y['test'], pred)}  cpu {cpu:6.1f}s  trained {trained:>10,d} {note}", flush=True)
clock = time.process_time
def best_lr(make, train, val, test, n, Cs=(0.1, 1, 10, 100)):
    best = max(Cs, key=lambda C: make(C).fit(train, n[0]).score(val, Y["validation"]))
    m = make(best).fit(train, n[0]); return m, best
LR = lambda C: LogisticRegression(C=C, max_iter=2000)
which = sys.argv[1].split(",")
seeds = range(3)
if "tfidf" in which:
    for n in SIZES:
        for s in (seeds if n < 2000 else [0]):
            t = clock(); i = subset(n, s)
            v = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 1)); A = v.fit_transform([text["train"][k] for k in i])
            m, C = best_lr(LR, A, v.transform(text["validation"]), None, (Y["train"][i],))
            report("TF-IDF + LR", n, s, m.predict(v.transform(text["test"])), clock()-t, m.coef_.size + 8, f"C={C}")
if "words" in which:
    wv = vectors.shipped("skipgram")
    def avg(texts):
        rows = []
        for x in texts:
            k = [wv.index[w] for w in corpora.words(x) if w in wv]
            rows.append(wv.unit[k].mean(0) if k else np.zeros(wv.vectors.shape[1]))
        return np.array(rows)
    t0 = clock(); W = {s: avg(text[s]) for s in text}; t0 = clock() - t0
    for n in SIZES:
        for s in (seeds if n < 2000 else [0]):
            t = clock(); i = subset(n, s)
            m, C = best_lr(LR, W["train"][i], W["validation"], None, (Y["train"][i],))
            report("word vectors + LR", n, s, m.predict(W["test"]), clock()-t+t0, m.coef_.size + 8, f"C={C}")
if "frozen" in which:
    m = Classifier(load_minilm(), 8); freeze(m, "encoder")
    def embed(texts):
        out = torch.empty(len(texts), 384)
        with evaluating(m), torch.no_grad():
            for b in by_length(texts, 32):
                rows = [texts[i] for i in b]; out[b] = m.pool(pad(rows), attention_mask(rows))
        return out
    t0 = clock(); E = {s: embed(X[s]) for s in X}; t0 = clock() - t0
    print("embedding", sum(map(len, X.values())), "texts", round(t0, 1), "cpu s", flush=True)
    for n in SIZES:
        for s in (seeds if n < 2000 else [0]):
            i = subset(n, s); t = clock()
            l, C = best_lr(LR, E["train"][i].numpy(), E["validation"].numpy(), None, (Y["train"][i],))
            per = t0 / 3200
            report("frozen + LR", n, s, l.predict(E["test"].numpy()), clock()-t + per*(n+800), l.coef_.size+8, f"C={C}")
            t = clock(); torch.manual_seed(s)
            head = torch.nn.Linear(384, 8); opt = torch.optim.AdamW(head.parameters(), lr=1e-2, weight_decay=0.01)
            e, y = E["train"][i], torch.tensor(Y["train"][i])
            for step in range(300):
                b = torch.randint(len(i), (64,)); loss = classification_loss(head(e[b] ), y[b]); opt.zero_grad(); loss.backward(); opt.step()
            report("frozen + head", n, s, head(E["test"]).argmax(1).numpy(), clock()-t + per*(n+800), 8*385)
def train(n, seed, kind, epochs, lr, B=16, val=False):
    torch.manual_seed(seed); t = clock()
    m = Classifier(load_minilm(), 8)
    if kind == "lora": add_lora(m.encoder, rank=8, alpha=16, generator=torch.Generator().manual_seed(seed))
    if kind == "partial": freeze(m, "embeddings", 0, 1, 2, 3)
    params = [{"params": [p for p in m.encoder.parameters() if p.requires_grad], "lr": lr}, {"params": m.head.parameters(), "lr": max(lr, 2e-3)}]
    opt = torch.optim.AdamW(params, weight_decay=0.01)
    i = subset(n, seed); texts = [X["train"][k] for k in i]; y = torch.tensor(Y["train"][i])
    steps = epochs * -(-n // B); k = 0; losses = []
    m.train()
    for e in range(epochs):
        order = torch.randperm(n)
        for start in range(0, n, B):
            f = min((k + 1) / (0.1 * steps), 1) * max(0.0, (1 - k / steps))
            for g, base in zip(opt.param_groups, (lr, max(lr, 2e-3))): g["lr"] = base * f
            b = order[start:start+B].tolist(); rows = [texts[j] for j in b]
            loss = classification_loss(m(pad(rows), attention_mask(rows)), y[b])
            opt.zero_grad(); loss.backward(); torch.nn.utils.clip_grad_norm_(m.parameters(), 1.0); opt.step(); k += 1
            losses.append(loss.item())
    spent = clock() - t
    tv = clock(); v = (m.predict(X["validation"]).numpy() == Y["validation"]).mean() if val else float("nan")
    pred = m.predict(X["test"]).numpy()
    report(kind, n, seed, pred, spent, trained_parameters(m), f"ep={epochs} lr={lr:g} val {v:.3f} last loss {np.mean(losses[-10:]):.2f} predict {clock()-tv:.1f}s")
    return m
for item in which:
    if ":" in item:  # kind:n:seed:epochs:lr
        kind, n, seed, epochs, lr = item.split(":")
        train(int(n), int(seed), kind, int(epochs), float(lr))
import pickle; pickle.dump((PRED, Y["test"]), open(f"pred_{int(time.time())}.pkl", "wb"))
print("total cpu", round(clock(), 1))
