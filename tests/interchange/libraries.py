"""Files of every format through the Python libraries that people have.

write FOLDER: what these libraries write. check FOLDER: whether they read what was written here.
"""

import json
import os
import pickle
import sys

import h5py
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet
import safetensors.numpy
import scipy.sparse
import yaml
import zarr
from PIL import Image

folder = sys.argv[2]


def at(name):
    return os.path.join(folder, name)


NAMES, VALUES, COUNTS = ["a", "é", "c"], [1.5, None, -0.25], [1, 2, 3]
MATRIX = np.array([[1.5, 2.5, 3.5], [4.5, 5.5, 6.5]])
ARRAYS = {
    "floats": np.array([1.5, -2.5], dtype="f4"),
    "flags": np.array([True, False]),
    "counts": np.array([[1], [2]], dtype="i8"),
}
SPARSE = scipy.sparse.csr_matrix(([1.5, 2.0, -1.0], [0, 3, 1], [0, 2, 2, 3]), shape=(3, 4))
CHUNKED = np.arange(9000, dtype="f4").reshape(100, 90)
PIXELS = np.array([[[x, y, 200] for x in range(4)] for y in range(3)], dtype="u1")
TREE = {"weights": [0.5, 1.5], "name": "é", "raw": b"\0\xff", "none": None, "deep": {"n": [1, -(2**40)]}}


class Malicious:
    """Makes a file when it is unpickled."""

    def __reduce__(self):
        return os.system, (f"touch {at('it-ran')}",)


def write():
    columns = {"name": NAMES, "value": VALUES, "count": COUNTS}
    table, frame = pa.table(columns), pl.DataFrame(columns)
    pa.parquet.write_table(table, at("pyarrow.parquet"))
    pa.parquet.write_table(table, at("pages2.parquet"), data_page_version="2.0", compression="gzip")
    frame.write_parquet(at("polars.parquet"))
    frame.write_csv(at("polars.csv"))
    with pa.ipc.new_file(at("file.arrow"), table.schema) as out:
        out.write(table)
    packed = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_stream(at("stream.arrow"), table.schema, options=packed) as out:
        out.write(table)
    frame.write_ipc(at("polars.ipc"), compression="zstd")

    np.save(at("matrix.npy"), MATRIX)
    np.save(at("fortran.npy"), np.asfortranarray(MATRIX))
    np.save(at("big.npy"), MATRIX.astype(">f8"))
    for dtype in "b1 i1 i2 i4 i8 u1 u2 u4 u8 f4 f8".split():
        np.save(at(f"type_{dtype}.npy"), np.array([0, 1, 1], dtype=dtype))
    np.save(at("objects.npy"), np.array([{}], dtype=object), allow_pickle=True)
    np.savez(at("stored.npz"), **ARRAYS)
    np.savez_compressed(at("packed.npz"), **ARRAYS)
    for layout in "csr csc coo".split():
        scipy.sparse.save_npz(at(f"{layout}.sparse.npz"), SPARSE.asformat(layout))
    safetensors.numpy.save_file(ARRAYS, at("tensors.safetensors"), metadata={"by": "python"})

    Image.fromarray(PIXELS).save(at("color.png"))
    Image.fromarray(PIXELS[:, :, 0]).save(at("grey.png"))
    Image.fromarray(PIXELS).save(at("photo.jpg"))
    for protocol in (2, 3, 4):
        with open(at(f"tree{protocol}.pkl"), "wb") as out:
            # Protocol 2 has no bytes of its own.
            tree = {k: v for k, v in TREE.items() if 2 < protocol or k != "raw"}
            pickle.dump(tree, out, protocol)
    with open(at("malicious.pkl"), "wb") as out:
        pickle.dump({"a": Malicious()}, out, 4)
    with open(at("tree.yaml"), "w") as out:
        yaml.safe_dump({"a": [1, 2.5, None], "b": {"c": "é", "no": "no"}}, out, allow_unicode=True)

    with h5py.File(at("theirs.h5"), "w") as out:
        for name, array in ARRAYS.items():
            packed = {"compression": "gzip", "chunks": True} if 1 < array.size else {}
            out.create_dataset(name, data=array, **packed)

    from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec

    for name, options in {
        "zstd": {"compressors": ZstdCodec()},
        "lz4": {"compressors": BloscCodec(cname="lz4")},
        "gzip": {"compressors": GzipCodec()},
        "plain": {"compressors": None},
        "sharded": {"shards": (32, 64)},
    }.items():
        array = zarr.create_array(
            at(f"{name}.zarr"), shape=CHUNKED.shape, chunks=(16, 32), dtype="f4", overwrite=True, **options
        )
        array[:] = CHUNKED
    import numcodecs

    for name, options in {
        "blosc": {"compressors": numcodecs.Blosc(cname="zstd")},
        "zlib": {"compressors": numcodecs.Zlib()},
        "zstd2": {"compressors": numcodecs.Zstd()},
        "fortran": {"compressors": None, "order": "F"},
    }.items():
        array = zarr.create_array(
            at(f"v2_{name}.zarr"), shape=CHUNKED.shape, chunks=(16, 32), dtype="f4", zarr_format=2, overwrite=True, **options
        )
        array[:] = CHUNKED
    big = zarr.create_array(at("v2_big.zarr"), shape=(90,), chunks=(16,), dtype=">i4", zarr_format=2, overwrite=True)
    big[:] = np.arange(90)


