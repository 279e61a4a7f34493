from scale2 import *
def run3(K,scaled,lr,seed,steps=300,T=16,B=64,D=16,C=8,opt='sgd',test=(16,),fixed=False):
    g=torch.Generator().manual_seed(seed)
    Wq,Wk=[(torch.randn(D,K,generator=g)*D**-.5).requires_grad_() for _ in range(2)]
    Wo=(torch.randn(C,C,generator=g)*C**-.5).requires_grad_()
    P=[Wq,Wk,Wo]; o=torch.optim.SGD(P,lr) if opt=='sgd' else torch.optim.Adam(P,lr)
    sc=None if scaled else 1.
    for s in range(steps):
        q,k,v,y=data(B,T,g,D)
        p,w=sdpa(q@Wq,k@Wk,v,scale=sc)
        if s==0: ent=torch.exp(-(w*(w+1e-12).log()).sum(-1)).mean().item()
        loss=F.cross_entropy((p@Wo)[:,0],y)
        o.zero_grad(); loss.backward(); 
        if s==0: gn=Wq.grad.norm().item()
        o.step()
    with torch.no_grad():
        q,k,v,y=data(1000,T,g,D); p,w=sdpa(q@Wq,k@Wk,v,scale=sc)
        return ((p@Wo)[:,0].argmax(1)==y).float().mean().item(),ent,gn
for opt,lrs in (('sgd',(.03,.1,.3,1.,3.,10.)),('adam',(1e-3,3e-3,1e-2,3e-2,1e-1))):
 for K in (4,16,64,256,1024):
  for scaled in (True,False):
    r=[]
    for lr in lrs:
        t=time.process_time()
        a=[run3(K,scaled,lr,s,opt=opt) for s in range(3)]
        r.append(f"{lr}: "+'/'.join(f"{x[0]:.2f}" for x in a))
    print(opt,K,'scaled' if scaled else 'plain ',f"eff {a[0][1]:.1f} grad {a[0][2]:.4f}",r,f"{(time.process_time()-t)/3:.1f}s/run",flush=True)
