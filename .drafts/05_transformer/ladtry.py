import torch,time; torch.set_num_threads(1)
from llmbook.studies import block_ladder as b
from llmbook.models import gpt_parameters
for r in b.RUNGS: print(r, gpt_parameters(b.config(r)))
for r in b.RUNGS[::5]:
  for lr in (1e-3,3e-3,6e-3):
    t=time.process_time(); print(r,lr,b.run(r,lr,0,steps=300)['bits_per_byte'],time.process_time()-t,flush=True)
