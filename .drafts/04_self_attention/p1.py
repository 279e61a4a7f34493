import torch, numpy as np
torch.set_num_threads(1)
from torch import nn
from torch.nn import functional as F
from llmbook.attention import *
# fully masked in sdpa
q=torch.randn(2,4); m=torch.tensor([[True,True],[False,False]])
print(F.scaled_dot_product_attention(q[None],q[None],q[None],m[None]))
mha=nn.MultiheadAttention(4,1,bias=False,batch_first=True)
print(mha(q[None],q[None],q[None],attn_mask=~m))
x=torch.randn(1,6,4)
print(F.scaled_dot_product_attention(x[:,-1:],x,x,is_causal=True), x[:,0])
# MiniLM scores
from llmbook.models import load_minilm, Trace
from llmbook import pretrained, corpora
m=load_minilm(); _,tok=pretrained.minilm()
sents=[s for a in corpora.wikipedia() for s in a.sentences if 12<=len(s.split())<=40]
rng=np.random.default_rng(0)
S=[[] for _ in range(6)]; Q=[];
for i in rng.choice(len(sents),100,replace=False):
    ids=torch.tensor([tok(sents[i]).input_ids]); tr=Trace()
    with torch.no_grad():
        m(ids,trace=tr)
        for l in range(6):
            a=m.stack.blocks[l].attention; h=tr.hidden_states[l]
            q,k=a._heads(a.query(h))[0],a._heads(a.key(h))[0]
            s=q@k.transpose(-1,-2)
            S[l].append((s.std(-1).mean(-1)))
R=torch.stack([torch.stack(x).mean(0) for x in S])
print('std over keys of raw scores, by head',R.numpy().round(1), R.mean(), 32**.5)
