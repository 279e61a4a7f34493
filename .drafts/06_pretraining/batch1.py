
for s in (1,2,3):
    for p in ("learned","relative"): run("main",p,seed=s)
