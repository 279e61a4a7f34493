import sys,time,torch; sys.path.insert(0,'t5')
import dates
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence
from llmbook.models import Seq2Seq,Seq2SeqConfig
torch.set_num_threads(1)
import argparse
ap=argparse.ArgumentParser()
ap.add_argument('--d',type=int,default=64);ap.add_argument('--ff',type=int,default=128)
ap.add_argument('--L',type=int,default=2);ap.add_argument('--H',type=int,default=4)
ap.add_argument('--B',type=int,default=64);ap.add_argument('--lr',type=float,default=3e-3)
ap.add_argument('--steps',type=int,default=600);ap.add_argument('--warm',type=int,default=100)
ap.add_argument('--pre',type=int,default=0);ap.add_argument('--drop',type=float,default=0.1)
ap.add_argument('--smooth',type=float,default=0.1);ap.add_argument('--lin',type=int,default=0);ap.add_argument('--seed',type=int,default=0)
a=ap.parse_args(); print(vars(a))
data=dates.make(); tr=[x for x in data if dates.split(x[0])=='train']; te=[x for x in data if dates.split(x[0])=='validation']
chars=sorted(set(''.join(x[3]+x[4] for x in data))); idx={c:i+3 for i,c in enumerate(chars)}
def enc(s): return torch.tensor([1]+[idx[c] for c in s]+[2])
def batch(rows):
    s=pad_sequence([enc(x[3])[1:] for x in rows],batch_first=True); t=pad_sequence([enc(x[4]) for x in rows],batch_first=True)
    return s,t
torch.manual_seed(a.seed)
m=Seq2Seq(Seq2SeqConfig(vocab_size=len(chars)+3,context_length=64,d_model=a.d,num_heads=a.H,d_hidden=a.ff,num_layers=a.L,dropout=a.drop,norm_first=bool(a.pre)))
print(sum(p.numel() for p in m.parameters()),len(tr))
opt=torch.optim.Adam(m.parameters(),lr=a.lr,betas=(.9,.98),eps=1e-9)
def rate(s):
    s+=1
    if a.lin: return min(s/a.warm,1-s/(a.steps+1))
    return min(s/a.warm, (a.warm/s)**.5)
sch=torch.optim.lr_scheduler.LambdaLR(opt,rate)
g=torch.Generator().manual_seed(a.seed)
def evaluate(rows):
    m.eval(); s,t=batch(rows); out=m.greedy(s,s!=0,start_id=1,end_id=2,max_new_tokens=20)
    res=[]
    for x,o in zip(rows,out.tolist()):
        o=o[:o.index(2)] if 2 in o else o
        res.append(''.join(chars[i-3] if i>2 else '?' for i in o))
    m.train(); return res
t0=time.process_time()
for step in range(a.steps):
    rows=[tr[i] for i in torch.randint(len(tr),(a.B,),generator=g)]
    s,t=batch(rows)
    logits=m(s,t[:,:-1],s!=0)
    loss=F.cross_entropy(logits.flatten(0,1),t[:,1:].flatten(),ignore_index=0,label_smoothing=a.smooth)
    loss.backward(); opt.step(); opt.zero_grad(); sch.step()
    if (step+1)%200==0:
        used=time.process_time()-t0
        r=evaluate(te[:400]); print(step+1, round(loss.item(),3), 'exact',sum(p==x[4] for p,x in zip(r,te))/400, round(used,1),flush=True)
        t0=time.process_time()-used
r=evaluate(te); acc=sum(p==x[4] for p,x in zip(r,te))/len(te)
print('all val',acc,len(te))
from collections import Counter
tot=Counter((x[1],x[2]) for x in te); ok=Counter((x[1],x[2]) for p,x in zip(r,te) if p==x[4])
for k in sorted(tot): print(k,round(ok[k]/tot[k],3))
for p,x in [(p,x) for p,x in zip(r,te) if p!=x[4]][:12]: print(x[3],x[4],p)
for lo,hi in ((1850,1899),(2050,2099)):
    far=[x for x in dates.make(lo,hi) if not (x[2]=='short' and x[1]=='en')][::40]
    rr=evaluate(far); print(lo,hi,sum(p==x[4] for p,x in zip(rr,far))/len(far),[(x[3],p) for p,x in zip(rr,far)][:3])