def same_arrays(found, expected):
    assert sorted(found) == sorted(expected), list(found)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype and np.array_equal(found[name], array), name


def check_frames():
    for table in (
        pa.parquet.read_table(at("frame.parquet")),
        pl.read_parquet(at("frame.parquet")).to_arrow(),
        pa.ipc.open_file(at("table.arrow")).read_all(),
        pl.read_ipc(at("table.arrow")).to_arrow(),
        pl.read_csv(at("table.csv")).to_arrow(),
    ):
        columns = table.to_pydict()
        assert columns == {"name": NAMES, "value": VALUES, "count": COUNTS}, columns


def check():
    check_frames()
    assert np.array_equal(np.load(at("matrix.npy")), MATRIX)
    for dtype in "b1 i1 i2 i4 i8 u1 u2 u4 u8 f4 f8".split():
        found = np.load(at(f"type_{dtype}.npy"))
        assert found.dtype == np.dtype(dtype) and found.tolist() == [0, 1, 1], dtype
    assert np.load(at("single.npy")).tolist() == 7
    same_arrays(dict(np.load(at("arrays.npz"))), ARRAYS)
    for layout in "csr csc".split():
        sparse = scipy.sparse.load_npz(at(f"{layout}.sparse.npz"))
        assert sparse.format == layout and (sparse != SPARSE).nnz == 0, sparse
    same_arrays(safetensors.numpy.load_file(at("tensors.safetensors")), ARRAYS)
    with safetensors.safe_open(at("tensors.safetensors"), "numpy") as tensors:
        assert tensors.metadata() == {"by": "rust"}, tensors.metadata()
    assert np.array_equal(np.asarray(Image.open(at("image.png"))), PIXELS)
    assert Image.open(at("image.jpg")).size == (4, 3)
    with open(at("model.pkl"), "rb") as file:
        tree = pickle.load(file)
    assert tree == TREE, tree
    with open(at("value.json")) as file:
        assert json.load(file) == {"a": [1, 2.5, None], "b": {"c": "é", "no": "no"}}
    with open(at("value.yaml")) as file:
        assert yaml.safe_load(file) == {"a": [1, 2.5, None], "b": {"c": "é", "no": "no"}}
    with open(at("records.jsonl")) as file:
        assert [json.loads(line) for line in file] == [{"n": 1, "name": "a"}, {"n": 2, "name": None}]
    if os.path.exists(at("ours.h5")):
        with h5py.File(at("ours.h5")) as file:
            same_arrays({name: file[name][()] for name in file}, ARRAYS)
    for name in "zstd lz4 gzip plain sharded adaptive".split():
        array = zarr.open_array(at(f"{name}.zarr"), mode="r")
        assert np.array_equal(array[:], CHUNKED), name
        assert np.array_equal(array[3:20, 80:], CHUNKED[3:20, 80:]), name


{"write": write, "check": check}[sys.argv[1]]()
