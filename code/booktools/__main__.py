"""The two commands of the book, and their helpers: `python code/booktools --help`.

Run with any Python from 3.11 on: what a command needs is installed into `.venv` first, and the
command then runs there. Inside `.venv`, `python -m booktools` is the same.
"""

from __future__ import annotations

import argparse
import importlib
import os
import subprocess
import sys
from pathlib import Path

CODE = Path(__file__).resolve().parents[1]
ROOT = CODE.parent
if str(CODE) not in sys.path:  # `python code/booktools` puts this folder itself on the path
    sys.path[0] = str(CODE)

from booktools import install, loopback  # noqa: E402

PYTEST = ["-m", "pytest", "-q", "-rs", "-n", "2", "--dist", "loadfile"]
NBVAL = ["--nbval", "--nbval-current-env", "-p", "booktools.nbval_tolerance"]


def book(args: argparse.Namespace) -> int:
    """build the website into _build/html from the stored outputs"""
    from booktools.site.build import BuildError, build

    try:
        page = build(ROOT)
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"The book is built. Open {page.as_uri()}")
    return 0


def test(args: argparse.Namespace) -> int:
    """run the tests, re-run the labs and compare, build the website and check it"""
    os.chdir(ROOT)
    environment = {**os.environ, "LLMBOOK_QUIET": "1", "OMP_NUM_THREADS": "1"}
    if args.quick:
        command = [sys.executable, *PYTEST, "tests/unit", "tests/parity"]
        return subprocess.run(command, env=environment, check=False).returncode
    from booktools.notebooks import labs

    failed = book(args)
    command = [sys.executable, *PYTEST, *NBVAL, "tests", *map(str, labs(ROOT))]
    failed |= subprocess.run(command, env=environment, check=False).returncode
    args.names = []
    return int(bool(failed | check(args)))


def check(args: argparse.Namespace) -> int:
    """run the checks of the text, the notebooks and the built website, all or by name"""
    from booktools import checks

    report = checks.run(ROOT, names=args.names or None)
    print(report)
    if report.skipped:
        print(f"Not everything was checked, skipped: {', '.join(report.skipped)}")
    return int(not report.ok)


def run(args: argparse.Namespace) -> int:
    """execute labs and store their outputs, all or by name (03_word_vectors/glove)"""
    from booktools import notebooks

    return int(bool(notebooks.run(ROOT, args.names or None)))


def serve(args: argparse.Namespace) -> int:
    """show the built website on this machine, at http://127.0.0.1:8000"""
    command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "8000"]
    return subprocess.run([*command, "--directory", "_build/html"], cwd=ROOT).returncode


def lab(args: argparse.Namespace) -> int:
    """open JupyterLab on the chapters"""
    return subprocess.run([sys.executable, "-m", "jupyter", "lab", "chapters"], cwd=ROOT).returncode


def bench(args: argparse.Namespace) -> int:
    """measure what the book claims about speed: vectors, tokenizer, gpt, decoding"""
    return importlib.import_module(f"booktools.bench.{args.subject}").main(args)


COMMANDS = {f.__name__: f for f in (book, test, serve, lab, run, check, bench)}
NEEDS = dict.fromkeys(COMMANDS, "all") | {"book": "book", "serve": "book"}


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="booktools", description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    parsers = {
        name: commands.add_parser(name, help=function.__doc__, description=function.__doc__)
        for name, function in COMMANDS.items()
    }
    parsers["test"].add_argument("--quick", action="store_true", help="only tests/unit and parity")
    parsers["check"].add_argument("names", nargs="*", metavar="CHECK")
    parsers["run"].add_argument("names", nargs="*", metavar="LAB")
    parsers["bench"].add_argument("subject", choices=["vectors", "tokenizer", "gpt", "decoding"])
    parsers["bench"].add_argument("--epochs", type=int, default=25)
    parsers["bench"].add_argument("--seeds", type=int, default=3)
    parsers["bench"].add_argument("--text", metavar="FILE", help="gpt: train on its characters")
    return parser.parse_args(arguments)


def main() -> int:
    args = parse()
    try:
        python = install.ensure(ROOT, NEEDS[args.command])
    except install.InstallError as error:
        print(f"booktools: {error}", file=sys.stderr)
        return 1
    if Path(sys.prefix).resolve() != (ROOT / ".venv").resolve():
        path = os.pathsep.join(filter(None, (str(CODE), os.environ.get("PYTHONPATH"))))
        command = [str(python), "-m", "booktools", *sys.argv[1:]]
        return subprocess.run(command, env={**os.environ, "PYTHONPATH": path}).returncode
    loopback.ensure()
    return COMMANDS[args.command](args)


if __name__ == "__main__":
    sys.exit(main())
