"""Word vectors, from counts and by prediction, and how to judge them (chapter 3).

``vocabulary``  words and their counts; text as integers
``counts``      co-occurrence, PPMI, truncated SVD: the count-based baseline
``skipgram``    skip-gram with negative sampling (Word2Vec)
``glove``       weighted least squares on log counts
``keyed``       trained vectors: similarity, neighbours, analogies; gensim's file format
``shipped``     vectors that come with the book, trained by ``python -m llmbook.vectors``
``judge``       WordSim-353, SimLex-999 and the Google analogies, with coverage and intervals
``association`` a test of associations between sets of words, and its repair (chapter 11)

Not here: hierarchical softmax, CBOW, subword vectors. Shapes: ``V`` vocabulary size, ``D`` width of
a vector, ``N`` tokens of a text.
"""

from llmbook.vectors.counts import cooccurrence, ppmi, svd_vectors
from llmbook.vectors.glove import Glove, GloveConfig
from llmbook.vectors.judge import (
    AnalogyScore,
    SimilarityScore,
    compare_similarity,
    judge_analogies,
    judge_similarity,
)
from llmbook.vectors.keyed import WordVectors
from llmbook.vectors.shipped import shipped
from llmbook.vectors.skipgram import SkipGram, SkipGramConfig
from llmbook.vectors.vocabulary import EncodedText, Vocabulary

__all__ = [
    "AnalogyScore",
    "EncodedText",
    "Glove",
    "GloveConfig",
    "SimilarityScore",
    "SkipGram",
    "SkipGramConfig",
    "Vocabulary",
    "WordVectors",
    "compare_similarity",
    "cooccurrence",
    "judge_analogies",
    "judge_similarity",
    "ppmi",
    "shipped",
    "svd_vectors",
]
