import sys,time,torch,argparse
from torch.nn import functional as F
from llmbook.models import GPT,GPTConfig
from llmbook.models.initialization import initialize_xavier
from llmbook.attention import causal_mask
torch.set_num_threads(1)
ap=argparse.ArgumentParser()
ap.add_argument('--task',default='copy');ap.add_argument('--steps',type=int,default=1000)
ap.add_argument('--d',type=int,default=64);ap.add_argument('--L',type=int,default=2);ap.add_argument('--H',type=int,default=4)
ap.add_argument('--lr',type=float,default=2e-3);ap.add_argument('--B',type=int,default=64);ap.add_argument('--N',type=int,default=20)
ap.add_argument('--V',type=int,default=16);ap.add_argument('--schemes',default='none learned sinusoidal rotary')
ap.add_argument('--seeds',default='0');ap.add_argument('--rand',type=int,default=0);ap.add_argument('--maxpos',type=int,default=128)
a=ap.parse_args();print(vars(a))
SEP,PAD=a.V,a.V+1
def make(n,B,g):
    x=torch.randint(a.V,(B,n),generator=g)
    if a.task=='copy': return torch.cat([x,torch.full((B,1),SEP),x],1), n
    if a.task=='reverse': return torch.cat([x,torch.full((B,1),SEP),x.flip(1)],1), n
    if a.task=='recall':
        K=a.V//2
        keys=torch.stack([torch.randperm(K,generator=g)[:n] for _ in range(B)]) ; vals=torch.randint(K,a.V,(B,n),generator=g)
        q=torch.randint(n,(B,),generator=g)
        r=torch.arange(B)
        return torch.cat([torch.stack([keys,vals],2).flatten(1),keys[r,q][:,None],vals[r,q][:,None]],1),1
    if a.task=='first': # first symbol again at the end
        return torch.cat([x,torch.full((B,1),SEP),x[:,:1]],1),1
    if a.task=='sort': return torch.cat([x,torch.full((B,1),SEP),x.sort(1).values],1), n
def forward(m,ids,positions=None):
    T=ids.shape[1]
    if positions is None: positions=torch.arange(T)
    x=m.embeddings(ids,positions)
    return m.output(m.stack(x,mask=causal_mask(T),positions=positions))
def randpos(T,g): return torch.randperm(a.maxpos,generator=g)[:T].sort().values
for scheme in a.schemes.split():
  for seed in map(int,a.seeds.split()):
    torch.manual_seed(seed); g=torch.Generator().manual_seed(seed)
    m=GPT(GPTConfig.gpt2(vocab_size=a.V+2,context_length=max(a.maxpos,256),d_model=a.d,num_heads=a.H,num_layers=a.L,d_hidden=4*a.d,positions=scheme,dropout=0.))
    m.embeddings.scale=a.d**.5; initialize_xavier(m)
    opt=torch.optim.AdamW(m.parameters(),lr=a.lr,weight_decay=0.0)
    sch=torch.optim.lr_scheduler.LambdaLR(opt,lambda s:min((s+1)/50,1-s/a.steps))
    t0=time.process_time()
    for step in range(a.steps):
        n=int(torch.randint(1,a.N+1,(1,),generator=g))
        ids,k=make(n,a.B,g)
        pos=randpos(ids.shape[1]-1,g) if a.rand else None
        lo=forward(m,ids[:,:-1],pos)[:,-k:]
        loss=F.cross_entropy(lo.flatten(0,1),ids[:,-k:].flatten())
        loss.backward();torch.nn.utils.clip_grad_norm_(m.parameters(),1.);opt.step();opt.zero_grad();sch.step()
    used=time.process_time()-t0
    m.eval();gt=torch.Generator().manual_seed(99);row=[];rt=[]
    lens=sorted({max(1,round(a.N*f)) for f in (.25,.5,.75,1,1.1,1.2,1.4,1.6,2,3)})
    if a.task=='recall': lens=[n for n in lens if n<=a.V//2]
    with torch.no_grad():
      for n in lens:
        ids,k=make(n,200,gt)
        pos=torch.arange(ids.shape[1]-1) if not a.rand else randpos(ids.shape[1]-1,gt)
        if pos.max()>=256: break
        ok=forward(m,ids[:,:-1],pos)[:,-k:].argmax(-1)==ids[:,-k:]
        row.append(round(ok.all(1).float().mean().item(),2)); rt.append(round(ok.float().mean().item(),2))
    print(f"{scheme:11s} {seed} loss {loss.item():.3f} {used:.0f}s", *[f"{n}:{r:.2f}/{t:.2f}" for n,r,t in zip(lens,row,rt)],flush=True)
