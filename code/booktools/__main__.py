"""The two commands of the book, and their helpers: `python code/booktools --help`.

Run with any Python from 3.11 on: what a command needs is installed into `.venv` first, and the
command then runs there. Inside `.venv`, `python -m booktools` is the same. What needs TensorFlow
goes to `.venv-tensorflow` (install.py).
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
    from booktools.notebooks import labs, needs_tensorflow

    failed = book(args)
    here = [str(path) for path in labs(ROOT) if not needs_tensorflow(path)]
    command = [sys.executable, *PYTEST, *NBVAL, "tests", *here]
    failed |= subprocess.run(command, env=environment, check=False).returncode
    args.names = []
    return int(bool(failed | check(args)))


def test_tensorflow(args: argparse.Namespace) -> int:
    """re-run the lab that needs TensorFlow, in an environment of its own, and compare"""
    from booktools.notebooks import TENSORFLOW_LABS, find

    paths = [str(find(ROOT, name)) for name in TENSORFLOW_LABS]
    command = [sys.executable, "-m", "pytest", "-q", "-rs", *NBVAL, *paths]
    environment = {**os.environ, "LLMBOOK_QUIET": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


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

    paths = [notebooks.find(ROOT, n) for n in args.names] or notebooks.labs(ROOT)
    apart = Path(sys.prefix).resolve() == install.folder_of(ROOT, "tensorflow").resolve()
    failed = 0
    if here := [str(path) for path in paths if notebooks.needs_tensorflow(path) == apart]:
        failed = notebooks.run(ROOT, here)
    if not apart and (there := [str(path) for path in paths if notebooks.needs_tensorflow(path)]):
        failed |= hand_over("tensorflow", ["run", *there])
    return int(bool(failed))


def serve(args: argparse.Namespace) -> int:
    """show the built website on this machine, at http://127.0.0.1:8000"""
    command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "8000"]
    return subprocess.run([*command, "--directory", "_build/html"], cwd=ROOT).returncode


def lab(args: argparse.Namespace) -> int:
    """open JupyterLab on the chapters"""
    environment = dict(os.environ)
    if args.tensorflow:
        python = install.ensure(ROOT, "tensorflow")
        environment["JUPYTER_PATH"] = str(install.kernel_of(python))
    command = [sys.executable, "-m", "jupyter", "lab", "chapters"]
    return subprocess.run(command, cwd=ROOT, env=environment).returncode


def bench(args: argparse.Namespace) -> int:
    """measure what the book claims about speed: vectors, tokenizer, gpt, decoding"""
    return importlib.import_module(f"booktools.bench.{args.subject}").main(args)


FUNCTIONS = (book, test, test_tensorflow, serve, lab, run, check, bench)
COMMANDS = {function.__name__.replace("_", "-"): function for function in FUNCTIONS}
NEEDS = dict.fromkeys(COMMANDS, "all") | {
    "book": "book", "serve": "book", "test-tensorflow": "tensorflow"
}


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
    parsers["lab"].add_argument("--tensorflow", action="store_true", help="labs see TensorFlow")
    parsers["bench"].add_argument("subject", choices=["vectors", "tokenizer", "gpt", "decoding"])
    parsers["bench"].add_argument("--epochs", type=int, default=25)
    parsers["bench"].add_argument("--seeds", type=int, default=3)
    parsers["bench"].add_argument("--text", metavar="FILE", help="gpt: train on its characters")
    return parser.parse_args(arguments)


def hand_over(level: str, arguments: list[str]) -> int:
    """Run a command of booktools in the environment of a level."""
    path = os.pathsep.join(filter(None, (str(CODE), os.environ.get("PYTHONPATH"))))
    command = [str(install.ensure(ROOT, level)), "-m", "booktools", *arguments]
    return subprocess.run(command, env={**os.environ, "PYTHONPATH": path}).returncode


def main() -> int:
    args = parse()
    level = NEEDS[args.command]
    folders = {install.folder_of(ROOT, level).resolve()}
    if args.command == "run":  # hands over what belongs elsewhere
        folders.add(install.folder_of(ROOT, "tensorflow").resolve())
    try:
        install.ensure(ROOT, level)
        if Path(sys.prefix).resolve() not in folders:
            return hand_over(level, sys.argv[1:])
        loopback.ensure()
        return COMMANDS[args.command](args)
    except install.InstallError as error:
        print(f"booktools: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
