import torch
from torch.nn import functional as F
from llmbook.attention import scaled_dot_product_attention as naive
from llmbook.measure import peak_bytes
torch.set_num_threads(1)
for H,K in ((4,32),(12,32)):
  for T in (128,256,512,1024,2048):
    q,k,v=torch.randn(3,1,H,T,K)
    a=peak_bytes(lambda: naive(q,k,v)); b=peak_bytes(lambda: F.scaled_dot_product_attention(q,k,v))
    print(H,T,a,a-8*H*T*T,4*H*T*K,b,b-4*H*T*K,4*H*T)
