import sys; sys.path.insert(0,'t5')
from lm import *
from llmbook.models import Trace
from llmbook.models.initialization import initialize_xavier
for L in (12,24):
 for init in ('gpt','xavier'):
  for pre in (True,False):
   torch.manual_seed(0)
   m=GPT(GPTConfig.gpt2(vocab_size=256,context_length=64,d_model=64,num_heads=4,num_layers=L,d_hidden=256,dropout=0.,norm_first=pre))
   if init=='xavier': m.embeddings.scale=8.; initialize_xavier(m)
   ids=torch.stack([TR[i:i+65] for i in torch.randint(len(TR)-70,(16,))])
   t=Trace(); 
   with torch.no_grad(): m(ids[:,:-1],trace=t)
   print(L,init,'pre' if pre else 'post','norms',[round(h.norm(dim=-1).mean().item(),2) for h in t.hidden_states])
   hs=torch.stack(t.hidden_states)  # similarity between positions
   c=F.normalize(hs-0,dim=-1); print('   cos between tokens',[round(((x@x.transpose(-1,-2)).mean()).item(),2) for x in c])
   F.cross_entropy(m(ids[:,:-1]).flatten(0,1),ids[:,1:].flatten()).backward()
   print('   grads',[f"{math.sqrt(sum(p.grad.square().sum().item() for p in b.parameters())):.3f}" for b in m.stack.blocks], 'down',[f"{b.feed_forward.down.weight.grad.norm().item():.4f}" for b in m.stack.blocks])
