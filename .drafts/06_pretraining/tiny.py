import sys,time,math,json,torch
from torch.nn import functional as F
from llmbook.models import BertConfig, BertForMaskedTokens
torch.set_num_threads(1)
def doubled(rows,g,vocab,T):
    x=torch.randint(0,vocab,(rows,T//2+1),generator=g).repeat_interleave(2,1)
    s=torch.randint(0,2,(rows,),generator=g)
    idx=s[:,None]+torch.arange(T); return x.gather(1,idx)
def run(pos,seed=1,std=.02,steps=1000,lr=1.5e-3,d=64,L=2,T=32,B=32,vocab=60,opt="adamw",en=True,share=.25,quiet=False,pos_std=None,bias_init=None,budget=14,stop=True,pre=True):
    torch.manual_seed(seed)
    m=BertForMaskedTokens(BertConfig(vocab_size=vocab+1,context_length=T,d_model=d,num_heads=4,d_hidden=4*d,num_layers=L,norm_first=pre,positions=pos,dropout=0.,token_types=1,pooler=False,norm_eps=1e-5,max_distance=16))
    with torch.no_grad():
        for n,p in m.named_parameters():
            if p.dim()==2 and (".blocks." in n or "transform" in n) and "relative" not in n: p.mul_(std/.02)
        if pos_std and pos=="learned": m.bert.embeddings.position.weight.normal_(0,pos_std)
        if bias_init is not None:
            for b in m.bert.stack.blocks: b.attention.relative.weight.mul_(bias_init/.02)
    if not en: m.bert.embeddings.norm=torch.nn.Identity()
    mu=[p for n,p in m.named_parameters() if ".blocks." in n and p.dim()==2 and "relative" not in n] if opt=="muon" else []
    ids_=set(map(id,mu)); O=[torch.optim.AdamW([p for p in m.parameters() if id(p) not in ids_],lr=lr,betas=(.9,.98),weight_decay=.01 if not mu else 0,fused=True)]
    if mu: O.append(torch.optim.Muon(mu,lr=lr,weight_decay=.01,adjust_lr_fn="match_rms_adamw"))
    g=torch.Generator().manual_seed(seed); run_=None; t0=time.process_time(); curve=[]; left=None
    for s in range(1,steps+1):
        for o in O:
            for gr in o.param_groups: gr["lr"]=lr*min(1,s/50)
        ids=doubled(B,g,vocab,T); c=torch.rand(ids.shape,generator=g)<share; inp=ids.masked_fill(c,vocab)
        h=m.bert(inp)[c]; loss=F.cross_entropy(m.output(m.norm(F.gelu(m.transform(h)))),ids[c])
        loss.backward(); torch.nn.utils.clip_grad_norm_(m.parameters(),1.); [(o.step(),o.zero_grad()) for o in O]
        run_=loss.item() if run_ is None else .97*run_+.03*loss.item()
        if s%100==0: curve.append(round(run_,2))
        if left is None and run_<.9*math.log(vocab): left=s
        if stop and run_<.5*math.log(vocab): break
        if time.process_time()-t0>budget: break
    print(f"{pos:9} std {std} en {en} {opt} lr {lr} seed {seed} pos_std {pos_std} L{L} d{d}: chance {math.log(vocab):.2f} left plateau at {left}, last {run_:.2f} at {s}, {time.process_time()-t0:.0f}s",curve,flush=True)
if __name__=="__main__": exec(sys.argv[1])
