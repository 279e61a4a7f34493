import torch,time
torch.set_num_threads(1)
from torch import nn
from torch.nn import functional as F
for D in (128,384):
  H=D//32
  lin=[nn.Linear(D,D) for _ in range(4)]+[nn.Linear(D,4*D),nn.Linear(4*D,D)]
  for T in (64,128,256,512,1024,2048,4096):
    x=torch.randn(1,T,D); h=torch.randn(1,T,4*D); q=torch.randn(1,H,T,32)
    def A():
        for l in lin[:5]: l(x)
        lin[5](h)
    def B(): F.scaled_dot_product_attention(q,q,q)
    from llmbook.attention import scaled_dot_product_attention as naive
    def C(): naive(q,q,q)
    out=[]
    with torch.no_grad():
      for f in (A,B,C):
        ts=[]
        for _ in range(3):
            t=time.perf_counter(); f(); ts.append(time.perf_counter()-t)
        out.append(min(ts)*1e3)
    print(D,T,[round(o,1) for o in out], 'flops lin',24*T*D*D/1e6,'att',4*T*T*D/1e6)
