import torch,time,sys
torch.set_num_threads(1)
from torch import nn
from torch.nn import functional as F
from llmbook.attention import MultiHeadAttention
def data(B,T,g,N=2):
    keys=torch.randn(B,T,16,generator=g); lab=torch.randint(16,(B,T),generator=g); r=torch.arange(B)[:,None]
    where=torch.rand(B,T,generator=g).argsort(1)[:,:N]
    q=torch.zeros(B,1,48); q[:,0,:16]=keys[r,where][:,0]; q[:,0,16:32]=keys[r,where][:,1]
    x=torch.cat([keys,torch.zeros(B,T,16),F.one_hot(lab,16)*4.],-1)
    return q,x,lab[r,where]
class M(nn.Module):
    def __init__(s,H,mlp=False):
        super().__init__(); s.a=MultiHeadAttention(48,H); s.r=nn.Linear(48,32) if not mlp else nn.Sequential(nn.Linear(48,128),nn.GELU(),nn.Linear(128,32))
    def forward(s,q,x): return s.r(s.a(q,x)[0])[:,0].view(-1,2,16)
def run(H,seed,steps=800,lr=1e-2,mlp=False,T=8,B=128):
    torch.manual_seed(seed); g=torch.Generator().manual_seed(seed); m=M(H,mlp); o=torch.optim.Adam(m.parameters(),lr); t0=time.process_time()
    sch=torch.optim.lr_scheduler.LinearLR(o,1,0.05,steps)
    for s in range(steps):
        q,x,y=data(B,T,g); l=F.cross_entropy(m(q,x).flatten(0,1),y.flatten()); o.zero_grad(); l.backward(); o.step(); sch.step()
    with torch.no_grad():
        q,x,y=data(2000,T,g); p=m(q,x).argmax(-1); a=(p==y).float()
    w=m.a(q,x,return_weights=True)[1]
    return [round(v,2) for v in a.mean(0).tolist()]+[round(a.prod(1).mean().item(),2), sum(p.numel() for p in m.a.parameters()), round(time.process_time()-t0,1)], w
if __name__=='__main__':
  for H in (1,2,4,12):
    for lr in (1e-2,):
      print(H,lr,[run(H,s,lr=lr)[0] for s in range(3)],flush=True)
  print('mlp',[run(1,s,mlp=True)[0] for s in range(3)])
