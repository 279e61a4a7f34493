"""Language models that only count: what a neural one has to beat (chapter 6).

``table``       n-grams packed into whole numbers, sorted and counted
``model``       what all n-gram models do: bits of a text, a distribution, sampling
``add_one``     every n-gram counted once more than it was seen
``kneser_ney``  interpolated Kneser-Ney: a count, less a discount, and the order below

Not here: files (counting again is as fast as reading), pruning, modified Kneser-Ney with three
discounts an order, n-grams of characters. Shapes: ``T`` tokens of a document, ``N`` n-grams that
are looked up, ``V`` vocabulary size.
"""

from llmbook.ngrams.add_one import AddOne
from llmbook.ngrams.kneser_ney import KneserNey
from llmbook.ngrams.model import NGramModel

__all__ = ["AddOne", "KneserNey", "NGramModel"]
