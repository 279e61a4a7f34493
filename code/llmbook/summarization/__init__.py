"""Summaries, chosen and written, and what they are compared with (chapter 8).

``extractive``    which sentences of a text: TextRank, centroid, MMR, an oracle
``pairs``         documentation and its first line, with whole packages held out
``baselines``     first lines without a network
``reading``       sources through the frozen MiniLM
``objective``     what the pointer-generator of ``llmbook.models.pointer`` learns
``learning``      recipes and the training of a decoder
``writing``       greedy and beam search
``summarizer``    encoder and decoder together; the shipped one
``faithfulness``  rare words that a source does not hold

``python -m llmbook.summarization`` trains the model that ships with the book. Not here: ROUGE
(``llmbook.evaluation``), long texts, summaries of several texts.
"""
