from ind import *
import sys
def rep_loss(m,test,per):
    with torch.no_grad(): lg,_=m(test,False)
    l=F.cross_entropy(lg[:,:-1].flatten(0,1),test[:,1:].flatten(),reduction='none').view(len(test),-1)
    second=(torch.arange(test.shape[1])[None]>=per)[:,1:]
    return l[second].mean().item(), (lg[:,:-1].argmax(-1)==test[:,1:])[second].float().mean().item()
for H in (2,4):
  for seed in (0,1,2):
    m,h=run(2,seed,V=64,H=H,steps=500,verbose=False)
    test,per=batch(256,48,64,torch.Generator().manual_seed(99))
    with torch.no_grad(): lg,maps=m(test,True)
    match=torch.zeros(256,48,48); match[:,:,1:]=(test[:,:,None]==test[:,None,:-1]).float(); match=match.tril(); has=match.sum(-1)>0
    out=[]
    for l in range(2):
        s=((maps[l]*match[:,None]).sum(-1)*has[:,None]).sum((0,2))/has.sum()
        p=maps[l].diagonal(-1,2,3)[:,:,:23].mean((0,2))
        out.append([s.numpy().round(2),p.numpy().round(2)])
    print(H,seed,'full',rep_loss(m,test,per),out)
    K=64//H
    for l in range(2):
        for hd in range(H):
            w=m.layers[l].output.weight.data; keep=w.clone(); w[:,hd*K:(hd+1)*K]=0
            print('   ablate',l,hd,[round(x,2) for x in rep_loss(m,test,per)]); w.copy_(keep)
    for lo in (8,16,25,28,32,36,40):
        t,p=batch(256,48,64,torch.Generator().manual_seed(99),lo,lo)
        print('   period',lo,[round(x,2) for x in rep_loss(m,t,p)])
for D in (64,128):
    m,h=run(1,0,V=64,H=4,D=D,steps=2000,every=400)
