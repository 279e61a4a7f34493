import sys; sys.path.insert(0,'t5')
from lm import *
import itertools
for L,lr,warm,pre in itertools.product((12,),(1e-3,3e-3),(1,100),(True,False)):
    cfg=GPTConfig.gpt2(vocab_size=256,context_length=64,d_model=64,num_heads=4,num_layers=L,d_hidden=256,dropout=0.,norm_first=pre)
    m,h,u=train(cfg,0,250,lr,warm,B=16,T=64)
    print(L,lr,warm,'pre' if pre else 'post',[round(h[i],2) for i in (0,10,30,60,100,150,200)],round(sum(h[-20:])/20,3),round(val(m,64),3),round(u),flush=True)
