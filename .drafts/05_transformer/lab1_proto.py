import torch, time
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from llmbook.models import Seq2Seq, Seq2SeqConfig, seq2seq_flops, seq2seq_parameters
c=Seq2SeqConfig(vocab_size=37000,context_length=512)
m=Seq2Seq(c); print(sum(p.numel() for p in m.parameters()), seq2seq_parameters(c))
s=torch.randint(37000,(1,20)); t=torch.randint(37000,(1,30))
m.eval()
for rw in (False,):
    with FlopCounterMode(display=False) as f, torch.no_grad(): m(s,t)
    print(f.get_total_flops(), seq2seq_flops(c,1,20,30))
# parity
import re
def copy(ours, theirs_layer, cross):
    pass
