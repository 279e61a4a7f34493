from two import *
import two
class M2(M):
    def __init__(s,H,w):
        super().__init__(H); s.r=nn.Sequential(nn.Linear(48,w),nn.GELU(),nn.Linear(w,32))
def go(m,seed,steps,lr):
    g=torch.Generator().manual_seed(seed); o=torch.optim.Adam(m.parameters(),lr); sch=torch.optim.lr_scheduler.LinearLR(o,1,0.05,steps)
    for s in range(steps):
        q,x,y=data(128,8,g); l=F.cross_entropy(m(q,x).flatten(0,1),y.flatten()); o.zero_grad(); l.backward(); o.step(); sch.step()
    with torch.no_grad():
        q,x,y=data(2000,8,g); a=(m(q,x).argmax(-1)==y).float(); w=m.a(q,x,return_weights=True)[1][:,0,0].sort(1,True).values.mean(0)
    return [round(v,2) for v in a.mean(0).tolist()]+[round(a.prod(1).mean().item(),2)], w[:3].numpy().round(2)
for w,steps,lr in ((128,800,1e-2),(512,3000,3e-3),(512,3000,1e-2)):
    for seed in range(3):
        torch.manual_seed(seed); print(w,steps,lr,go(M2(1,w),seed,steps,lr),flush=True)
for seed in range(2):
    torch.manual_seed(seed); print('1 head linear 3000',go(M(1),seed,3000,3e-3))
    torch.manual_seed(seed); print('12 heads linear 3000',go(M(12),seed,3000,1e-2))
