exec(open('pool.py').read().split("study('topic'")[0])
mu=X[M].mean(0); U=torch.pca_lowrank(X[M]-mu,64,niter=4)[2]; X=((X-mu)@U)[:,:48]; M=M[:,:48]; X=X*M[...,None]; X=X/X[M].std(); y=y
def adv(name,X,M,y,tr,te,lr,steps,lams):
  for seed in range(3):
    t=time.process_time()
    a=train(X[tr],M[tr],y[tr],seed=seed,lr=lr,steps=steps); u=train(X[tr],M[tr],y[tr],True,seed,lr=lr,steps=steps); c=train(X[tr],M[tr],y[tr],seed=seed+20,lr=lr,steps=steps)
    with torch.no_grad():
        w=a.weights(X[te],M[te]); wtr=a.weights(X[tr],M[tr]); p=a(X[te],M[te]); acc=lambda lg:(lg.argmax(1)==y[te]).float().mean().item()
        pp=a(X[te],M[te],permuted(w,M[te],torch.Generator().manual_seed(seed)))
        wc=c.weights(X[te],M[te])
        tv=lambda v:(0.5*(w-v).abs().sum(1)).mean()
        print(name,seed,f"learned {acc(p):.2f} perm {acc(pp):.2f} same {(p.argmax(1)==pp.argmax(1)).float().mean():.2f} unif {acc(u(X[te],M[te])):.2f} max {w.max(1).values.mean():.2f} seed tvd {tv(wc):.2f}, t {time.process_time()-t:.1f}")
    for lam in lams:
        b=train(X[tr],M[tr],y[tr],seed=seed+10,other=wtr,lam=lam,lr=lr,steps=steps)
        with torch.no_grad():
            wb=b.weights(X[te],M[te]); q=b(X[te],M[te])
            print(f"   lam{lam} acc {acc(q):.2f} agree {(p.argmax(1)==q.argmax(1)).float().mean():.2f} tvd {tv(wb):.2f} same top {(w.argmax(1)==wb.argmax(1)).float().mean():.2f}", 'needle w',round(wb[torch.arange(len(te)),where[te]].mean().item(),2) if name=='needle' else '')
adv('topic',X,M,y,tr,te,3e-2,100,(0.3,1.,3.))
g=torch.Generator().manual_seed(0)
N=1200; T=24; D=64
for noise in (0.5,):
    Z=noise*torch.randn(N,T,D,generator=g); where=torch.randint(T,(N,),generator=g); Z[:,:,0]=0; Z[torch.arange(N),where,0]=3.
    Z[:,:,1:9]=F.one_hot(torch.randint(8,(N,T),generator=g),8).float()*2
    lab=Z[torch.arange(N),where,1:9].argmax(1)
    Mz=torch.ones(N,T,dtype=torch.bool)
    adv('needle',Z,Mz,lab,torch.arange(800),torch.arange(800,1200),3e-2,200,(0.3,1.,3.,10.))
