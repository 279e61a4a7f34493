"""Which model for your texts? Measures every candidate on this machine on a file of yours.

The file: a CSV with a header that names "text" and perhaps "label", lines label<TAB>text, or plain
text. Nothing is sent anywhere, and nothing is downloaded.
"""

from __future__ import annotations

import argparse
import os
import sys


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m llmbook.choose", description=__doc__,
        epilog="example: python -m llmbook.choose letters.csv --model bert-base-chinese",
    )  # fmt: skip
    parser.add_argument("file", help="the text file, in UTF-8")
    parser.add_argument("--model", action="append", default=[], metavar="FOLDER",
                        help="a Hugging Face encoder on this disk; may be given again")  # fmt: skip
    parser.add_argument("--text", default="text", metavar="NAME", help="its column in a CSV")
    parser.add_argument("--label", default="label", metavar="NAME", help="its column in a CSV")
    parser.add_argument("--limit", type=int, default=600, metavar="N",
                        help="texts to look at, drawn by lot; 600")  # fmt: skip
    parser.add_argument("--max-ms", type=float, metavar="MS", help="milliseconds a text, at most")
    parser.add_argument("--max-mb", type=float, metavar="MB", help="megabytes on disk, at most")
    parser.add_argument("--balanced", action="store_true",
                        help="a rare label weighs as much as a frequent one")  # fmt: skip
    args = parser.parse_args(arguments)
    if args.limit < 20:
        parser.error("--limit must be at least 20")
    return args


def main(arguments: list[str] | None = None) -> int:
    args = parse(arguments)
    try:
        return run(args)
    except KeyboardInterrupt:
        say("stopped; nothing was written")
        return 130


def run(args: argparse.Namespace) -> int:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    # The file first: reading it is quick, and torch takes seconds to be imported.
    from llmbook.choose.files import FileError, read
    from llmbook.corpora import CorpusError

    try:
        file = read(args.file, args.text, args.label)
        say("measuring; this takes a minute or two")
        from llmbook.choose.encoders import local_folder, standard
        from llmbook.choose.report import choose
        from llmbook.choose.rule import Limits

        encoders = [*standard(), *(local_folder(folder) for folder in args.model)]
        limits = Limits(args.max_ms, args.max_mb)
        print(choose(file, encoders, limits, args.limit, args.balanced, say=say))
    except (FileError, CorpusError) as error:
        say(str(error))
        return 1
    except ValueError as error:
        say(f"{os.path.basename(args.file)} cannot be judged: {error}")
        return 1
    return 0


def say(line: str) -> None:
    print(f"llmbook.choose: {line}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
