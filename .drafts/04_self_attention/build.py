"""build.py lab.txt out.ipynb : blocks '=== md' and '=== code {json}'."""
import sys, json, re, nbformat, hashlib
src,out=sys.argv[1:3]
text=open(src).read()
parts=re.split(r"^=== (md|code)(.*)$",text,flags=re.M)[1:]
cells=[]
for kind,meta,body in zip(parts[::3],parts[1::3],parts[2::3]):
    body=body.strip("\n")
    c=nbformat.v4.new_markdown_cell(body) if kind=="md" else nbformat.v4.new_code_cell(body)
    c.id=hashlib.sha256(f"{len(cells)} {body}".encode()).hexdigest()[:8]
    if meta.strip(): c.metadata.update(json.loads(meta))
    cells.append(c)
nb=nbformat.v4.new_notebook(cells=cells); nb.nbformat_minor=5
nb.metadata.update(kernelspec={"display_name":"Python 3","language":"python","name":"python3"})
open(out,"w").write(nbformat.writes(nb)+"\n")
print(len(cells),"cells")
