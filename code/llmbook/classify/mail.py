"""What in a newsgroup post is its author's, and what must not stand on both sides of a split.

Chapter 8. The rules are made for the 200 posts of ``corpora.newsgroups``, and are no mail parser.
"""

from __future__ import annotations

import re

from llmbook.corpora.records import Document

QUOTED = re.compile(r"\s*\w{0,4}[>|:}#]")
NAMED = re.compile(r"writes|wrote|said:|[Ii]n article|\S@\S")
REPLY = re.compile(r"^(?:(?:re|fwd?)\s*:\s*)+")


def own_words(text: str) -> str:
    """Without quoted lines, lines that name somebody, and the signature."""
    lines = text.split("\n-- \n")[0].split("\n")
    kept = (line for line in lines if not QUOTED.match(line) and not NAMED.search(line))
    return "\n".join(kept).strip()


def author(post: Document) -> str:
    """The address in the line From, in small letters; the whole line if it holds none."""
    line = re.search(r"^From:[ \t]*(.*)", post.headers, re.MULTILINE)
    if line is None:
        return ""
    address = re.search(r"[^\s<]+@[^\s>]+", line[1])
    return (address[0] if address else line[1]).strip().lower()


def thread(post: Document) -> str:
    """The subject in small letters, without "Re:"."""
    line = re.search(r"^Subject:[ \t]*(.*)", post.headers, re.MULTILINE)
    return "" if line is None else REPLY.sub("", line[1].strip().lower())
