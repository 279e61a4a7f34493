"""Plateau of a small masked model. usage: study.py NAME [NAME...] ; appends to plateau.json"""
import json, math, os, sys, time, fcntl
import numpy as np, torch
from torch.nn import functional as F
from llmbook import corpora
from llmbook.tokenizers import BPETokenizer, train_bpe
from llmbook.models import BertConfig, BertForMaskedTokens
torch.set_num_threads(1)
OUT="plateau.json"
V=2048; MASK=V-1; END=V-2; T=64

def data():
    p="data.pt"
    if not os.path.exists(p):
        c=corpora.docstrings(); tr=[r.text for r in c.split("train")]; va=[r.text for r in c.split("validation")]
        tok=train_bpe(tr,V,["<|end|>","[MASK]"]); tok.save("bpe.json")
        assert tok.special_tokens["[MASK]"]==MASK
        flat=lambda texts: torch.tensor([i for t in texts for i in [*tok.encode(t),END]])
        torch.save({"train":flat(tr),"val":flat(va)},p)
    return torch.load(p)

def hide(ids, g, share, scheme):
    chosen=torch.rand(ids.shape,generator=g)<share
    r=torch.rand(ids.shape,generator=g)
    inp=ids.clone()
    if scheme=="mask": inp[chosen]=MASK; kind=chosen.long()
    else:
        a=chosen&(r<.8); b=chosen&(r>=.8)&(r<.9)
        inp[a]=MASK; inp[b]=torch.randint(0,V-2,ids.shape,generator=g)[b]
        kind=a.long()+2*b.long()+3*(chosen&(r>=.9)).long()
    return inp,chosen,kind   # kind: 1 hidden, 2 random, 3 kept

