"""The library of *Large Language Models You Can Run*: what readers import and read.

Modules, low to high; an import never points up: ``corpora``, ``pretrained``, ``vectors``, ``plots``.
"""

__version__ = "0.1.0"
