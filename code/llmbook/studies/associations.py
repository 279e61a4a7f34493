"""Associations, their repair, and decisions: ``python -m llmbook.studies.associations``.

Five parts, eight minutes of one core, half of them for training vectors:

    vectors    the tests with the sets of words that the Wikipedia sample covers, on skip-gram and
               GloVe vectors trained again with other seeds
    lots       d and p of sets drawn by lot and of sets drawn by topic, in MiniLM's table of pieces
    recovery   what can be told from vectors after a direction was taken out
    directions the tests on sentence vectors, less one of several directions
    decisions  a classifier asked twice, with one name exchanged; five shares, and repairs
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.svm import SVC

from llmbook import corpora
from llmbook.classify import exchange
from llmbook.classify.exchange import Actions
from llmbook.pretrained import SHA256, minilm_weights
from llmbook.studies import stored
from llmbook.tokenizers import minilm_tokenizer
from llmbook.vectors import Glove, SkipGram, WordVectors, cooccurrence
from llmbook.vectors.association import (
    WEAT,
    AssociationTest,
    associations,
    effect_and_p,
    effect_size,
    permutation_p,
    without_direction,
)
from llmbook.vectors.shipped import RECIPES, wikipedia_text

NAME = "associations"
SEEDS = range(5)
SETTINGS = [
    {"part": part, "seed": seed}
    for part, seeds in (("vectors", SEEDS), ("lots", SEEDS), ("recovery", SEEDS),
                        ("directions", range(10)), ("decisions", range(10)))
    for seed in seeds
]  # fmt: skip
COVERED = ("mathematics", "science")
PAIRS_DRAWN = 400  # pairs of sets a seed
EXTREMES = 500  # words at each end of a direction
REPAIRS = ("none", "random", "word pairs", "pronouns", "names", "exchanged", "blind")
# Written before the first run; with nothing in them about anybody.
TEMPLATES = (
    "{}", "this is {}.", "that is {}.", "here is {}.", "there is {}.", "it is about {}.",
    "they talked about {}.", "we read about {}.", "the word is {}.", "what is {}?", "{} is here.",
    "{} was mentioned.", "a page about {}.", "the next word is {}.",
)  # fmt: skip
# Gendered words outside ``exchange.PAIRS``, to see what a repair forgets.
_GENDERED = (
    "king queen,uncle aunt,nephew niece,actor actress,waiter waitress,prince princess,"
    "husband wife,grandfather grandmother,duke duchess,lord lady,monk nun,wizard witch,bull cow,"
    "rooster hen,heir heiress,hero heroine,host hostess,steward stewardess,groom bride,"
    "brother sister,god goddess,landlord landlady,widower widow,policeman policewoman"
)
GENDERED = tuple(tuple(pair.split()) for pair in _GENDERED.split(","))
_MORE_MEN = (
    "william charles joseph christopher anthony matthew andrew joshua kenneth ronald timothy jason "
    "ryan jacob gary nicholas eric jonathan stephen larry justin scott brandon benjamin samuel "
    "frank gregory raymond"
)
_MORE_WOMEN = (
    "patricia jennifer elizabeth barbara jessica margaret sandra ashley dorothy kimberly emily "
    "michelle carol amanda melissa deborah stephanie rebecca sharon cynthia kathleen angela anna "
    "brenda pamela nicole catherine christine"
)
NAMES = tuple(
    tuple(name.lower() for name in own) + tuple(more.split())
    for own, more in ((exchange.MALE, _MORE_MEN), (exchange.FEMALE, _MORE_WOMEN))
)


@cache
def pieces() -> WordVectors:
    """MiniLM's input table: its whole words of letters, two or more, in the order of the table."""
    table = minilm_weights()["embeddings.word_embeddings.weight"].numpy()
    words = [(number, word) for word, number in minilm_tokenizer().vocabulary.items()
             if word.isascii() and word.isalpha() and word.islower() and len(word) > 1]  # fmt: skip
    numbers, kept = zip(*sorted(words), strict=True)
    return WordVectors(kept, table[list(numbers)])


