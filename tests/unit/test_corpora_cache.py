"""The cache: whole or not there, checked when read, and never needed."""

import os
import sys
import warnings

import pytest

from llmbook.corpora import CorpusError, cache
from llmbook.corpora.wikipedia import wikipedia

CODE = ("text.py",)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty cache folder, and warnings that were not yet given."""
    monkeypatch.setenv("LLMBOOK_CACHE", str(tmp_path / "cache"))
    cache._warn_once.cache_clear()
    return tmp_path / "cache"


def load(records=(("a", "é\n1"), ("b", "2"))):
    calls = []

    def build():
        calls.append(1)
        return records, {"counts": {"records": len(records)}}

    found, facts = cache.load_or_build("letters", "source", build, CODE)
    return found, facts, bool(calls)


def test_the_second_load_reads_what_the_first_wrote(folder):
    first, facts, built = load()
    assert built and first == [["a", "é\n1"], ["b", "2"]]
    again, same_facts, built = load()
    assert not built and again == first and same_facts == facts
    assert len(list(folder.iterdir())) == 1


def test_another_source_or_other_code_is_another_file(folder):
    load()
    cache.load_or_build("letters", "changed", lambda: ([], {}), CODE)
    cache.load_or_build("letters", "source", lambda: ([], {}), ("records.py",))
    assert len(list(folder.iterdir())) == 3


def test_no_records(folder):
    assert load(())[0] == load(())[0] == []


@pytest.mark.parametrize("damage", ["truncated", "altered", "emptied", "header"])
def test_a_damaged_file_is_an_error_that_names_it(folder, damage):
    load()
    (path,) = folder.iterdir()
    data = bytearray(path.read_bytes())
    if damage == "altered":
        data[-9] ^= 1
    elif damage == "header":
        data[20] ^= 1
    path.write_bytes(data[: {"truncated": -5, "emptied": 0}.get(damage, len(data))])
    with pytest.raises(CorpusError, match="truncated or altered: delete it and run again") as error:
        load()
    assert str(path) in str(error.value)
    path.unlink()
    assert load()[2]


def test_an_interrupted_write_leaves_nothing(folder, monkeypatch):
    """Whatever stops it, Ctrl-C included, no half file and no temporary file stays."""

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load()
    assert list(folder.iterdir()) == []


def test_a_failed_write_keeps_the_old_file(folder, monkeypatch):
    path = folder / "file.corpus"
    cache.write_whole(path, b"old")

    def full(_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        cache.write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in folder.iterdir()] == ["file.corpus"]


def test_what_a_killed_process_left_is_never_read(folder):
    load()
    (path,) = folder.iterdir()
    path.rename(path.with_suffix(".partial"))
    assert load()[2]


def test_without_a_writable_folder_it_works_with_one_warning(folder):
    folder.write_text("a file where the folder should be")
    with pytest.warns(UserWarning, match="set LLMBOOK_CACHE"):
        found, _, built = load()
    assert built and len(found) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load()[2]


@pytest.mark.skipif(sys.platform == "win32", reason="folders cannot stand in for unreadable files")
def test_an_unreadable_cache_file_is_not_needed(folder):
    load()
    (path,) = folder.iterdir()
    path.unlink()
    path.mkdir()
    with pytest.warns(UserWarning, match="cannot be written"):
        assert load()[2]
    assert list(folder.iterdir()) == [path]


def test_wikipedia_from_a_cold_cache_equals_the_cached_one(folder):
    """Read twice cold in other folders and once warm: the same records in the same order."""
    read = wikipedia.__wrapped__
    cold, warm = read(), read()
    assert list(folder.glob("wikipedia-*.corpus"))
    assert tuple(cold) == tuple(warm) == tuple(wikipedia())
    assert cold.provenance == warm.provenance == wikipedia().provenance
