"""Ask the documentation of your own packages: ``python -m llmbook.ask "how do I …?"`` (chapter 8).

``answers``    pages, sentences, or no answer
``questions``  ten questions that were written before anything was indexed

Not here: the index itself (``llmbook.retrieval``), a generator of text.
"""

from llmbook.ask.answers import Answer, answer

__all__ = ["Answer", "answer"]
