import time,torch,sys
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence
from llmbook import corpora
from llmbook.models import Seq2Seq,Seq2SeqConfig,Trace
torch.set_num_threads(1)
dates=corpora.localized_dates(); train,valid,test=(dates.split(s) for s in corpora.SPLITS)
PAD,START,END=0,1,2
signs=sorted({c for p in train for c in p.english+p.chinese}); number={c:i+3 for i,c in enumerate(signs)}
def ids(texts,start=False): return pad_sequence([torch.tensor([START]*start+[number[c] for c in t]+[END]) for t in texts],batch_first=True)
def text(row): row=row.tolist(); row=row[:row.index(END)] if END in row else row; return ''.join(signs[i-3] if i>2 else '?' for i in row)
def translate(m,texts):
    m.eval(); s=ids(texts); out=m.greedy(s,s!=PAD,start_id=START,end_id=END,max_new_tokens=20); return [text(r) for r in out]
if __name__=='__main__':
    seed=int(sys.argv[1]); steps=int(sys.argv[2]); first=int(sys.argv[3]) if len(sys.argv)>3 else 1950
    torch.manual_seed(seed)
    m=Seq2Seq(Seq2SeqConfig(vocab_size=len(signs)+3,context_length=40,d_model=64,num_heads=4,d_hidden=128,num_layers=2,dropout=0.))
    opt=torch.optim.Adam(m.parameters(),lr=3e-3,betas=(.9,.98),eps=1e-9)
    sch=torch.optim.lr_scheduler.LambdaLR(opt,lambda s:min((s+1)/100,1-s/steps))
    g=torch.Generator().manual_seed(seed); t0=time.process_time(); S=ids([p.english for p in train]);T=ids([p.chinese for p in train],True)
    for step in range(steps):
        i=torch.randint(len(train),(64,),generator=g)
        s,t=S[i],T[i]; s=s[:,:(s!=0).sum(1).max()]; t=t[:,:(t!=0).sum(1).max()]
        loss=F.cross_entropy(m(s,t[:,:-1],s!=PAD).flatten(0,1),t[:,1:].flatten(),ignore_index=PAD,label_smoothing=.1)
        opt.zero_grad();loss.backward();opt.step();sch.step()
        if (step+1)%200==0: u=time.process_time()-t0; print(step+1,loss.item(),sum(a==p.chinese for a,p in zip(translate(m,[p.english for p in valid[:300]]),valid))/300,u); m.train(); t0=time.process_time()-u
    out=translate(m,[p.english for p in test]); print('test',sum(a==p.chinese for a,p in zip(out,test))/len(test),len(test))
    print([(p.english,a) for a,p in zip(out,test) if a!=p.chinese][:10])
    torch.save(m.state_dict(),f'm{seed}.pt')
    for y in range(1900,2100,10):
        far=[p for p in corpora.localized_dates(y,y+9) if not(p.locale=='en' and p.length=='short')][::13]
        o=translate(m,[p.english for p in far]); print(y,round(sum(a==p.chinese for a,p in zip(o,far))/len(far),2),[(p.english,a) for a,p in zip(o,far) if a!=p.chinese][:2])
