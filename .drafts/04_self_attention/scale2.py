import torch,time,sys
torch.set_num_threads(1)
from torch import nn
from torch.nn import functional as F
from llmbook.attention import scaled_dot_product_attention as sdpa
def data(B,T,g,D=16,C=8):
    keys=torch.randn(B,T,D,generator=g); lab=torch.randint(C,(B,T),generator=g)
    pick=torch.randint(T,(B,),generator=g); r=torch.arange(B)
    return keys[r,pick][:,None],keys,F.one_hot(lab,C).float(),lab[r,pick]
def run(K,scaled,lr,seed,steps=300,T=16,B=64,D=16,test=(16,),mask=None):
    g=torch.Generator().manual_seed(seed)
    Wq,Wk=[(torch.randn(D,K,generator=g)*D**-.5).requires_grad_() for _ in range(2)]
    o=torch.optim.SGD([Wq,Wk],lr); sc=None if scaled else 1.
    for s in range(steps):
        q,k,v,y=data(B,T,g,D)
        p,_=sdpa(q@Wq,k@Wk,v,mask,scale=sc)
        loss=F.nll_loss((p[:,0]+1e-6).log(),y)
        o.zero_grad(); loss.backward(); o.step()
    out=[]
    with torch.no_grad():
      for t in test:
        q,k,v,y=data(500,t,g,D); p,w=sdpa(q@Wq,k@Wk,v,mask,scale=sc)
        out+=[(p[:,0].argmax(1)==y).float().mean().item()]
    return out
if __name__=='__main__':
 for K in (4,16,64,256):
  for scaled in (True,False):
    r=[]
    for lr in (.003,.01,.03,.1,.3,1.):
        t=time.process_time()
        a=[run(K,scaled,lr,s) for s in range(3)]
        r.append(f"{lr}: "+'/'.join(f"{x[0]:.2f}" for x in a))
    print(K,'scaled' if scaled else 'plain ',r,f"{(time.process_time()-t)/3:.1f}s/run",flush=True)
 print(run(64,True,.3,0,steps=600,test=(4,16,64,256,1024,4096)))
 for w in (0,1,4,8,16):
   m=torch.arange(16)>=16-w
   if w==0: print('avg');continue
   print(w,[run(64,True,.3,s,mask=m[None])[0] for s in range(3)], w/16+(1-w/16)/8)
