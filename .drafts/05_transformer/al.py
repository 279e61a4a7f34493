import sys; sys.path.insert(0,'t5')
from l1 import *
import re
m=Seq2Seq(Seq2SeqConfig(vocab_size=len(signs)+3,context_length=40,d_model=64,num_heads=4,d_hidden=128,num_layers=2,dropout=0.))
for seed in (0,1,2):
    m.load_state_dict(torch.load(f'm{seed}.pt')); m.eval()
    # alignment score: fields
    rows=[p for p in test if p.length in('full','long','medium')][:300]
    def fields_en(p):
        e=p.english; out=[]
        for w in re.finditer(r"[A-Za-z]+|\d+|.",e):
            s=w.group(); k='year' if s.isdigit() and len(s)==4 else 'day' if s.isdigit() else 'weekday' if s.endswith('day') else 'month' if s.isalpha() else '-'
            out+= [k]*len(s)
        return out+['-']
    def fields_zh(p):
        r=re.match(r"(\d+)年(\d+)月(\d+)日(星期.)?",p.chinese); out=[]
        out+=['year']*len(r[1])+['年']+['month']*len(r[2])+['月']+['day']*len(r[3])+['日']
        if r[4]: out+=['-','-','weekday']
        return out+['-']
    acc={}
    for p in rows:
        s=ids([p.english]); t=ids([p.chinese],True)
        tr=Trace()
        with torch.no_grad(): m.decode(t[:,:-1],m.encode(s,s!=0),s!=0,trace=tr)
        maps={f'L{l}h{h}':tr.memory[l][0,h] for l in range(2) for h in range(4)}
        for l in range(2): maps[f'L{l}mean']=tr.memory[l][0].mean(0)
        maps['all']=torch.stack([x[0].mean(0) for x in tr.memory]).mean(0)
        fe,fz=fields_en(p),fields_zh(p)
        for k,w in maps.items():
            for i,z in enumerate(fz):
                if z in('year','month','day','weekday'):
                    mass=w[i][[j for j,e in enumerate(fe) if e==z]].sum().item()
                    uni=sum(e==z for e in fe)/len(fe)
                    acc.setdefault((k,z),[]).append((mass,uni))
    for k in ['all','L0mean','L1mean']+[f'L{l}h{h}' for l in range(2) for h in range(4)]:
        print(seed,k,{z:(round(sum(a for a,_ in acc[k,z])/len(acc[k,z]),2),round(sum(b for _,b in acc[k,z])/len(acc[k,z]),2)) for z in('year','month','day','weekday')})
for e in ["Monday, March 7, 2019","Sunday, March 7, 2019","March 7 2019","7th March 2019","march 7, 2019","MARCH 7, 2019","Febuary 7, 2019","February 31, 2019","Mar 7 , 2019","2019 March 7","2019/3/7","7/3/2019","13/3/19","45/45/1999","7 March 2019 7 March 2019","September 7, 1066"]:
    try: print(e, [translate((m.load_state_dict(torch.load(f'm{s}.pt')),m)[1],[e])[0] for s in (0,1,2)])
    except KeyError as x: print(e,'KeyError',x)
