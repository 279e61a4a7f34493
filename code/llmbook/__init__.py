"""The library of *Large Language Models You Can Run*: what readers import and read.

Modules, low to high: ``corpora``, ``pretrained``, ``tokenizers``, ``ngrams``, ``vectors``,
``attention``, ``blocks``, ``models``, ``decoding``, ``training``, ``tuning``, ``studies``,
``plots``; no import points up.
"""

__version__ = "0.1.0"
