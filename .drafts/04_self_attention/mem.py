import torch,time
torch.set_num_threads(1)
from torch.nn import functional as F
from torch.profiler import profile, ProfilerActivity
from llmbook.attention import scaled_dot_product_attention as naive
def peak(f):
    with profile(activities=[ProfilerActivity.CPU],profile_memory=True) as p: r=f()
    now=top=0
    for e in p.profiler.kineto_results.events():
        if e.name()=='[memory]':
            now+=e.nbytes(); top=max(top,now)
    return top
g=torch.Generator().manual_seed(0)
print(peak(lambda: torch.zeros(1000,1000)+torch.ones(1000,1000)))
for T in (128,256,512,1024,2048,4096):
    q,k,v=torch.randn(3,1,4,T,32,generator=g)
    r=[]
    for f in (lambda: naive(q,k,v)[0], lambda: F.scaled_dot_product_attention(q,k,v)):
        ts=[]
        for _ in range(3):
            t=time.process_time(); f(); ts.append(time.process_time()-t)
        r+= [f"{min(ts)*1e3:.1f} ms", peak(f)]
    print(T,r, 4*T*T*4, T*4*32*4)
