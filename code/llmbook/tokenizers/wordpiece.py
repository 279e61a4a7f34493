"""BERT's uncased tokenizer: normalize, cut into words, and cut words by greedy longest match.

WordPiece (Schuster & Nakajima 2012; Wu et al. 2016, section 4.1) has no merges when it encodes: the
longest token that begins the word is taken, then the longest that begins the rest, which is spelled
with "##" before it because it continues a word. Normalization is that of Devlin et al. (2019), in
their tokenization.py: it loses case, accents and spacing, so decoding does not give the text back.

Not here: how a vocabulary is learned (Google did not publish its program), cased models, padding,
truncation. Characters are classed by Python's ``unicodedata``; Hugging Face's older tables differ
for characters added to Unicode since some 2016. Taught in chapter 2.
"""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from operator import index
from pathlib import Path

from llmbook.tokenizers.pretokenize import special_pattern
from llmbook.tokenizers.tokenizer_json import check_ids, load_wordpiece, loading, save_wordpiece

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LONGEST_WORD = 100  # characters; a longer one is [UNK]
CACHED_WORDS = 2**16

# Chinese characters, each a word of its own. Not kana and hangul, whose words have spaces or are
# left to WordPiece. The ranges are those of BERT's tokenization.py; Hugging Face's leave out the
# first 256 characters of extension E.
CJK = ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F),
       (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F))  # fmt: skip


class _Table(dict):
    """What ``str.translate`` puts for each character, computed when it is first met."""

    def __init__(self, rule: Callable[[str], str]) -> None:
        self.rule = rule

    def __missing__(self, code: int) -> str:
        self[code] = self.rule(chr(code))
        return self[code]


def _clean(character: str) -> str:
    if character in "\t\n\r":
        return " "
    # A character that Python does not know yet, such as a new emoji, stays, and becomes [UNK].
    if character == "\ufffd" or unicodedata.category(character) in ("Cc", "Cf", "Co", "Cs"):
        return ""
    if character.isspace():
        return " "
    is_cjk = any(first <= ord(character) <= last for first, last in CJK)
    return f" {character} " if is_cjk else character


def _fold(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Mn":  # a mark on the character before it, such as an accent
        return ""
    if category[0] == "P" or character in string.punctuation:
        return f" {character} "
    return character.lower()


_CLEAN, _FOLD = _Table(_clean), _Table(_fold)


def split_words(text: str) -> list[str]:
    """Words, punctuation signs and Chinese characters of a text, in small letters.

    Example: ``split_words("Café, 你好!") == ["cafe", ",", "你", "好", "!"]``

    Control characters and halves of surrogate pairs are dropped. Small letters are found one
    character at a time, so a Greek final sigma is "σ", as in Hugging Face's tokenizer.
    """
    apart = unicodedata.normalize("NFD", text.translate(_CLEAN))  # "é" is "e" and a mark
    return apart.translate(_FOLD).split()


class WordPieceTokenizer:
    """Text to token ids and back, given a vocabulary.

    vocabulary   id of each token, 0 to V - 1; it holds [PAD], [UNK], [CLS], [SEP] and [MASK], and
                 tokens that continue a word begin with "##"

    Raises ``ValueError`` if something does not fit.
    """

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        self.vocabulary = dict(vocabulary)
        lacking = [token for token in SPECIAL_TOKENS if token not in self.vocabulary]
        if lacking:
            raise ValueError(f"the vocabulary lacks {', '.join(lacking)}, which BERT needs")
        check_ids(self.vocabulary.values())
        self.special_tokens = {token: self.vocabulary[token] for token in SPECIAL_TOKENS}
        self._special = special_pattern(SPECIAL_TOKENS)
        self._token_of = {i: token for token, i in self.vocabulary.items()}
        self._ids_of = lru_cache(CACHED_WORDS)(self._match)  # of a word; tuples, as it shares them

    def __len__(self) -> int:
        """V, the special tokens included."""
        return len(self.vocabulary)

    def __reduce__(self):
        """For pickle: the vocabulary without the cache."""
        return type(self), (self.vocabulary,)

    def encode(self, text: str, allow_special: bool = False) -> list[int]:
        """[CLS], the ids of the text, [SEP].

        With ``allow_special`` the name of a special token in the text, such as "[MASK]", becomes
        its id; without, it is text like any other: "[", "mask", "]".
        """
        special = self.special_tokens
        return [special["[CLS]"], *self._encode_plain(text, allow_special), special["[SEP]"]]

    def encode_pair(
        self, first: str, second: str, allow_special: bool = False
    ) -> tuple[list[int], list[int]]:
        """[CLS] first [SEP] second [SEP], and the token type of each: 0 for first, 1 for second.

        The token types have the length of the ids; the first [SEP] is of type 0.
        """
        left = self.encode(first, allow_special)
        right = self.encode(second, allow_special)[1:]
        return left + right, [0] * len(left) + [1] * len(right)

    def decode(self, ids: Iterable[int]) -> str:
        """The tokens with spaces between words; special tokens show their names.

        Raises ``ValueError`` for an id that no token has.
        """
        return " ".join(self.tokens(ids)).replace(" ##", "")

    def tokens(self, ids: Iterable[int]) -> list[str]:
        """The token of each id, "##" included."""
        try:
            return [self._token_of[i] for i in map(index, ids)]
        except KeyError as error:
            raise ValueError(
                f"no token has the id {error.args[0]}: ids go from 0 to {len(self) - 1}"
            ) from error

    def save(self, path: str | Path) -> None:
        """Write a ``tokenizer.json`` that Hugging Face's ``tokenizers`` reads, or leave the old."""
        save_wordpiece(path, self.vocabulary, self.special_tokens)

    @classmethod
    def load(cls, path: str | Path) -> WordPieceTokenizer:
        """Read a ``tokenizer.json`` of uncased BERT's kind, ours or another's; else ``ValueError``.

        ``WordPieceTokenizer.load(pretrained.minilm_folder() / "tokenizer.json")`` is MiniLM's.
        """
        with loading(path):
            vocabulary, special_tokens = load_wordpiece(path)
            tokenizer = cls(vocabulary)
            if special_tokens != tokenizer.special_tokens:
                raise ValueError(f"its special tokens are not {', '.join(SPECIAL_TOKENS)}")
            return tokenizer

    def _encode_plain(self, text: str, allow_special: bool) -> list[int]:
        ids: list[int] = []
        parts = self._special.split(text) if allow_special else [text]
        for place, part in enumerate(parts):
            if place % 2:
                ids.append(self.special_tokens[part])
            else:
                ids += [i for word in split_words(part) for i in self._ids_of(word)]
        return ids

    def _match(self, word: str) -> tuple[int, ...]:
        """The ids of one word, or [UNK] for the whole of it if a part matches nothing."""
        unknown = (self.special_tokens["[UNK]"],)
        if len(word) > LONGEST_WORD:
            return unknown
        ids, start = [], 0
        while start < len(word):
            prefix = "##" if start else ""
            for end in range(len(word), start, -1):
                found = self.vocabulary.get(prefix + word[start:end])
                if found is not None:
                    break
            else:
                return unknown
            ids.append(found)
            start = end
        return tuple(ids)
