exec(open('pool.py').read().split("study('topic'")[0])
mu=X[M].mean(0); U=torch.pca_lowrank(X[M]-mu,128,niter=4)[2]; P=((X-mu)@U)[:,:48]; M=M[:,:48]; P=P*M[...,None]; print('std',P[M].std(), X.norm(dim=-1)[:,1:5].mean())
for lr,steps,sc in ((1e-2,100,1.),(1e-2,200,1.),(3e-3,200,2.),):
  for seed in range(2):
    t=time.process_time(); Q=P*sc
    a=train(Q[tr],M[tr],y[tr],seed=seed,lr=lr,steps=steps); u=train(Q[tr],M[tr],y[tr],True,seed,lr=lr,steps=steps); c=train(Q[tr],M[tr],y[tr],seed=seed+20,lr=lr,steps=steps)
    with torch.no_grad():
        w=a.weights(Q[te],M[te]); wtr=a.weights(Q[tr],M[tr]); p=a(Q[te],M[te]); acc=lambda lg:(lg.argmax(1)==y[te]).float().mean().item()
        pp=a(Q[te],M[te],permuted(w,M[te],torch.Generator().manual_seed(seed)))
        tv=lambda v:(0.5*(w-v).abs().sum(1)).mean()
        print(lr,steps,sc,seed,f"learned {acc(p):.2f} perm {acc(pp):.2f} same {(p.argmax(1)==pp.argmax(1)).float().mean():.2f} unif {acc(u(Q[te],M[te])):.2f} max {w.max(1).values.mean():.2f} seed tvd {tv(c.weights(Q[te],M[te])):.2f}, t {time.process_time()-t:.1f}")
    for lam in (.1,.3,1.,3.):
        b=train(Q[tr],M[tr],y[tr],seed=seed+10,other=wtr,lam=lam,lr=lr,steps=steps)
        with torch.no_grad():
            wb=b.weights(Q[te],M[te]); q=b(Q[te],M[te])
            print(f"   lam{lam} acc {acc(q):.2f} agree {(p.argmax(1)==q.argmax(1)).float().mean():.2f} tvd {tv(wb):.2f} same top {(w.argmax(1)==wb.argmax(1)).float().mean():.2f}")
