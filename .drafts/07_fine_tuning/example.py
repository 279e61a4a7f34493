"""The source document's example, with only the place of the weights changed, and each repair."""
import os, traceback
os.environ["HF_HUB_OFFLINE"] = "1"
import torch, transformers, logging, warnings
transformers.logging.set_verbosity_error()
def show(title, f):
    print("\n##", title)
    try: f()
    except Exception as e: print(f"{type(e).__name__}: {str(e)[:600]}")
def step0():
    from transformers import BertModel, BertTokenizer
    tokenizer = BertTokenizer.from_pretrained('bert-base-uncased')
show("0 as printed, offline", step0)
from llmbook import pretrained
from llmbook.models import load_minilm
folder = pretrained.minilm_folder()
print(sorted(os.listdir(folder)))
def step1():
    from transformers import BertModel, BertTokenizer
    tokenizer = BertTokenizer.from_pretrained(folder)
    model = BertModel.from_pretrained(folder)
    def classify(text):
        inputs = tokenizer(text, return_tensors='pt')
        outputs = model(**inputs)
        logits = outputs.logits
        predictions = torch.argmax(logits, dim=1)
        return predictions
    text = "This is a sample text."
    prediction = classify(text)
    print(prediction)
show("1 the same lines with the folder of MiniLM", step1)
model, tokenizer = pretrained.minilm()
def step2():
    inputs = tokenizer("This is a sample text.", return_tensors='pt')
    print(list(inputs), inputs["input_ids"].tolist(), tokenizer.convert_ids_to_tokens(inputs["input_ids"][0]))
    outputs = model(**inputs)
    print(type(outputs).__name__, list(outputs.keys()), outputs.last_hidden_state.shape, outputs.pooler_output.shape)
    print(torch.argmax(outputs.last_hidden_state, dim=1).shape, "argmax of last_hidden_state dim=1: positions, one for each column")
    print("argmax of pooler_output:", torch.argmax(outputs.pooler_output, dim=1), "a column 0..383, no class")
    logits = outputs.logits
show("2 llmbook.pretrained.minilm: what there is instead of logits", step2)
def step3():
    from transformers import BertForSequenceClassification
    for seed in range(6):
        torch.manual_seed(seed)
        m = BertForSequenceClassification(transformers.BertConfig(**model.config.to_dict()) if False else model.config)
        m.bert.load_state_dict(model.state_dict()); m.eval()
        out = m(**tokenizer("This is a sample text.", return_tensors='pt')).logits
        print("seed", seed, "logits", [round(x,3) for x in out[0].tolist()], "prediction", out.argmax(1).item())
show("3 a head, untrained: the answer is the seed's", step3)
def step4():
    batch = ["This is a sample text.", "Short."]
    try: tokenizer(batch, return_tensors='pt')
    except Exception as e: print(type(e).__name__, str(e)[:300])
    print(tokenizer(batch, return_tensors='pt', padding=True)["attention_mask"].tolist())
    long = "word " * 600
    try: model(**tokenizer(long, return_tensors='pt'))
    except Exception as e: print(type(e).__name__, str(e)[:300])
    print(tokenizer(long, return_tensors='pt', truncation=True)["input_ids"].shape)
show("4 a batch, and a long text", step4)
def step5():
    m = model
    print("training mode after from_pretrained/minilm():", m.training, "| requires_grad of output:", m(**tokenizer("a", return_tensors="pt")).last_hidden_state.requires_grad)
show("5 no_grad is missing", step5)