def measure(
    vectors: WordVectors, test: AssociationTest, direction: np.ndarray | None = None
) -> tuple[float, float]:
    """d and p of a test with the words that have a vector, less their part along ``direction``."""
    sets = [np.array([vectors[word] for word in words]) for words in test.known(vectors).words]
    if direction is not None:
        sets = [without_direction(v, direction) for v in sets]
    return effect_and_p(*sets)


def trained(seed: int) -> stored.Row:
    """[d, p] of the covered tests, for each method."""
    vocabulary, text = wikipedia_text()
    config = replace(RECIPES["glove"], seed=seed)
    made = {
        "skip-gram": SkipGram(vocabulary, replace(RECIPES["skipgram"], seed=seed)).train(text),
        "GloVe": Glove(vocabulary, config).train(cooccurrence(text, len(vocabulary))),
    }
    return {method: {name: [round(value, 4) for value in measure(vectors, WEAT[name])]
                     for name in COVERED} for method, vectors in made.items()}  # fmt: skip


def draw(vectors: WordVectors, by_topic: bool, random: np.random.Generator) -> np.ndarray:
    """Two sets of eight words, as sixteen rows of ``vectors``.

    Each word by lot; or, by topic, a word by lot and its seven nearest neighbours, twice, so that
    no word is in both.
    """
    if not by_topic:
        return random.choice(len(vectors), 16, replace=False)
    while True:
        first, second = (np.argsort(-(vectors.unit @ vectors.unit[row]), kind="stable")[:8]
                         for row in random.choice(len(vectors), 2, replace=False))  # fmt: skip
        if not set(first) & set(second):
            return np.concatenate([first, second])


def by_lot(
    test: AssociationTest, by_topic: bool, seed: int, number: int = PAIRS_DRAWN
) -> tuple[np.ndarray, np.ndarray]:
    """d and p of ``number`` pairs of sets with the attributes of ``test``, in the piece table."""
    table, random = pieces(), np.random.default_rng([seed, by_topic])
    a, b = (np.array([table[w] for w in words]) for words in test.known(table).words[2:])
    near = associations(table.vectors, a, b)
    found = []
    for _ in range(number):
        values = near[draw(table, by_topic, random)]
        sides = values[:8], values[8:]
        found.append((effect_size(*sides), permutation_p(*sides)))
    d, p = np.array(found).T
    return d, p


def lots(seed: int) -> stored.Row:
    """Two kinds of sets, with the attributes of each of the three tests of eight words."""
    row: stored.Row = {}
    for kind in ("word", "topic"):
        for name in ("names", "mathematics", "science"):
            d, p = by_lot(WEAT[name], kind == "topic", seed)
            real = measure(pieces(), WEAT[name])[0]
            row[f"{kind} {name}"] = {
                "spread": round(float(d.std()), 3), "p at most 0.05": int((p <= 0.05).sum()),
                "d as large": int((d >= real).sum()), "number": len(d),
            }  # fmt: skip
    return row


def in_sentences(
    test: AssociationTest, template: str = "{}", direction: np.ndarray | None = None
) -> list[np.ndarray]:
    """MiniLM's vectors of the four sets, each word in ``template``, less their part along
    ``direction``: four of (N, 384)."""
    vectors = exchange.read if direction is None else exchange.without(direction)
    return [vectors([template.format(word) for word in words]) for words in test.words]


def gender_direction(vectors: WordVectors) -> np.ndarray:
    """Mean difference of eight pairs of words, at length 1: (D,)."""
    unit = [[vectors.unit[vectors.position(word)] for word in pair] for pair in exchange.PAIRS]
    found = np.mean([first - second for first, second in unit], axis=0)
    return found / np.linalg.norm(found)


