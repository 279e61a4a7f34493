import sys, time, torch, math
torch.set_num_threads(1)
from torch import nn
from torch.nn import functional as F
from llmbook.attention import MultiHeadAttention, RotaryPositions, causal_mask, sinusoidal_positions

class Toy(nn.Module):
    def __init__(self, V, T, D, H, L, pos='learned'):
        super().__init__()
        self.token=nn.Embedding(V,D); self.pos=pos
        if pos=='learned': self.position=nn.Embedding(T,D)
        self.layers=nn.ModuleList(MultiHeadAttention(D,H,rotary=RotaryPositions(D//H) if pos=='rotary' else None,bias=False) for _ in range(L))
        self.out=nn.Linear(D,V,bias=False)
        self.norms=nn.ModuleList(nn.LayerNorm(D) for _ in range(L)); self.fn=nn.LayerNorm(D)
        for n,m in self.named_modules():
            if isinstance(m,(nn.Embedding,)): nn.init.normal_(m.weight,std=1.0 if pos=='rotary' else 0.7)
    def forward(self, ids, return_weights=False, ablate=None):
        T=ids.shape[1]; x=self.token(ids)
        if self.pos=='learned': x=x+self.position.weight[:T]
        if self.pos=='sin': x=x+sinusoidal_positions(T,x.shape[-1])
        m=causal_mask(T); maps=[]
        for n,l in zip(self.norms,self.layers):
            a,w=l(n(x),mask=m,return_weights=return_weights); x=x+a; maps.append(w)
        return self.out(self.fn(x)), maps

def batch(B,T,V,g,lo=8,hi=None):
    hi=hi or T//2
    period=torch.randint(lo,hi+1,(B,1),generator=g)
    block=torch.rand(B,V,generator=g).argsort(1)[:,:T]
    where=torch.arange(T)[None]%period
    return block.gather(1,where), period
def run(L,seed,V=32,T=48,D=64,H=4,B=64,steps=1500,lr=3e-3,pos='learned',every=100,verbose=True):
    torch.manual_seed(seed); g=torch.Generator().manual_seed(seed)
    m=Toy(V,T,D,H,L,pos); opt=torch.optim.AdamW(m.parameters(),lr=lr,weight_decay=0.01)
    test,per=batch(64,T,V,torch.Generator().manual_seed(99)); t0=time.process_time(); hist=[]
    col=torch.arange(T)
    second=(col[None]>=per)[:,1:]            # target position t+1 is a repeat
    # induction target for query t: key t-period+1 (the token after the previous occurrence)
    for s in range(steps+1):
        if s%every==0:
            with torch.no_grad():
                lg,maps=m(test,True)
                l=F.cross_entropy(lg[:,:-1].flatten(0,1),test[:,1:].flatten(),reduction='none').view(len(test),-1)
                rep=l[second].mean().item()
                q=col[None]; k=q-per+1
                ok=(k>=0)&(q>=per)  # query itself already in repeat... at q>=per-1
                sc=[]
                for w in maps:
                    v=w.gather(3,k.clamp(min=0)[:,None,:,None].expand(-1,w.shape[1],-1,1))[...,0]
                    sc.append((v*ok[:,None]).sum((0,2))/ok.sum())
                prev=[w.diagonal(-1,2,3).mean((0,2)) for w in maps]
            hist.append((s,rep,[x.max().item() for x in sc],[x.max().item() for x in prev]))
            if verbose: print(L,seed,s,f"rep {rep:.2f} acc first {l[~second].mean():.2f}", 'ind',[f"{x.max():.2f}" for x in sc],'prev',[f"{x.max():.2f}" for x in prev],f"{time.process_time()-t0:.0f}s",flush=True)
        ids,_=batch(B,T,V,g)
        lg,_=m(ids)
        loss=F.cross_entropy(lg[:,:-1].flatten(0,1),ids[:,1:].flatten())
        opt.zero_grad(); loss.backward(); nn.utils.clip_grad_norm_(m.parameters(),1.0); opt.step()
    return m,hist
if __name__=='__main__':
    kw=eval('dict('+sys.argv[3]+')') if len(sys.argv)>3 else {}
    run(int(sys.argv[1]),int(sys.argv[2]),**kw)
