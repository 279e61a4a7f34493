import re, random, time
from collections import Counter
from llmbook import corpora
PACKAGES = ("matplotlib", "networkx", "nltk", "scikit-learn", "scipy", "sqlalchemy", "sympy", "torch")
ALIASES = "matplotlib pyplot mpl networkx nltk scikit-learn scikit sklearn scipy sqlalchemy sympy torch pytorch numpy pandas"
NAMES = re.compile(r"\b(" + "|".join(re.escape(n) for n in sorted(ALIASES.split(), key=len, reverse=True)) + r")\w*", re.I)
DOTTED = re.compile(r"\w+(?:\.\w+)+(?:\(\))?")
def mask(text):
    return NAMES.sub("package", DOTTED.sub("name", text))
def load(sizes={"train": 2000, "validation": 400, "test": 800}, seed=0):
    docs = corpora.docstrings()
    out = {}
    for split, size in sizes.items():
        rows = [r for r in docs.split(split) if r.package in PACKAGES and len(corpora.words(mask(r.text))) >= 8]
        rng = random.Random(seed); by = {p: [r for r in rows if r.package == p] for p in PACKAGES}
        picked = []
        for p in PACKAGES:
            rng.shuffle(by[p]); picked += by[p][: size // len(PACKAGES)]
        rng.shuffle(picked)
        out[split] = [(mask(r.text), PACKAGES.index(r.package)) for r in picked]
        print(split, Counter(PACKAGES[l] for _, l in out[split]), {p: len(by[p]) for p in PACKAGES})
    return out
if __name__ == "__main__":
    d = load()
    for t, l in d["train"][:8]: print(PACKAGES[l], "|", t[:160].replace("\n", " "))
