import matplotlib; matplotlib.use('Agg')
import time as _t
_t0=_t.process_time()
print('--- [1]', round(_t.process_time()-_t0,1))

from llmbook import environment
environment.start()

print('--- [2]', round(_t.process_time()-_t0,1))

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from llmbook import attention, plots

print('--- [3]', round(_t.process_time()-_t0,1))

prices = {"tea": 3.0, "coffee": 4.0, "cake": 6.0}
print(prices["tea"])
try:
    prices["green tea"]
except KeyError as error:
    print("KeyError:", error)

print('--- [4]', round(_t.process_time()-_t0,1))

keys = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
values = torch.tensor([3.0, 4.0, 6.0])        # tea, coffee, cake
query = torch.tensor([1.0, 0.0])              # looks like tea
for sharpness in (0, 1, 10, 100):
    weights = (sharpness * keys @ query).softmax(0)
    print(f"{sharpness:3d}  weights {weights.numpy().round(2)}  "
          f"answer {weights @ values:.2f}")

print('--- [5]', round(_t.process_time()-_t0,1))

words = ["the", "bank", "of", "the", "muddy", "river"]
x = torch.tensor([[0.0, 0, 0, 1],             # the
                  [1, 1, 0, 0],               # bank
                  [0, 0, 0, 2],               # of
                  [0, 0, 0, 1],               # the
                  [1, 0, 1, 0],               # muddy
                  [2, 0, 0, 0]])              # river   (T, D) = (6, 4)
scores = x @ x.T                              # (T, T)
print(scores.int().numpy())

print('--- [6]', round(_t.process_time()-_t0,1))

exponentials = (scores / 2).exp()
print("bank:", exponentials[1].numpy().round(2),
      "sum", exponentials[1].sum().numpy().round(2))
weights = exponentials / exponentials.sum(1, keepdim=True)    # (T, T)
output = weights @ x                                          # (T, D)
print("weights", weights[1].numpy().round(2))
print("output ", output[1].numpy().round(2))

print('--- [7]', round(_t.process_time()-_t0,1))

plots.attention_map(weights.numpy(), words)
plt.savefig('fig_7.png'); plt.close()

print('--- [8]', round(_t.process_time()-_t0,1))

other = x.clone()
other[4] = torch.tensor([0.0, 1, 1, 0])       # rich
other[5] = torch.tensor([0.0, 2, 0, 0])       # lender
other_weights = (other @ other.T / 2).softmax(-1)
print("the bank of the muddy river:", output[1].numpy().round(2))
print("the bank of the rich lender:",
      (other_weights @ other)[1].numpy().round(2))

print('--- [9]', round(_t.process_time()-_t0,1))

w_query = torch.tensor([[1.0], [1], [0], [0]])        # (D, K) = (4, 1)
w_key = torch.tensor([[0.0], [0], [4], [0]])
w_value = torch.eye(4)                                # hand over all
scores = (x @ w_query) @ (x @ w_key).T
print(scores.int().numpy())
weights = scores.softmax(-1)
for place in (5, 4, 0):
    print(f"{words[place]:6s}", weights[place].numpy().round(2))

print('--- [10]', round(_t.process_time()-_t0,1))

def attend(x, w_query, w_key, w_value):
    query = x @ w_query                               # (T, K)
    key = x @ w_key                                   # (T, K)
    value = x @ w_value                               # (T, K)
    scores = query @ key.T / key.shape[-1] ** 0.5     # (T, T)
    weights = scores.exp()
    weights = weights / weights.sum(-1, keepdim=True)
    return weights @ value, weights

print('--- [11]', round(_t.process_time()-_t0,1))

torch.manual_seed(0)
x_random = torch.randn(6, 16)                                  # (T, D)
w_query, w_key, w_value = torch.randn(3, 16, 8) / 4            # (D, K)
ours, weights = attend(x_random, w_query, w_key, w_value)
query, key, value = (x_random @ w for w in (w_query, w_key, w_value))
library, same = attention.scaled_dot_product_attention(
    query, key, value)
