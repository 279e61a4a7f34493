import time,torch,math
from torch.nn import functional as F
from llmbook import corpora
from llmbook.models import GPT,GPTConfig,gpt_parameters,gpt_flops
torch.set_num_threads(1)
def text(split): return torch.tensor(list("\n\n".join(a.text for a in corpora.wikipedia().split(split)).encode()))
TR,VA=text('train'),text('validation')
def val(m,T,n=64):
    m.eval()
    starts=torch.linspace(0,len(VA)-T-1,n).long()
    ids=torch.stack([VA[s:s+T+1] for s in starts])
    with torch.no_grad(): l=F.cross_entropy(m(ids[:,:-1]).flatten(0,1),ids[:,1:].flatten())
    m.train(); return l.item()/math.log(2)
def train(cfg,seed,steps,lr,warm,B=16,T=128,clip=1.0,wd=0.1):
    torch.manual_seed(seed); m=GPT(cfg); g=torch.Generator().manual_seed(seed)
    opt=torch.optim.AdamW(m.parameters(),lr=lr,weight_decay=wd,betas=(.9,.95))
    sch=torch.optim.lr_scheduler.LambdaLR(opt,lambda s:min((s+1)/max(warm,1),max(.05,1-s/steps)))
    t0=time.process_time(); hist=[]
    for s in range(steps):
        st=torch.randint(len(TR)-T-1,(B,),generator=g)
        ids=torch.stack([TR[i:i+T+1] for i in st])
        loss=F.cross_entropy(m(ids[:,:-1]).flatten(0,1),ids[:,1:].flatten()); loss.backward()
        if clip: torch.nn.utils.clip_grad_norm_(m.parameters(),clip)
        opt.step();opt.zero_grad();sch.step();hist.append(loss.item())
        if not math.isfinite(hist[-1]): break
    return m,hist,time.process_time()-t0
