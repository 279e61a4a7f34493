"""The "With a network" cells, which no run of ours reaches, on small models of random weights."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import transformers

from llmbook import environment
from llmbook.pretrained import minilm_folder

LABS = Path(__file__).parents[2] / "chapters" / "08_applications"
SMALL = {"num_hidden_layers": 1, "num_attention_heads": 2, "hidden_size": 16,
         "intermediate_size": 16, "max_position_embeddings": 600}
CHAT = "{% for m in messages %}{{ m['content'] }}{% endfor %}"

PAIR = SimpleNamespace(name="stack", body="Join arrays along a new axis.", summary="Join arrays.")
NAME = SimpleNamespace(english="German", chinese="德语")
QUESTION = SimpleNamespace(question="what is joined?", text="stack joins a sequence of arrays.")
WORLD = {
    "text_classification": {"test": (["A text on space."] * 4, [0] * 4), "names": ["sky", "cars"]},
    "summarization": {"test": [PAIR] * 201},
    "translation": {"names": [NAME] * 11},
    "question_answering": {"answerable": [QUESTION]},
}
LINES = {"text_classification": 3, "summarization": 2, "translation": 10, "question_answering": 1}


def last_cell(lab: str) -> str:
    cells = json.loads((LABS / f"{lab}.ipynb").read_text("utf8"))["cells"]
    source = "".join([c for c in cells if c["cell_type"] == "code"][-1]["source"])
    assert source.startswith("if environment.online():")
    return source


def small_tokenizer() -> transformers.PreTrainedTokenizerBase:
    tokenizer = transformers.BertTokenizerFast.from_pretrained(minilm_folder())
    tokenizer.chat_template = CHAT
    return tokenizer


def small_model(task: str) -> transformers.PreTrainedModel:
    if task == "text-generation":
        config = transformers.Qwen2Config(vocab_size=30522, num_key_value_heads=2, **SMALL)
        return transformers.Qwen2ForCausalLM(config)
    if task == "zero-shot-classification":
        config = transformers.BertConfig(label2id={"contradiction": 0, "entailment": 1}, **SMALL)
        return transformers.BertForSequenceClassification(config)
    return transformers.BertForQuestionAnswering(transformers.BertConfig(**SMALL))


@pytest.fixture
def public_models(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replaces what would be downloaded, not the pipelines; the names that were asked for."""
    asked = []
    pipeline = transformers.pipeline

    def local(task: str, model: str) -> transformers.Pipeline:
        asked.append(model)
        return pipeline(task, model=small_model(task), tokenizer=small_tokenizer())

    def from_pretrained(name: str) -> transformers.PreTrainedModel:
        asked.append(name)
        return small_model("question-answering")

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    # By name: transformers puts another module in its place when it is imported.
    monkeypatch.setattr("transformers.pipeline", local)
    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", lambda _: small_tokenizer())
    monkeypatch.setattr(
        transformers.AutoModelForQuestionAnswering, "from_pretrained", from_pretrained)
    return asked


@pytest.mark.parametrize("lab", WORLD)
def test_without_a_network_one_sentence(
    lab: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    public_models: list[str],
) -> None:
    monkeypatch.delenv("LLMBOOK_ONLINE", raising=False)
    exec(last_cell(lab), {"environment": environment})
    assert capsys.readouterr().out.count("\n") == 1 and not public_models


@pytest.mark.parametrize("lab", WORLD)
@pytest.mark.filterwarnings("ignore")  # of generation, on a model that has learned nothing
def test_with_a_network_a_line_for_each_text(
    lab: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    public_models: list[str],
) -> None:
    monkeypatch.setenv("LLMBOOK_ONLINE", "1")
    exec(last_cell(lab), {"environment": environment, **WORLD[lab]})
    assert capsys.readouterr().out.count("\n") >= LINES[lab]
    assert len(public_models) == 1 and "/" in public_models[0]
