"""lab.txt -> plain script with markers, to look at outputs quickly"""
import sys,re,json
text=open(sys.argv[1]).read()
parts=re.split(r"^=== (md|code)(.*)$",text,flags=re.M)[1:]
n=0
print("import matplotlib; matplotlib.use('Agg')\nimport time as _t\n_t0=_t.process_time()")
for kind,meta,body in zip(parts[::3],parts[1::3],parts[2::3]):
    if kind=="code":
        n+=1; print(f"print('--- [{n}]', round(_t.process_time()-_t0,1))"); 
        body=body.replace("plt.show()",f"plt.savefig('fig_{n}.png'); plt.close()")
        print(body)
