"""A translator between English and Chinese: characters, a Seq2Seq, both directions (chapter 8).

``characters``  a tokenizer whose tokens are single characters
``translator``  text in, text out: greedy or with beams, and what it refuses
``batches``     examples of alike lengths together
``recipes``     pairs to examples, training, and the models that ship with the book
``shipped``     a finished translator as a folder
``baselines``   translating without learning, and what is in a text

``python -m llmbook.translation phrases`` trains one of them. Not here: attention maps, metrics
(``llmbook.evaluation``), search (``llmbook.decoding``).
"""

from llmbook.translation.baselines import all_words_seen, look_up, nearest, placeholders
from llmbook.translation.characters import CharacterTokenizer
from llmbook.translation.recipes import RECIPES, TOKENS, Recipe, examples, fit
from llmbook.translation.shipped import load, load_facts
from llmbook.translation.translator import LANGUAGES, Answer, Translator

__all__ = [
    "LANGUAGES",
    "RECIPES",
    "TOKENS",
    "Answer",
    "CharacterTokenizer",
    "Recipe",
    "Translator",
    "all_words_seen",
    "examples",
    "fit",
    "load",
    "load_facts",
    "look_up",
    "nearest",
    "placeholders",
]
