"""build.py LABSCRIPT: a readable script with `#%% md` / `#%% code {json}` cells to a notebook."""
import hashlib, json, re, sys
from pathlib import Path
def main(script):
    src=Path(script).read_text(); name=Path(script).stem
    out=Path('chapters/06_pretraining')/f'{name}.ipynb'
    parts=re.split(r'^#%% (md|code)(.*)$\n',src,flags=re.M)[1:]
    cells=[];seen=set()
    for kind,meta,body in zip(parts[::3],parts[1::3],parts[2::3]):
        body=body.strip('\n'); meta=json.loads(meta) if meta.strip() else {}
        i=hashlib.sha256(f'{name} {kind} {body[:60]}'.encode()).hexdigest()[:8]
        while i in seen: i=hashlib.sha256(i.encode()).hexdigest()[:8]
        seen.add(i)
        lines=[l+'\n' for l in body.split('\n')]; lines[-1]=lines[-1][:-1]
        c={'cell_type':'markdown' if kind=='md' else 'code','id':i,'metadata':meta,'source':lines}
        if kind=='code':
            c|={'execution_count':None,'outputs':[]}
            if len(lines)>25: print('LONG',i,len(lines))
            for l in lines:
                if len(l.rstrip('\n'))>79: print('WIDE',l)
        cells.append(c)
    nb={'cells':cells,'metadata':{'kernelspec':{'display_name':'Python 3','language':'python','name':'python3'}},'nbformat':4,'nbformat_minor':5}
    old=json.loads(out.read_text()) if out.is_file() else None
    out.write_text(json.dumps(nb,indent=1,ensure_ascii=False)+'\n'); print(out,len(cells))
main(sys.argv[1])
