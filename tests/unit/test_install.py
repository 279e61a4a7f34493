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
    for name in ("constraints.txt", "pyproject.toml", "requirements.txt",
                 *install.LEVELS.values(), *install.TENSORFLOW_ONLY):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def installed(tree, level):
    python = install.python_of(tree, level)
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
    for name in ("requirements-book.txt", "requirements.txt", "requirements-test.txt",
                 "requirements-tensorflow.txt", "constraints-tensorflow.txt"):
        for line in (ROOT / name).read_text("utf-8").splitlines():
            assert line.startswith(("#", "-r", "-e")) or "==" in line, line


@pytest.mark.parametrize("name", install.TENSORFLOW_ONLY)
def test_tensorflow_weighs_on_nobody_else(tree, name):
    before = {level: install._stamp(tree, level) for level in install.LEVELS}
    (tree / name).write_text("# changed\n", "utf-8")
    changed = {level for level in before if install._stamp(tree, level) != before[level]}
    assert changed == {"tensorflow"}
    assert {path.parent.name for path in before.values()} == {".venv", ".venv-tensorflow"}


def test_tensorflow_is_installed_apart_and_sees_the_rest(tree, monkeypatch):
    """With real virtual environments, and a pip that only notes what it was told."""
    made, run = [], subprocess.run

    def note(command, **options):
        if "pip" in command:
            made.append(command)
            return subprocess.CompletedProcess(command, 0)
        return run(command, **options)

    monkeypatch.setattr(install.subprocess, "run", note)
    create = install.venv.create
    monkeypatch.setattr(install.venv, "create", lambda path, with_pip: create(path))
    python = install.ensure(tree, "tensorflow")
    assert python.parents[1] == tree / ".venv-tensorflow"
    assert [Path(command[0]).parents[1].name for command in made] == [".venv", ".venv-tensorflow"]
    assert made[1][-6:] == ["-r", "requirements-tensorflow.txt", "-c", "constraints.txt",
                            "-c", "constraints-tensorflow.txt"]
    (install._packages(install.python_of(tree)) / "beside.py").write_text("HERE = 1\n", "utf-8")
    run([python, "-c", "import beside"], check=True)
    made.clear()
    assert install.ensure(tree, "tensorflow") == python and not made


def test_tensorflow_pins_nothing_that_the_book_pins():
    def pinned(name):
        lines = (ROOT / name).read_text("utf-8").splitlines()
        return {line.partition("==")[0] for line in lines if not line.startswith("#")}

    assert not pinned("constraints.txt") & pinned("constraints-tensorflow.txt")
    assert pinned("requirements-tensorflow.txt") <= pinned("constraints-tensorflow.txt")


def test_jupyter_finds_the_kernel_that_has_tensorflow(tree, monkeypatch):
    from jupyter_client.kernelspec import KernelSpecManager

    installed(tree, "tensorflow")
    python = install.python_of(tree, "tensorflow")
    monkeypatch.setenv("JUPYTER_PATH", str(install.kernel_of(python)))
    assert KernelSpecManager().get_kernel_spec("python3").argv[0] == str(python)


def commands_of(arguments, monkeypatch):
    """The commands that booktools would start, started by the Python of `.venv`."""
    started = []
    monkeypatch.setattr(cli.install, "ensure", lambda root, level: install.python_of(root, level))
    monkeypatch.setattr(cli.loopback, "ensure", lambda: None)
    monkeypatch.setattr(sys, "prefix", str(install.folder_of(ROOT, "all")))
    monkeypatch.setattr(sys, "argv", ["booktools", *arguments])
    monkeypatch.setattr(cli.subprocess, "run", lambda command, **options: started.append(
        (command, options)) or subprocess.CompletedProcess(command, 0))
    assert cli.main() == 0
    return started


def test_the_tests_of_tensorflow_run_where_it_is(monkeypatch):
    (command, _), = commands_of(["test-tensorflow"], monkeypatch)
    assert command == [str(install.python_of(ROOT, "tensorflow")), "-m", "booktools",
                       "test-tensorflow"]


@pytest.mark.parametrize("names, here, there", [
    (["12_tools/tensorflow"], 0, 1), (["03_word_vectors/glove"], 1, 0),
    (["12_tools/tensorflow", "03_word_vectors/glove"], 1, 1)])
def test_a_lab_runs_in_the_environment_that_it_needs(monkeypatch, names, here, there):
    from booktools import notebooks

    own = []
    monkeypatch.setattr(notebooks, "run", lambda root, paths: own.extend(paths) or 0)
    started = commands_of(["run", *names], monkeypatch)
    assert (len(own), len(started)) == (here, there)
    assert not any("tensorflow" in path for path in own)
    for command, _ in started:
        assert command[0] == str(install.python_of(ROOT, "tensorflow"))
        assert command[-1].endswith("tensorflow.ipynb") and "glove" not in str(command)


def test_all_tests_leave_the_lab_of_tensorflow_to_its_own_command(monkeypatch):
    from booktools import notebooks

    paths = [ROOT / "chapters" / name for name in ("12_tools/tensorflow.ipynb", "a/b.ipynb")]
    monkeypatch.setattr(notebooks, "labs", lambda root: paths)
    monkeypatch.setattr(cli, "book", lambda args: 0)
    monkeypatch.setattr(cli, "check", lambda args: 0)
    (command, _), = commands_of(["test"], monkeypatch)
    assert command[-2:] == ["tests", str(paths[1])]


def test_jupyterlab_with_tensorflow_only_if_asked(monkeypatch):
    monkeypatch.setattr(cli.install, "kernel_of", lambda python: python.parents[1] / "share")
    (_, plain), = commands_of(["lab"], monkeypatch)
    (_, asked), = commands_of(["lab", "--tensorflow"], monkeypatch)
    assert ".venv-tensorflow" not in plain["env"].get("JUPYTER_PATH", "")
    assert asked["env"]["JUPYTER_PATH"].endswith("share")


def test_continuous_integration_runs_both():
    lines = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
    assert lines.index("make test") < lines.index("make test-tensorflow")


@pytest.mark.skipif(not shutil.which("unshare"), reason="unshare is not on this system")
def test_loopback_is_brought_up_in_a_namespace_without_network():
    code = "from booktools import loopback as l; a = l.works(); l.ensure(); print(a, l.works())"
    command = ["unshare", "-n", sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True)
    if "unshare" in done.stderr:
        pytest.skip("no right to make a network namespace")
    assert done.stdout.split() == ["False", "True"], done.stderr