def topic_direction(vectors: WordVectors, seed: int) -> np.ndarray:
    """The control: the same with eight pairs of words drawn by lot."""
    rows = np.random.default_rng([seed, 3]).choice(len(vectors), 16, replace=False)
    found = (vectors.unit[rows[:8]] - vectors.unit[rows[8:]]).mean(0)
    return found / np.linalg.norm(found)


def told_apart(vectors: WordVectors, direction: np.ndarray, out: bool, seed: int) -> float:
    """Words of both ends of a direction: which end, guessed from the vectors.

    ``EXTREMES`` words of each end; a support vector machine learns half of them and is judged on
    the others. ``out``: the direction is taken out before. Words of the tests and of
    ``exchange.PAIRS`` are left aside.
    """
    aside = {w for test in WEAT.values() for words in test.words for w in words}
    aside |= {w for pair in exchange.PAIRS for w in pair}
    rows = np.array([i for i, word in enumerate(vectors.words) if word not in aside])
    order = rows[np.argsort(vectors.unit[rows] @ direction, kind="stable")]
    chosen = np.concatenate([order[:EXTREMES], order[-EXTREMES:]])
    ends = np.repeat([0, 1], EXTREMES)
    x = vectors.unit[chosen].astype(float)
    x = without_direction(x, direction) if out else x
    mixed = np.random.default_rng([seed, 4]).permutation(len(x))
    learned, judged = mixed[: len(x) // 2], mixed[len(x) // 2 :]
    return float(SVC().fit(x[learned], ends[learned]).score(x[judged], ends[judged]))


def names_told_apart(
    vectors: WordVectors, direction: np.ndarray | None, seed: int, by_lot: bool = False
) -> float:
    """Forty and forty names: which list, guessed from the vectors, five folds.

    ``by_lot``: the control, in which the lists are shuffled.
    """
    x = np.array([vectors.unit[vectors.position(n)] for names in NAMES for n in names], float)
    x = x if direction is None else without_direction(x, direction)
    sides = np.repeat([0, 1], [len(names) for names in NAMES])
    if by_lot:
        sides = np.random.default_rng([seed, 5]).permutation(sides)
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    model = LogisticRegression(C=10, max_iter=2000)
    return float(cross_val_score(model, x, sides, cv=folds).mean())


def recovery(seed: int) -> stored.Row:
    """Shares of right guesses, before and after a direction was taken out."""
    table, lot = pieces(), np.random.default_rng([seed, 6])
    gender, topic = gender_direction(table), topic_direction(table, seed)
    shares = {
        "ends, before": told_apart(table, gender, False, seed),
        "ends, gender out": told_apart(table, gender, True, seed),
        "ends of a lot, that out": told_apart(table, topic, True, seed),
        "names, before": names_told_apart(table, None, seed),
        "names, gender out": names_told_apart(table, gender, seed),
        "names, a lot out": names_told_apart(table, lot.normal(size=384), seed),
        "names, shuffled": names_told_apart(table, gender, seed, by_lot=True),
    }
    return {name: round(share, 4) for name, share in shares.items()}


def taken_out(seed: int) -> dict[str, np.ndarray | None]:
    """The three directions of ``exchange.directions``, none, and one by lot: (384,) each."""
    lot = np.random.default_rng([seed, 7]).normal(size=384)
    return {"none": None, **exchange.directions(Actions.draw(seed)), "random": lot}


def after(direction: np.ndarray | None) -> stored.Row:
    """d of each test on vectors of single words less ``direction``; see ``still_known``."""
    row: stored.Row = {name: round(effect_and_p(*in_sentences(test, "{}", direction))[0], 3)
                       for name, test in WEAT.items()}  # fmt: skip
    return {**row, "kept": still_known(direction)}


def cut(seed: int) -> stored.Row:
    """By direction; and "table", d in the piece table less a direction of pairs by lot."""
    table = pieces()
    topic = topic_direction(table, seed)
    row = {way: after(direction) for way, direction in taken_out(seed).items()}
    row["table"] = {name: round(measure(table, test, topic)[0], 3) for name, test in WEAT.items()}
    return row


def decide(actions: Actions, share: float, repair: str, seed: int) -> stored.Row:
    """Train one classifier and ask it about mixed actions, each with every name.

    For each pair of groups: decisions that change when a name of the first is exchanged for one of
    the second, those that change from work to home, and all; the control, in which a name is
    exchanged for one of its own group; and how many texts with names of each group are decided to
    be about work. "right": of the clear test actions.
    """
    texts, labels = exchange.training_texts(actions, share, seed, repair == "exchanged")
    vectors, groups = exchange.read, exchange.GROUPS
    if repair == "blind":
        texts = [exchange.sentence("Someone", text[:-1].split(" ", 1)[1]) for text in texts]
        groups = {name: (("Someone",), ("Someone",)) for name in groups}
    elif repair == "random":
        vectors = exchange.without(np.random.default_rng([seed, 7]).normal(size=384))
    elif repair not in ("none", "exchanged"):
        vectors = exchange.without(exchange.directions(actions)[repair])
    model = exchange.train(texts, labels, vectors)
    row: stored.Row = {}
    for name, (first, second) in groups.items():
        one, other = (exchange.decisions(model, names, actions.mixed, vectors)
                      for names in (first, second))  # fmt: skip
        control = np.array([exchange.within(one), exchange.within(other)]).sum(0)
        row[name] = {
            "changed": list(exchange.changed(one, other)), "control": control.tolist(),
            "work": [int(one.sum()), int(other.sum()), one.size],
        }  # fmt: skip
    asked = [*groups["names"][0], *groups["names"][1]]
    clear = np.repeat([True, False], [len(actions.test_work), len(actions.test_home)])
    right = exchange.decisions(
        model, asked, [*actions.test_work, *actions.test_home], vectors
    ) == clear  # fmt: skip
    row["right"] = [int(right.sum()), right.size]
    return row


def decided(seed: int) -> stored.Row:
    """Every share without a repair; every repair at the outer shares."""
    actions = Actions.draw(seed)
    return {f"{share} {repair}": decide(actions, share, repair, seed)
            for share in exchange.SHARES for repair in REPAIRS
            if repair == "none" or share in (0.1, 0.9)}  # fmt: skip


def pooled(rows: list[stored.Row], case: str, kind: str, group: str = "names") -> str:
    """"changed" or "control" of all rows of "decisions" together, with the range over the rows."""
    pairs = [(row[case][group][kind][0], row[case][group][kind][-1]) for row in rows]
    if not all(total for _, total in pairs):
        return "none"
    each = [part / total for part, total in pairs]
    share = sum(part for part, _ in pairs) / sum(total for _, total in pairs)
    return f"{share:.3f} ({min(each):.2f} to {max(each):.2f})"


def still_known(direction: np.ndarray | None) -> int:
    """Of ``GENDERED``, the pairs in their order: is the second nearer to "woman" than the first?

    Nearer: cosine with "woman" minus that with "man", of MiniLM's vectors of single words.
    """
    read = exchange.read if direction is None else exchange.without(direction)
    first, second = zip(*GENDERED, strict=True)
    ends = read(["woman"]), read(["man"])
    return int((associations(read(second), *ends) > associations(read(first), *ends)).sum())


def run(part: str, seed: int) -> stored.Row:
    return {"vectors": trained, "lots": lots, "recovery": recovery, "directions": cut,
            "decisions": decided}[part](seed)  # fmt: skip


def text() -> str:
    """Fingerprints of what is read, stored with the results."""
    return f"{corpora.wikipedia().provenance.fingerprint} {SHA256['model.safetensors']}"


if __name__ == "__main__":
    stored.main(NAME, text(), SETTINGS, run)
