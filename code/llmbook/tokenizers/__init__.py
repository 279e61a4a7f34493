"""Text as integers: bytes, byte-pair encoding, WordPiece (chapter 2).

``byte_alphabet``   GPT-2's 256 printable characters, the names of bytes in a file
``pretokenize``     what cuts a text into pieces before anything is merged
``bpe``             byte-level BPE, GPT-2's kind: encode and decode
``bpe_training``    learn its merges from texts
``wordpiece``       BERT's uncased tokenizer: normalize, then longest match
``minilm``          that of the pretrained MiniLM
``tokenizer_json``  both on disk, in Hugging Face's format

Not here: Unigram, SentencePiece, the training of WordPiece, offsets, padding and truncation.
"""

from llmbook.tokenizers.bpe import BPETokenizer
from llmbook.tokenizers.bpe_training import train_bpe
from llmbook.tokenizers.byte_alphabet import from_visible, to_visible
from llmbook.tokenizers.minilm import minilm_tokenizer
from llmbook.tokenizers.pretokenize import GPT2_PATTERN, pretokenize
from llmbook.tokenizers.wordpiece import WordPieceTokenizer, split_words

__all__ = [
    "GPT2_PATTERN",
    "BPETokenizer",
    "WordPieceTokenizer",
    "from_visible",
    "minilm_tokenizer",
    "pretokenize",
    "split_words",
    "to_visible",
    "train_bpe",
]
