import sys,time,torch,argparse
from torch.nn import functional as F
from llmbook.models import GPT,GPTConfig
from llmbook.models.initialization import initialize_xavier
from llmbook.attention import causal_mask
torch.set_num_threads(1)
ap=argparse.ArgumentParser()
ap.add_argument('--delay',type=int,default=3);ap.add_argument('--steps',type=int,default=300)
ap.add_argument('--d',type=int,default=64);ap.add_argument('--L',type=int,default=1);ap.add_argument('--H',type=int,default=4)
ap.add_argument('--lr',type=float,default=3e-3);ap.add_argument('--B',type=int,default=32);ap.add_argument('--N',type=int,default=32)
ap.add_argument('--V',type=int,default=16);ap.add_argument('--schemes',default='none learned sinusoidal rotary')
ap.add_argument('--seeds',default='0 1 2');ap.add_argument('--rand',type=int,default=0);ap.add_argument('--test',type=int,default=512);ap.add_argument('--win',type=int,default=0);ap.add_argument('--base',type=float,default=10000.)
a=ap.parse_args();print(vars(a))
def forward(m,ids,positions=None,win=0):
    T=ids.shape[1]
    if positions is None: positions=torch.arange(T)
    x=m.embeddings(ids,positions)
    return m.output(m.stack(x,mask=causal_mask(T) if not win else causal_mask(T).triu(1-win),positions=positions))
for scheme in a.schemes.split():
  for seed in map(int,a.seeds.split()):
    torch.manual_seed(seed); g=torch.Generator().manual_seed(seed)
    m=GPT(GPTConfig.gpt2(vocab_size=a.V,context_length=1024,d_model=a.d,num_heads=a.H,num_layers=a.L,d_hidden=4*a.d,positions=scheme,dropout=0.,rotary_base=a.base))
    m.embeddings.scale=a.d**.5; initialize_xavier(m)
    opt=torch.optim.AdamW(m.parameters(),lr=a.lr,weight_decay=0.0)
    sch=torch.optim.lr_scheduler.LambdaLR(opt,lambda s:min((s+1)/50,1-s/a.steps))
    t0=time.process_time(); hist=[]
    for step in range(a.steps):
        ids=torch.randint(a.V,(a.B,a.N),generator=g)
        pos=torch.randperm(a.test,generator=g)[:a.N].sort().values if a.rand==1 else (torch.arange(a.N)+int(torch.randint(a.test-a.N,(1,),generator=g)) if a.rand==2 else None)
        lo=forward(m,ids,pos)[:,a.delay:]
        loss=F.cross_entropy(lo.flatten(0,1),ids[:,:-a.delay].flatten())
        loss.backward();torch.nn.utils.clip_grad_norm_(m.parameters(),1.);opt.step();opt.zero_grad();sch.step(); hist.append(loss.item())
    used=time.process_time()-t0
    m.eval();gt=torch.Generator().manual_seed(99)
    with torch.no_grad():
        ids=torch.randint(a.V,(16,a.test),generator=gt)
        ok=(forward(m,ids,None,a.win)[:,a.delay:].argmax(-1)==ids[:,:-a.delay]).float().mean(0)
    edges=[3,16,32,36,40,48,64,96,128,256,512]
    print(f"{scheme:11s} {seed} loss {loss.item():.3f} {used:.0f}s", *[f"<{hi}:{ok[lo-a.delay if lo>a.delay else 0:hi-a.delay].mean():.2f}" for lo,hi in zip(edges,edges[1:])],flush=True)
