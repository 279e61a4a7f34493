"""Ask the documentation of the packages on this machine.

The first question builds an index, once, which takes some minutes; then an answer takes a second or
two. Nothing is sent anywhere.
"""

from __future__ import annotations

import argparse
import sys
import textwrap

WIDTH = 88


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m llmbook.ask", description=__doc__, epilog=
        'example: python -m llmbook.ask "how do I stack arrays along a new axis?"',
    )  # fmt: skip
    parser.add_argument("question", nargs="*", help="in English, in quotation marks")
    parser.add_argument("--top", type=int, default=3, metavar="N", help="pages to show; 3")
    parser.add_argument("--packages", metavar="NAMES",
                        help='other packages than the usual ones: "numpy,scipy"')  # fmt: skip
    args = parser.parse_args(arguments)
    if args.top < 1:
        parser.error("--top must be at least 1")
    return args


def main(arguments: list[str] | None = None) -> int:
    args = parse(arguments)
    try:
        return run(args)
    except KeyboardInterrupt:
        say("stopped; nothing half done was left behind")
        return 130
    except BrokenPipeError:  # `| head` has read enough
        sys.stderr.close()
        return 0


def run(args: argparse.Namespace) -> int:
    # Imported here, so that Ctrl-C and --help work before and while numpy is loaded.
    from llmbook.ask.answers import LONGEST, answer
    from llmbook.corpora import CorpusError
    from llmbook.retrieval import PACKAGES, QueryEncoder, open_index

    question = " ".join(args.question).strip()
    if not any(character.isalnum() for character in question):
        say('ask something in words: python -m llmbook.ask "how do I sort an array?"')
        return 2
    if len(question) > LONGEST:
        say(f"the question has {len(question):,} characters; the first {LONGEST} are read")
    packages = tuple(args.packages.replace(",", " ").split()) if args.packages else PACKAGES
    try:
        answers = answer(question, open_index(packages, say), QueryEncoder(), args.top)
    except CorpusError as error:
        say(str(error))
        return 1
    if not answers:
        print("No answer: no page of the documentation is near this question.")
        if not question.isascii():
            print("The documentation is in English; a question in English finds more.")
        return 0
    for number, found in enumerate(answers, 1):
        print(f"{number}. {found.page.title}   ({found.page.module}, score {found.score:.2f})")
        print(textwrap.fill(found.sentence, WIDTH, initial_indent="   ", subsequent_indent="   "))
    return 0


def say(line: str) -> None:
    print(f"llmbook.ask: {line}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
