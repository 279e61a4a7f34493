import torch,time,sys
torch.set_num_threads(1)
from torch import nn
from torch.nn import functional as F
def data(B,T,V,g):
    keys=torch.rand(B,V,generator=g).argsort(1)[:,:T]; vals=torch.randint(V,(B,T),generator=g)
    pick=torch.randint(T,(B,),generator=g); q=keys[torch.arange(B),pick]; y=vals[torch.arange(B),pick]
    return keys,vals,q,y
def run(K,scaled,lr,seed,opt='sgd',steps=400,T=16,V=16,B=64,D=32):
    g=torch.Generator().manual_seed(seed)
    E=torch.randn(V,D,generator=g)                       # fixed random item vectors
    Wq=(torch.randn(D,K,generator=g)*D**-.5).requires_grad_(); Wk=(torch.randn(D,K,generator=g)*D**-.5).requires_grad_()
    P=[Wq,Wk]; o=torch.optim.SGD(P,lr) if opt=='sgd' else torch.optim.Adam(P,lr)
    val=F.one_hot(torch.arange(V),V).float()
    sc=K**-.5 if scaled else 1.
    for s in range(steps+1):
        keys,vals,q,y=data(B if s<steps else 1000,T,V,g)
        scores=((E[q]@Wq)[:,None]*(E[keys]@Wk)).sum(-1)*sc
        w=scores.softmax(-1); p=(w[...,None]*val[vals]).sum(1)
        loss=-(p.gather(1,y[:,None])[:,0]+1e-9).log().mean()
        if s==0: w0=w.max(1).values.mean().item()
        if s==steps: return w0,(p.argmax(1)==y).float().mean().item(),loss.item()
        o.zero_grad(); loss.backward(); o.step()
for opt,lrs in (('sgd',(.003,.01,.03,.1,.3,1.)),('adam',(3e-4,1e-3,3e-3,1e-2,3e-2))):
  for K in (4,16,64,256):
    for scaled in (True,False):
      r=[]
      for lr in lrs:
        t=time.process_time()
        a=[run(K,scaled,lr,s,opt) for s in range(3)]
        r.append(f"{lr}: "+'/'.join(f"{x[1]:.2f}" for x in a))
      print(opt,K,'scaled' if scaled else 'plain ',f"w0 {a[0][0]:.2f}",r,f"{(time.process_time()-t)/3:.1f}s/run",flush=True)
