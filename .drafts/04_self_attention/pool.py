import torch, time, numpy as np
torch.set_num_threads(1)
from torch import nn
from torch.nn import functional as F
from llmbook import corpora, pretrained
from llmbook.models import load_minilm
_,tok=pretrained.minilm(); m=load_minilm()
wiki=list(corpora.wikipedia())
big=sorted(wiki,key=lambda a:-len(a.sentences))[:8]
print([(a.title,len(a.sentences)) for a in big])
rng=np.random.default_rng(0)
texts,labels=[],[]
for k,a in enumerate(big):
    ss=[s for s in a.sentences if 10<=len(s.split())<=30]
    for i in rng.choice(len(ss),100,replace=False): texts.append(ss[i]); labels.append(k)
t0=time.process_time()
def enc(texts):
    out=torch.zeros(len(texts),64,384); mask=torch.zeros(len(texts),64,dtype=torch.bool)
    order=np.argsort([len(t) for t in texts])
    for i in range(0,len(texts),32):
        j=order[i:i+32]
        b=tok([texts[k] for k in j],return_tensors='pt',padding=True,truncation=True,max_length=64)
        with torch.no_grad(): h=m(b.input_ids,b.attention_mask)
        out[j,:h.shape[1]]=h; mask[j,:h.shape[1]]=b.attention_mask.bool()
        mask[j,0]=False
    return out,mask
X,M=enc(texts); y=torch.tensor(labels); print('enc',time.process_time()-t0, M.sum(1).float().mean())
perm=torch.from_numpy(np.random.default_rng(1).permutation(len(y))); tr,te=perm[:400],perm[400:]
class Pool(nn.Module):
    def __init__(s,D,C,uniform=False,seed=0):
        super().__init__(); torch.manual_seed(seed)
        s.q=nn.Parameter(torch.randn(D)*0.0+torch.randn(D)*D**-.5); s.out=nn.Linear(D,C); s.uniform=uniform
    def weights(s,x,m):
        sc=x@s.q*(0. if s.uniform else 1.)
        return sc.masked_fill(~m,-1e9).softmax(-1)
    def forward(s,x,m,w=None):
        w=s.weights(x,m) if w is None else w
        return s.out((w[...,None]*x).sum(1))
def train(x,m,y,uniform=False,seed=0,steps=400,lr=1e-2,other=None,lam=1.):
    mod=Pool(x.shape[-1],int(y.max())+1,uniform,seed); opt=torch.optim.AdamW(mod.parameters(),lr=lr,weight_decay=1e-2)
    for _ in range(steps):
        w=mod.weights(x,m); l=F.cross_entropy(mod(x,m,w),y)
        if other is not None: l=l-lam*(0.5*(w-other).abs().sum(1)).mean()
        opt.zero_grad(); l.backward(); opt.step()
    return mod
def permuted(w,m,g):
    r=torch.rand(w.shape,generator=g).masked_fill(~m,2).argsort(1)   # valid first in random order
    v=torch.arange(w.shape[1])[None].expand_as(w).masked_fill(~m,10**6).sort(1).values # positions
    out=torch.zeros_like(w); n=m.sum(1)
    for i in range(len(w)): 
        pos=m[i].nonzero()[:,0]; out[i,pos]=w[i,pos[torch.randperm(len(pos),generator=g)]]
    return out
def study(name,X,M,y,tr,te,lr,steps=400,lams=(1.,)):
    for seed in range(3):
        t=time.process_time()
        a=train(X[tr],M[tr],y[tr],seed=seed,lr=lr,steps=steps); u=train(X[tr],M[tr],y[tr],True,seed,lr=lr,steps=steps)
        g=torch.Generator().manual_seed(seed)
        with torch.no_grad():
            w=a.weights(X[te],M[te]); acc=lambda lg:(lg.argmax(1)==y[te]).float().mean().item()
            p=a(X[te],M[te]); pp=a(X[te],M[te],permuted(w,M[te],g))
            wtr=a.weights(X[tr],M[tr])
            mx=w.max(1).values.mean()
            print(name,seed,f"learned {acc(p):.2f} permuted {acc(pp):.2f} same {(p.argmax(1)==pp.argmax(1)).float().mean():.2f} uniform {acc(u(X[te],M[te])):.2f} maxw {mx:.2f} tvd_unif {(0.5*(w-M[te].float()/M[te].sum(1,keepdim=True)).abs().sum(1)).mean():.2f}", end=' ')
        for lam in lams:
            b=train(X[tr],M[tr],y[tr],seed=seed+10,other=wtr,lam=lam,lr=lr,steps=steps)
            with torch.no_grad():
                wb=b.weights(X[te],M[te]); q=b(X[te],M[te])
                print(f"adv{lam} acc {acc(q):.2f} agree {(p.argmax(1)==q.argmax(1)).float().mean():.2f} tvd {(0.5*(w-wb).abs().sum(1)).mean():.2f}", end=' ')
        c=train(X[tr],M[tr],y[tr],seed=seed+20,lr=lr,steps=steps)
        with torch.no_grad(): wc=c.weights(X[te],M[te]); print(f"seed-to-seed tvd {(0.5*(w-wc).abs().sum(1)).mean():.2f}", f"{time.process_time()-t:.1f}s")
study('topic',X,M,y,tr,te,1e-2,200)
g=torch.Generator().manual_seed(0)
N=2000; T=24; D=32
Z=torch.randn(N,T,D,generator=g); where=torch.randint(T,(N,),generator=g); Z[:,:,0]=0; Z[torch.arange(N),where,0]=3.
lab=torch.randint(8,(N,),generator=g); 
Z[:,:,1:9]=F.one_hot(torch.randint(8,(N,T),generator=g),8).float()*2
lab=Z[torch.arange(N),where,1:9].argmax(1)
Mz=torch.ones(N,T,dtype=torch.bool)
study('needle',Z,Mz,lab,torch.arange(1000),torch.arange(1000,2000),3e-2,400)
