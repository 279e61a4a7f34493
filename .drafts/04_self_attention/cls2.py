exec(open('cls.py').read().split("out=[]")[0])
from contextlib import contextmanager
@contextmanager
def silent(i):
    hs=[b.attention.value.register_forward_hook(lambda mod,inp,o: o.index_fill(1,torch.tensor([i]),0.)) for b in m.stack.blocks]
    try: yield
    finally: [h.remove() for h in hs]
def e(h,drop,T):
    k=torch.ones(T,dtype=torch.bool); k[0]=k[-1]=False; k[drop]=False
    v=h[k].mean(0); return v/v.norm()
out=[]
for s in pick:
    ids=torch.tensor(tok(s).input_ids); T=len(ids)
    with torch.no_grad():
        full=m(ids[None])[0]; d=[]
        for i in range(T):
            with silent(i): h=m(ids[None])[0]
            d.append(1-float(e(h,i,T)@e(full,i,T)))
        d=torch.tensor(d)
    out.append((d[0].item(),d[-1].item(),d[1:-1].mean().item(),d[1:-1].median().item(),(d[1:-1]<d[0]).float().mean().item()))
o=np.array(out); print('silent values: cls sep mean-word median-word share-of-words-below-cls', o.mean(0), np.median(o,0))
