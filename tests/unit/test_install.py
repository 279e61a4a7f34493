"""The two commands start with nothing but Python, and install once."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from booktools import __main__ as cli
from booktools import install

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tree(tmp_path):
    """A repository with requirements, and a `.venv` whose pip is a stand-in that can fail."""
    for name in ("constraints.txt", "pyproject.toml", *install.LEVELS.values()):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def installed(tree, level):
    python = install.python_of(tree)
    python.parent.mkdir(parents=True, exist_ok=True)
    python.touch()
    install._stamp(tree, level).touch()


def test_help_needs_nothing_installed():
    bare = [sys.executable, "-I", "-S", str(ROOT / "code" / "booktools"), "--help"]
    done = subprocess.run(bare, capture_output=True, text=True, check=True)
    for command in cli.COMMANDS:
        assert command in done.stdout


def test_every_make_target_is_a_command():
    targets = (ROOT / "Makefile").read_text("utf-8").split("\n\n")[1].split(":")[0].split()
    assert set(targets) <= cli.COMMANDS.keys()


@pytest.mark.parametrize("done, wanted", [("book", "book"), ("all", "book"), ("all", "all")])
def test_what_is_installed_is_not_installed_again(tree, monkeypatch, done, wanted):
    installed(tree, done)
    monkeypatch.setattr(install.subprocess, "run", lambda *a, **k: pytest.fail("ran pip"))
    assert install.ensure(tree, wanted) == install.python_of(tree)


@pytest.mark.parametrize("change", ["constraints.txt", "requirements-book.txt", None])
def test_a_changed_file_or_a_higher_level_installs_again(tree, monkeypatch, change):
    installed(tree, "book" if change is None else "all")
    if change:
        (tree / change).write_text("# changed\n", "utf-8")
    commands = []

    class Done:
        returncode = 0

    monkeypatch.setattr(install.subprocess, "run", lambda c, **k: commands.append(c) or Done())
    install.ensure(tree, "all")
    assert [install.LEVELS["all"], "-c", "constraints.txt"] == commands[0][-3:]
    assert install._stamp(tree, "all").is_file()


def test_a_failed_install_leaves_no_stamp_and_says_so(tree, monkeypatch):
    installed(tree, "book")

    class Failed:
        returncode = 1

    monkeypatch.setattr(install.subprocess, "run", lambda *a, **k: Failed())
    with pytest.raises(install.InstallError, match="pip could not install"):
        install.ensure(tree, "all")
    assert not install._stamp(tree, "all").exists()


def test_an_old_python_is_refused_with_the_version_it_needs(tree, monkeypatch):
    monkeypatch.setattr(install, "OLDEST", (4, 0))
    with pytest.raises(install.InstallError, match=r"needs Python 4\.0"):
        install.ensure(tree, "book")


def test_all_includes_book_and_every_pin_is_exact():
    assert "-r requirements-book.txt" in (ROOT / "requirements.txt").read_text("utf-8")
    for name in ("requirements-book.txt", "requirements.txt", "requirements-test.txt"):
        for line in (ROOT / name).read_text("utf-8").splitlines():
            assert line.startswith(("#", "-r", "-e")) or "==" in line, line


@pytest.mark.skipif(not shutil.which("unshare"), reason="unshare is not on this system")
def test_loopback_is_brought_up_in_a_namespace_without_network():
    code = "from booktools import loopback as l; a = l.works(); l.ensure(); print(a, l.works())"
    command = ["unshare", "-n", sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True)
    if "unshare" in done.stderr:
        pytest.skip("no right to make a network namespace")
    assert done.stdout.split() == ["False", "True"], done.stderr