def doubled(rows, g, vocab):
    x=torch.randint(0,vocab,(rows,T//2+1),generator=g).repeat_interleave(2,1)
    s=torch.randint(0,2,(rows,),generator=g)
    return torch.stack([x[i,s[i]:s[i]+T] for i in range(rows)])

def windows(d, rows, g):
    s=torch.randint(len(d)-T,(rows,),generator=g)
    return torch.stack([d[i:i+T] for i in s])

def logits_at(m, inp, chosen):
    h=m.bert(inp)[chosen]
    return m.output(m.norm(F.gelu(m.transform(h))))

@torch.no_grad()
def losses(m, inp, chosen, ids):
    out=[]
    m.eval()
    for i in range(0,len(inp),64):
        c=chosen[i:i+64]; out.append(logits_at(m,inp[i:i+64],c))
    m.train()
    return torch.cat(out)

def evaluate(m, ids, inp, chosen, kind, full=False, g=None):
    z=losses(m,inp,chosen,ids); y=ids[chosen]; k=kind[chosen]
    nll=F.cross_entropy(z,y,reduction="none"); ok=(z.argmax(-1)==y).float()
    r={"nats":nll.mean().item(),"acc":ok.mean().item(),"nats_hidden":nll[k==1].mean().item(),"acc_hidden":ok[k==1].mean().item()}
    if full:
        h=k==1; p=z[h].log_softmax(-1); bar=p.exp().mean(0)
        r["information"]=(p.exp()*(p-bar.log())).sum(-1).mean().item()  # nats the answer depends on the context
        top=z[h].argmax(-1); vals,cnt=top.unique(return_counts=True)
        r["top_answer_share"]=(cnt.max()/cnt.sum()).item(); r["distinct_answers"]=len(vals)
        if (k==3).any(): r["acc_kept"]=ok[k==3].mean().item(); r["acc_random"]=ok[k==2].mean().item()
        # the same hidden tokens among shuffled neighbours / another window
        sh=inp.clone()
        for i in range(len(sh)):
            free=(~chosen[i]).nonzero()[:,0]; sh[i,free]=sh[i,free[torch.randperm(len(free),generator=g)]]
        zs=losses(m,sh,chosen,ids)[h]; r["nats_shuffled"]=F.cross_entropy(zs,y[h]).item()
        ot=torch.where(chosen,inp,inp.roll(1,0)); ot[(inp.roll(1,0)==MASK)&~chosen]=END
        zo=losses(m,ot,chosen,ids)[h]; r["nats_other_window"]=F.cross_entropy(zo,y[h]).item()
    return {k2:(round(v,4) if isinstance(v,float) else v) for k2,v in r.items()}

def run(name, positions="learned", seed=1, steps=2000, lr=1.5e-3, d=128, layers=4, heads=4, batch=16, share=.2, scheme="80/10/10",
        task="docs", norm_first=True, warm=100, decay="none", every=100, zero_bias=False, pos_std=None, betas=(.9,.98), wd=.01, init_std=None, vocab=200, stop_at=None, distance=32, clip=1.0, word_std=None, optimizer="adamw", context=None, block_std=None, embed_norm=True, bias_std=None):
    if os.path.exists(OUT) and any((r["name"],r["positions"],r["seed"])==(name,positions,seed) for r in json.load(open(OUT))["runs"]): return
    torch.manual_seed(seed)
    cfg=BertConfig(vocab_size=V,context_length=T,d_model=d,num_heads=heads,d_hidden=4*d,num_layers=layers,norm_first=norm_first,
        positions=positions,dropout=0.0,token_types=1,pooler=False,norm_eps=1e-5,max_distance=distance)
    m=BertForMaskedTokens(cfg)
    with torch.no_grad():
        if init_std:
            for n_,p in m.named_parameters():
                if p.dim()==2: p.mul_(init_std/.02)
        if block_std:
            for n_,p in m.named_parameters():
                if p.dim()==2 and (".blocks." in n_ or "transform" in n_) and "relative" not in n_: p.mul_(block_std/.02)
        if not embed_norm: m.bert.embeddings.norm=torch.nn.Identity()
        if pos_std and positions=="learned": m.bert.embeddings.position.weight.normal_(0,pos_std)
        if bias_std:
            for b in m.bert.stack.blocks:
                if b.attention.relative is not None: b.attention.relative.weight.normal_(0,bias_std)
        if zero_bias:
            for b in m.bert.stack.blocks:
                if b.attention.relative is not None: b.attention.relative.weight.zero_()
    D=data() if task=="docs" else None
    ge=torch.Generator().manual_seed(12345)
    val=windows(D["val"],512,ge) if task=="docs" else doubled(256,ge,vocab)
    vi,vc,vk=hide(val,ge,share,scheme)
    g=torch.Generator().manual_seed(1000+seed)
    decay_p=[p for p in m.parameters() if p.dim()==2]; rest=[p for p in m.parameters() if p.dim()!=2]
    muon=[p for n_,p in m.named_parameters() if ".blocks." in n_ and p.dim()==2 and "relative" not in n_] if optimizer=="muon" else []
    ids_=set(map(id,muon)); noemb=[p for n_,p in m.named_parameters() if p.dim()==2 and id(p) not in ids_]
    opts=[torch.optim.AdamW([{"params":noemb,"weight_decay":0.0 if muon else wd},{"params":rest,"weight_decay":0}],lr=lr,betas=betas,fused=True)]
    if muon: opts.append(torch.optim.Muon(muon,lr=lr,weight_decay=wd,adjust_lr_fn="match_rms_adamw"))
    def f(s):
        w=min((s+1)/max(warm,1),1)
        if decay=="cosine": w*=.1+.9*.5*(1+math.cos(math.pi*s/steps))
        if decay=="linear": w*=max(1-s/steps,0)
        return w
    schs=[torch.optim.lr_scheduler.LambdaLR(o,f) for o in opts]
    rows=[]; acc=[]; t0=time.process_time(); tt=0.
    for s in range(1,steps+1):
        ids=windows(D["train"],batch,g) if task=="docs" else doubled(batch,g,vocab)
        inp,ch,_=hide(ids,g,share,scheme)
        loss=F.cross_entropy(logits_at(m,inp,ch),ids[ch]); loss.backward()
        torch.nn.utils.clip_grad_norm_(m.parameters(),clip); [(o.step(),o.zero_grad(),c.step()) for o,c in zip(opts,schs)]
        acc.append(loss.item())
        if s%every==0:
            tt+=time.process_time()-t0
            e=evaluate(m,val,vi,vc,vk); rows.append({"step":s,"train":round(float(np.mean(acc)),4),**e}); acc=[]
            t0=time.process_time()
            if stop_at and e["nats_hidden"]<stop_at: break
    final=evaluate(m,val,vi,vc,vk,True,ge)
    rec={"name":name,"positions":positions,"seed":seed,"steps":s,"lr":lr,"d_model":d,"layers":layers,"batch":batch,"share":share,"scheme":scheme,"task":task,
      "norm_first":norm_first,"warm":warm,"optimizer":optimizer,"block_std":block_std,"bias_std":bias_std,"embed_norm":embed_norm,"decay":decay,"zero_bias":zero_bias,"pos_std":pos_std,"init_std":init_std,"word_std":word_std,"betas":betas,"wd":wd,"heads":heads,"distance":distance,
      "cpu_seconds":round(tt,1),"parameters":sum(p.numel() for p in m.parameters()),"curve":rows,"final":final}
    with open("lock","w") as l:
        fcntl.flock(l,fcntl.LOCK_EX)
        all_=json.load(open(OUT)) if os.path.exists(OUT) else {"runs":[]}
        all_["runs"].append(rec)
        json.dump(all_,open(OUT+".new","w")); os.replace(OUT+".new",OUT)
    print(name,positions,"seed",seed,"step",s,"cpu",round(tt,1),{k:final[k] for k in final},flush=True)
    return m

def baselines():
    D=data(); n=torch.bincount(D["train"],minlength=V).float()+1; p=n/n.sum()
    ge=torch.Generator().manual_seed(12345); val=windows(D["val"],512,ge); vi,vc,vk=hide(val,ge,.2,"80/10/10")
    y=val[vk==1]
    print("unigram nats",-(p[y].log().mean()).item(),"majority",(y==n.argmax()).float().mean().item(),"tokens",len(D["train"]),len(D["val"]),"chosen",int(vc.sum()))
if __name__=="__main__":
    code=sys.argv[1]
    if code=="run('main','learned',seed=1)": code=open("batch1.py").read()
    exec(code)
