"""An array of 40 MB saved and loaded by Python's zarr, as benches/io/main.rs does: peer.py FOLDER."""

import statistics
import sys
import time

import numpy as np
import zarr
from zarr.codecs import ZstdCodec

n = np.arange(10_000_000, dtype=np.uint32)
mixed = (n * np.uint32(2654435761)) >> np.uint32(16)
items = (n % 86_400 + mixed / 65_536).astype("f4").reshape(10_000, 1_000)

print("| 40 MB of float32 as Zarr, Python | save ms | load ms |\n|---|--:|--:|")
for name, chunks in {"its own chunks": "auto", "2,500 × 1,000": (2500, 1000), "1,000 × 1,000": (1000, 1000)}.items():
    save, load = [], []
    for _ in range(7):
        start = time.perf_counter()
        array = zarr.create_array(
            f"{sys.argv[1]}/peer.zarr", shape=items.shape, dtype="f4", chunks=chunks,
            compressors=ZstdCodec(level=0), overwrite=True,
        )
        array[:] = items
        save.append(time.perf_counter() - start)
        start = time.perf_counter()
        read = zarr.open_array(f"{sys.argv[1]}/peer.zarr", mode="r")[:]
        load.append(time.perf_counter() - start)
        assert (read == items).all()
    print(f"| {name} | {statistics.median(save) * 1000:.0f} | {statistics.median(load) * 1000:.0f} |")
