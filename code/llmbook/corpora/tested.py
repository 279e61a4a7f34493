"""The versions this book was tested with, as far as its texts depend on them.

A test compares the versions with constraints.txt, which is the authority.
"""

# Packages whose documentation strings are read: distribution, version, fingerprint of their text.
_DOCSTRINGS = """
accelerate         1.15.0    -
babel              2.18.0    -
beautifulsoup4     4.15.0    -
docutils           0.21.2    -
fonttools          4.68.0    -
fsspec             2026.9.0  -
gensim             4.4.0     -
huggingface-hub    2.4.0     -
ipython            9.18.1    -
joblib             1.6.0     -
jupyter-server     2.21.1    -
matplotlib         3.11.2    -
mpmath             1.3.0     -
networkx           3.6.1     -
nltk               3.10.4    -
numpy              2.4.6     -
scikit-learn       1.9.1     -
scipy              1.17.1    -
sphinx             7.4.7     -
sqlalchemy         2.1.9     -
sympy              1.14.0    -
torch              2.13.0    -
tornado            6.6.1     -
traitlets          5.16.1    -
transformers       5.23.0    -
"""
_ROWS = [line.split() for line in _DOCSTRINGS.split("\n") if line]

VERSIONS = {package: version for package, version, _ in _ROWS}
DOCSTRING_FINGERPRINTS = {package: fingerprint for package, _, fingerprint in _ROWS}
