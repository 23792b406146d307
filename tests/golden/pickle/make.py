"""Makes the pickles the reader is tested with, and checks that Python opens what we write.

    python3 make.py          writes plain_p2.pkl, plain_p3.pkl, plain_p4.pkl and the refused ones
    python3 make.py --check  opens ours.pkl (written by the test `python_opens_what_is_written`)
"""

import collections
import os
import pickle
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))

TREE = {
    "format": 1,
    "kind": "pca",
    "none": None,
    "flags": [True, False],
    "ints": [0, -1, 255, 256, 65536, -2147483649, 9223372036854775807, -9223372036854775808],
    "floats": [0.1, -0.0, 1e308, 5e-324, float("inf")],
    "text": "naïve 🚀\n",
    "long": "x" * 300,
    "nested": {"a": {"b": [[], {}]}},
    "array": {"dtype": "<f8", "shape": [3], "data": struct.pack("<3d", 1.5, -2.0, 3.25)},
    "blob": bytes(range(256)) * 2,
    "repeated": ["kind", "kind"],
}


class Command:
    def __reduce__(self):
        return os.system, ("echo a pickle ran this",)


def write(name, value, protocol):
    with open(os.path.join(HERE, name), "wb") as file:
        pickle.dump(value, file, protocol=protocol)


def check():
    with open(os.path.join(HERE, "ours.pkl"), "rb") as file:
        ours = pickle.load(file)
    assert ours == TREE, ours
    assert list(ours) == list(TREE), "the keys keep their order"
    assert str(ours["floats"][1]) == "-0.0"
    print("ours.pkl: as expected")


if "--check" in sys.argv:
    check()
else:
    for protocol in (3, 4):
        write(f"plain_p{protocol}.pkl", TREE, protocol)
    without_bytes = {k: v for k, v in TREE.items() if k not in ("array", "blob")}
    write("plain_p2.pkl", without_bytes, 2)
    for protocol in (0, 2, 4):
        write(f"refused_system_p{protocol}.pkl", {"kind": Command()}, protocol)
    write("refused_class.pkl", collections.OrderedDict(a=1), 4)
    shared = [1]
    write("refused_shared.pkl", [shared, shared], 4)
