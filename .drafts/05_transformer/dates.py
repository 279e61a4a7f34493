import datetime, hashlib
from babel.dates import format_date
STYLES=[(r,s) for r in ("en","en_GB") for s in ("full","long","medium","short")]
def make(first=1950,last=2049):
    day=datetime.date(first,1,1); out=[]
    while day.year<=last:
        h=int(hashlib.md5(day.isoformat().encode()).hexdigest()[8:16],16)
        r,s=STYLES[h%8]
        out.append((day.isoformat(),r,s,format_date(day,s,locale=r).replace('\u202f',' '),format_date(day,s,locale='zh')))
        day+=datetime.timedelta(1)
    return out
def split(x):
    p=int(hashlib.md5(x.encode()).hexdigest()[:8],16)/16**8
    return 'train' if p<.8 else 'validation' if p<.9 else 'test'
if __name__=="__main__":
    a=make()
    for k in range(0,36525,1500): print(a[k])
    print(len(a), max(len(x[3]) for x in a), max(len(x[4]) for x in a), len(set(''.join(x[3]+x[4] for x in a))))
