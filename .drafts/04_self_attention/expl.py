import torch, time, numpy as np
torch.set_num_threads(1)
from collections import Counter
from scipy.stats import spearmanr, kendalltau, bootstrap
from llmbook import corpora, pretrained
from llmbook.models import load_minilm, Trace
_,tok=pretrained.minilm(); m=load_minilm()
wiki=corpora.wikipedia()
allS=[s for a in wiki for s in a.sentences]
freq=Counter(w for s in allS for w in tok.tokenize(s)) if False else Counter(w for s in allS for w in corpora.words(s))
sents=[s for s in allS if 10<=len(s.split())<=25]
rng=np.random.default_rng(0); pick=[sents[i] for i in rng.choice(len(sents),60,replace=False)]
def embed(ids,mask):
    h=m(ids,mask); e=(h*mask[...,None]).sum(1)/mask.sum(1,keepdim=True); return e/e.norm(dim=-1,keepdim=True)
M=tok.mask_token_id
rows=[]
t0=time.process_time()
for s in pick:
    ids=torch.tensor(tok(s).input_ids); T=len(ids); n=T-2; tr=Trace()
    with torch.no_grad():
        m(ids[None],trace=tr); A=torch.stack(tr.attention)[:,0]
        base=embed(ids[None],torch.ones(1,T))
        dele=torch.stack([torch.cat([ids[:i],ids[i+1:]]) for i in range(1,T-1)])
        d=1-(embed(dele,torch.ones(n,T-1))@base[0])
        mk=ids.repeat(n,1); mk[torch.arange(n),torch.arange(1,T-1)]=M
        dm=1-(embed(mk,torch.ones(n,T))@base[0])
    # rollout
    R=torch.eye(T)
    for l in range(6): R=(0.5*A[l].mean(0)+0.5*torch.eye(T))@R
    toks=tok.convert_ids_to_tokens(ids)[1:-1]
    # value-weighted in last layer: norm of sum? use ||alpha v Wo|| per head
    blk=m.stack.blocks
    nw=[]
    with torch.no_grad():
      for l in range(6):
        x=tr.hidden_states[l][0]; at=blk[l].attention
        v=at._heads(at.value(x)[None])[0]   # H,T,K
        W=at.output.weight.view(384,12,32).permute(1,2,0) # H,K,D
        f=(v@W) # H,T,D
        tot=torch.einsum('hqk,hkd->qkd',A[l],f).norm(dim=-1) # q,k
        nw.append(tot)
    # gradient: of cos to mean of other? skip -> grad of next sentence
    q=slice(1,T-1)
    r=dict(dele=d,mask=dm,att_last=A[5].mean(0)[:,q].mean(0),att_mean=A.mean((0,1))[:,q].mean(0),att_l0=A[0].mean(0)[:,q].mean(0),
      att_max=A.amax((0,1))[:,q].mean(0),att_cls=A[5].mean(0)[0,q],roll=R[:,q].mean(0),nw_last=nw[5][:,q].mean(0),nw_mean=torch.stack(nw).mean(0)[:,q].mean(0),
      rare=torch.tensor([-np.log(freq.get(t,0)+1) for t in toks]),pos=torch.arange(n).float(),
      )
    allA=A[:,:,:,q].mean(2).flatten(0,1) # 72,n
    for h in range(72): r[f'h{h//12}.{h%12}']=allA[h]
    # share
    r['_cls']=torch.tensor([A[:,:,q,0].mean().item(), np.mean([ (w[q,0]/w[q].sum(-1)).mean().item() for w in nw])]);
    r['_clsl']=torch.tensor([[A[l][:,q,0].mean().item(), (nw[l][q,0]/nw[l][q].sum(-1)).mean().item(), (nw[l].diagonal()[q]/nw[l][q].sum(-1)).mean().item()] for l in range(6)])
    rows.append(r)
print('time',time.process_time()-t0)
def cor(a,b):
    x=np.array([spearmanr(r[a],r[b]).statistic for r in rows]); ci=bootstrap((x,),np.mean,rng=0).confidence_interval
    return f"{x.mean():+.2f} [{ci.low:+.2f},{ci.high:+.2f}]"
for k in ['mask','att_last','att_mean','att_l0','att_max','att_cls','roll','nw_last','nw_mean','rare','pos']: print(k,'vs dele',cor(k,'dele'),'vs mask',cor(k,'mask'))
hs=[(np.mean([spearmanr(r[f'h{h//12}.{h%12}'],r['dele']).statistic for r in rows]),h//12,h%12) for h in range(72)]
hs.sort(); print(hs[:4],hs[-4:])
print('heads >0', sum(h[0]>0 for h in hs))
print('cls share weight/norm',torch.stack([r['_cls'] for r in rows]).mean(0)); print(torch.stack([r['_clsl'] for r in rows]).mean(0).numpy().round(2))
torch.save(rows,'expl.pt')
