import torch,time
from torch.nn import functional as F
from llmbook.models import GPT,GPTConfig
from llmbook.models.initialization import initialize_xavier
from llmbook.attention import causal_mask
torch.set_num_threads(1)
def new_model(positions, seed):
    torch.manual_seed(seed)
    model = GPT(GPTConfig.gpt2(vocab_size=16, context_length=512, d_model=64, num_heads=4, num_layers=1, positions=positions, dropout=0.0, tie_embeddings=False))
    initialize_xavier(model); model.embeddings.scale=8.
    return model
def logits_of(model, ids, window=512):
    T=ids.shape[1]; pos=torch.arange(T); mask=causal_mask(T).triu(1-window)
    return model.output(model.stack(model.embeddings(ids,pos),mask=mask,positions=pos))
for steps in (600,):
  for sch in ("none","learned","sinusoidal","rotary"):
    for seed in (0,1,2):
        m=new_model(sch,seed); opt=torch.optim.AdamW(m.parameters(),lr=3e-3,weight_decay=0.)
        g=torch.Generator().manual_seed(seed); t0=time.process_time()
        for s in range(steps):
            opt.param_groups[0]['lr']=3e-3*min((s+1)/50,1-s/steps)
            ids=torch.randint(16,(32,32),generator=g)
            loss=F.cross_entropy(m(ids)[:,3:].flatten(0,1),ids[:,:-3].flatten())
            opt.zero_grad();loss.backward();opt.step()
        u=time.process_time()-t0
        ids=torch.randint(16,(32,512),generator=torch.Generator().manual_seed(9))
        with torch.no_grad():
          for w in (512,32,16):
            ok=(logits_of(m,ids,w)[:,3:].argmax(-1)==ids[:,:-3]).float().mean(0)
            print(sch,seed,w,round(loss.item(),3),round(u,1),[round(ok[a-3:b-3].mean().item(),2) for a,b in ((3,32),(32,40),(40,48),(48,64),(64,128),(128,256),(256,512))],flush=True)
