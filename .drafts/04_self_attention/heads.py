import torch, time, numpy as np
torch.set_num_threads(1)
from llmbook import corpora, pretrained
from llmbook.models import load_minilm, Trace
t0=time.process_time()
_,tok=pretrained.minilm()
m=load_minilm()
print('load',time.process_time()-t0)
sents=[s for a in corpora.wikipedia() for s in a.sentences if 12<=len(s.split())<=40]
rng=np.random.default_rng(0); pick=[sents[i] for i in rng.choice(len(sents),200,replace=False)]
print(pick[:3], time.process_time()-t0)
keys=['cls','sep','prev','next','self','same','punct','uniform','uni_same']
acc={k:[] for k in keys}
SP={tok.cls_token_id,tok.sep_token_id}
punct={tok.convert_tokens_to_ids(c) for c in '.,'}
for s in pick:
    b=tok(s,return_tensors='pt'); ids=b.input_ids[0]; T=len(ids); tr=Trace()
    with torch.no_grad(): m(b.input_ids,trace=tr)
    A=torch.stack(tr.attention)[:,0]   # L,H,T,T
    q=slice(1,T-1); n=T-2
    acc['cls'].append(A[:,:,q,0].mean(-1)); acc['sep'].append(A[:,:,q,T-1].mean(-1))
    acc['prev'].append(torch.stack([A[:,:,i,i-1] for i in range(2,T-1)]).mean(0))
    acc['next'].append(torch.stack([A[:,:,i,i+1] for i in range(1,T-2)]).mean(0))
    acc['self'].append(A.diagonal(0,2,3)[:,:,q].mean(-1))
    same=(ids[:,None]==ids[None]).float(); same.fill_diagonal_(0)
    has=same.sum(1)>0; has[0]=has[-1]=False
    if has.any(): acc['same'].append((A*same).sum(-1)[:,:,has].mean(-1)); acc['uni_same'].append(same.sum(1)[has].mean()/T)
    p=torch.tensor([int(i) in punct for i in ids]); acc['punct'].append(A[:,:,q][:,:,:,p].sum(-1).mean(-1))
    acc['uniform'].append(torch.tensor(1/T))
print('time',time.process_time()-t0)
R={k:torch.stack(v).mean(0) for k,v in acc.items()}
print('uniform',R['uniform'],R['uni_same'])
for k in keys[:7]:
    a=R[k]; print(k,'mean by layer',a.mean(1).numpy().round(2)); 
    top=a.flatten().topk(5); print('   top',[(int(i)//12,int(i)%12,round(float(v),2)) for v,i in zip(*top)])
torch.save(R,'heads.pt')
