import time

from tests.scenarios import closed


def test_one(node, project, read):
    t=time.perf_counter()
    r=closed(node.centre("BRONX"))
    print(r, time.perf_counter()-t)
    print(project())
    print(read.execute("select * from daily").fetchall())
def test_two(node): pass
def test_three(node): pass