reference = F.scaled_dot_product_attention(query, key, value)
assert torch.allclose(ours, library, atol=1e-6)
assert torch.allclose(weights, same, atol=1e-6)
assert torch.allclose(ours, reference, atol=1e-6)
print("ten lines = library = PyTorch")

print('--- [12]', round(_t.process_time()-_t0,1))

large = torch.tensor([100.0, 99.0])
print("as it stands:", (large.exp() / large.exp().sum()).numpy())
print("softmax:     ", large.softmax(0).numpy().round(2))

print('--- [13]', round(_t.process_time()-_t0,1))

def episodes(number, items, generator, width=16):
    key = torch.randn(number, items, width, generator=generator)
    label = torch.randint(8, (number, items), generator=generator)
    wanted = torch.randint(items, (number,), generator=generator)
    row = torch.arange(number)
    value = F.one_hot(label, 8).float()               # (B, S, 8)
    return key[row, wanted][:, None], key, value, label[row, wanted]

query, key, value, answer = episodes(2, 3, torch.Generator())
print("query", tuple(query.shape), "key", tuple(key.shape),
      "value", tuple(value.shape), "answer", answer.numpy())

print('--- [14]', round(_t.process_time()-_t0,1))

def predict(parts, query, key, value, scale=None, mask=None):
    w_query, w_key, w_output = parts
    found, weights = attention.scaled_dot_product_attention(
        query @ w_query, key @ w_key, value, mask, scale=scale)
    return (found @ w_output)[:, 0], weights          # (B, 8), (B, 1, S)

def learn(head_width=16, rate=1.0, scale=None, mask=None, seed=0):
    generator = torch.Generator().manual_seed(seed)
    parts = [torch.randn(rows, columns, generator=generator) / rows ** 0.5
             for rows, columns in ((16, head_width),) * 2 + ((8, 8),)]
    for part in parts:
        part.requires_grad_()
    for _ in range(300):
        query, key, value, answer = episodes(64, 16, generator)
        logits, _ = predict(parts, query, key, value, scale, mask)
        gradients = torch.autograd.grad(
            F.cross_entropy(logits, answer), parts)
        with torch.no_grad():
            for part, gradient in zip(parts, gradients):
                part -= rate * gradient
    return parts

print('--- [15]', round(_t.process_time()-_t0,1))

def accuracy(parts, items=16, scale=None, mask=None, sharpen=1.0):
    generator = torch.Generator().manual_seed(1000)
    query, key, value, answer = episodes(1000, items, generator)
    with torch.no_grad():
        logits, _ = predict(parts, sharpen * query, key, value, scale,
                            mask)
    return (logits.argmax(-1) == answer).float().mean().item()


g=torch.Generator()
for width in (16,):
  for seed in range(3):
    parts=learn(16,seed=seed)
    for items in (16,64,256,1024,4096):
        g.manual_seed(1000)
        q,k,v,a=episodes(1000,items,g)
        with torch.no_grad():
            lg,w=predict(parts,q,k,v); w=w[:,0]
            same=(k==q).all(-1)
            top=same.gather(1,w.argmax(1)[:,None]).float().mean()
            wr=(w*same).sum(1).mean()
            # dot product without learning, cosine
            dot=(q*k).sum(-1); cos=dot/k.norm(dim=-1)
            t2=same.gather(1,dot.argmax(1)[:,None]).float().mean(); t3=same.gather(1,cos.argmax(1)[:,None]).float().mean()
        print(seed,items,'acc',(lg.argmax(1)==a).float().mean().item(),'top',top.item(),'weight right',wr.item(),'dot',t2.item(),'cos',t3.item(), 'len wrong/right', (k.gather(1,w.argmax(1)[:,None,None].expand(-1,1,16)).norm(dim=-1)[:,0][~same.gather(1,w.argmax(1)[:,None])[:,0]]).mean().item())
