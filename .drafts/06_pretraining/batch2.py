k=dict(steps=1200,stop_at=5.6)
for p in ("relative","learned"): run("no embedding norm",p,embed_norm=False,**k)
for p in ("relative","learned"): run("wide init",p,block_std=.088,**k)
for p in ("relative","learned"): run("muon",p,optimizer="muon",**k)
