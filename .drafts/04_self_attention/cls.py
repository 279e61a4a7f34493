import torch, time, numpy as np
torch.set_num_threads(1)
from llmbook import corpora, pretrained
from llmbook.models import load_minilm, Trace
_,tok=pretrained.minilm(); m=load_minilm()
allS=[s for a in corpora.wikipedia() for s in a.sentences]
sents=[s for s in allS if 10<=len(s.split())<=25]
rng=np.random.default_rng(0); pick=[sents[i] for i in rng.choice(len(sents),60,replace=False)]
out=[]
for s in pick:
    ids=torch.tensor(tok(s).input_ids); T=len(ids)
    with torch.no_grad():
        full=m(ids[None])[0]
        masks=torch.ones(T,T).long(); masks.fill_diagonal_(0)   # row i hides column i
        h=m(ids.repeat(T,1),masks)
        # embedding = mean of content tokens, except the hidden one
        def e(h,drop): 
            k=torch.ones(T,dtype=torch.bool); k[0]=k[-1]=False; k[drop]=False
            v=h[k].mean(0); return v/v.norm()
        d=torch.tensor([1-float(e(h[i],i)@e(full,i)) for i in range(T)])
    out.append((d[0].item(),d[-1].item(),d[1:-1].mean().item(),d[1:-1].median().item(),(d[1:-1]<d[0]).float().mean().item()))
o=np.array(out); print(o.mean(0), np.median(o,0))
