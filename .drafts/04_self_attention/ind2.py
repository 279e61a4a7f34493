from ind import *
for seed in (0,1,2):
    m,h=run(2,seed,V=64,H=2,steps=500,verbose=False)
    test,per=batch(64,48,64,torch.Generator().manual_seed(99))
    with torch.no_grad(): lg,maps=m(test,True)
    d=maps[0].diagonal(-1,2,3).mean(0)
    print(seed, d.numpy().round(1))
    match=torch.zeros(64,48,48); match[:,:,1:]=(test[:,:,None]==test[:,None,:-1]).float()
    match=match.tril()
    has=match.sum(-1)>0
    for l in range(2):
        s=((maps[l]*match[:,None]).sum(-1)*has[:,None]).sum((0,2))/has.sum()
        print('ind any', l, s, 'has', has.float().mean().item())
