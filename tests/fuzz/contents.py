"""Changes to what files hold: columns lost, swapped or of another type, impossible sizes, junk in settings."""

from __future__ import annotations

import copy
import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import uproot
import yaml

from tests.fuzz.damage import JUNK, Change

Columns = dict[str, Any]
ALIAS_BOMB = "a: &a [x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 8)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
YAML_BOMBS = (
    ALIAS_BOMB, "[" * 3000, "a: " + "{a: " * 3000, "!!python/object/apply:os.system ['touch pwned']\n",
    "model: !!python/name:os.system\n", "&a [*a]\n", "model: &a {kind: *a}\n", "? [a, b]\n: 1\n", "1e999: 2\n",
)  # fmt: skip


def drop(columns: Columns, place: float, value: int) -> Columns:
    """Remove a column, or all but one."""
    name = _pick(list(columns), place)
    return {name: columns[name]} if value % 16 == 0 else {key: each for key, each in columns.items() if key != name}


def swap(columns: Columns, place: float, value: int) -> Columns:
    """Exchange the names of two columns."""
    names = list(columns)
    first, second = _pick(names, place), names[value % len(names)]
    other = {first: second, second: first}
    return {other.get(key, key): each for key, each in columns.items()}


def rows(columns: Columns, place: float, value: int) -> Columns:
    """Take none, one or some of the rows, or all twice."""
    size = len(next(iter(columns.values())))
    kept = [slice(0, 0), slice(0, 1), slice(int(place * size), None)][value % 3]
    return {name: each[kept] for name, each in columns.items()}


def retype(columns: Columns, place: float, value: int) -> Columns:
    """Give a column of numbers another type, or values that cannot be."""
    name = _pick(list(columns), place)
    values = np.asarray(columns[name])
    if values.dtype.kind not in "iufb":
        return drop(columns, place, value)
    size = len(values)
    with np.errstate(all="ignore"):
        made: list[Callable[[], Any]] = [
            lambda: values.astype(str).astype(object), lambda: values.astype(np.float64), lambda: values.astype(bool),
            lambda: values.astype(np.int8), lambda: values.astype(np.uint64), lambda: values.astype(np.float16),
            lambda: np.full(size, np.nan), lambda: np.full(size, np.inf), lambda: np.full(size, -1),
            lambda: np.full(size, 2**62), lambda: np.zeros(size, values.dtype), lambda: np.full(size, 1e300),
            values[::-1].copy, lambda: np.full(size, ""), lambda: values.astype("M8[s]"),
            lambda: np.where(np.arange(size) == size // 2, values.max(initial=0) * 2 + 7, values),
        ]  # fmt: skip
        return {**columns, name: made[value % len(made)]()}


TABLE = {"drop": drop, "swap": swap, "rows": rows, "retype": retype}


def on_table(read: Callable[[bytes], Any], write: Callable[[Any], bytes]) -> dict[str, Change]:
    """Return the changes to columns as changes of files."""

    def change_of(function: Any) -> Change:
        def change(content: bytes, place: float, value: int) -> bytes:
            columns = read(content)
            return write(function(columns, place, value)) if columns else content

        return change

    return {name: change_of(function) for name, function in TABLE.items()}


def _of_arrow(table: pa.Table) -> Columns:
    return {
        name: table[name].to_pylist() if pa.types.is_nested(table[name].type) else table[name].to_numpy()
        for name in table.column_names
    }


def _csv(columns: Columns) -> bytes:
    sink = io.BytesIO()
    pa.csv.write_csv(pa.table({name: pa.array(list(each)) for name, each in columns.items()}), sink)
    return sink.getvalue()


def _parquet(columns: Columns) -> bytes:
    sink = io.BytesIO()
    pa.parquet.write_table(pa.table({name: pa.array(each) for name, each in columns.items()}), sink)
    return sink.getvalue()


CSV = on_table(lambda content: _of_arrow(pa.csv.read_csv(io.BytesIO(content))), _csv)
PARQUET = on_table(lambda content: _of_arrow(pa.parquet.read_table(io.BytesIO(content))), _parquet)


def _store_change(function: Any) -> Change:
    def change(content: bytes, place: float, value: int) -> bytes:
        table = pa.ipc.open_file(content).read_all()
        columns = {name: table[name].combine_chunks() for name in table.column_names}
        if function is retype:
            name = _pick(list(columns), place)
            types = [pa.float64(), pa.int64(), pa.string(), pa.list_(pa.float32()), pa.list_(pa.int64()), pa.bool_()]
            kind = types[value % len(types)]
            size = len(table)
            filling = [[1, -5], None, []][value % 3] if pa.types.is_list(kind) else None
            columns[name] = pa.array([filling] * size, kind)
        else:
            columns = function(columns, place, value)
        schema = pa.schema([(name, each.type) for name, each in columns.items()], metadata=table.schema.metadata)
        sink = io.BytesIO()
        options = pa.ipc.IpcWriteOptions(compression="zstd" if value % 7 == 6 else None)
        with pa.ipc.new_file(sink, schema, options=options) as writer:
            writer.write_batch(pa.record_batch(list(columns.values()), schema=schema))
        return sink.getvalue()

    return change


def _store_metadata(content: bytes, place: float, value: int) -> bytes:
    table = pa.ipc.open_file(content).read_all()
    metadata = dict(table.schema.metadata or {})
    metadata[_pick(list(metadata), place)] = json.dumps(JUNK[value % len(JUNK)]).encode()
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, table.schema.with_metadata(metadata)) as writer:
        writer.write_table(table)
    return sink.getvalue()


STORE = {name: _store_change(function) for name, function in TABLE.items()} | {"metadata": _store_metadata}


def root_changes(tree: str) -> dict[str, Change]:
    """Return changes to the branches of a tree."""

    def read(content: bytes) -> Columns:
        with uproot.open(io.BytesIO(content)) as file:
            arrays = file[tree].arrays(library="ak")
            return {name: arrays[name] for name in arrays.fields}

    def write(columns: Columns) -> bytes:
        kept = {name: each for name, each in columns.items() if getattr(each, "dtype", np.dtype("f4")).kind in "iufb"}
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "changed.root"
            with uproot.recreate(path) as file:
                file[tree] = kept or {"nothing": np.zeros(1)}
            return path.read_bytes()

    return on_table(read, write)


def _hdf5(content: bytes, place: float, value: int) -> bytes:
    """Remove, replace or resize a dataset."""
    sink = io.BytesIO(content)
    with h5py.File(sink, "r+") as file:
        found: list[str] = []
        file.visititems(lambda name, node: found.append(name) if isinstance(node, h5py.Dataset) else None)
        name = _pick(found, place)
        data = file[name][...]
        del file[name]
        shape = data.shape
        made: list[Callable[[], Any]] = [
            lambda: None,
            lambda: file.create_dataset(name, (10**12, *shape[1:]), "f4", chunks=(64, *shape[1:])),
            lambda: file.create_dataset(name, (*shape[:-1], 10**10), "f4", chunks=(*(1,) * (len(shape) - 1), 1024)),
            lambda: file.create_dataset(name, data=data[: len(data) // 2]),
            lambda: file.create_dataset(name, data=data[..., np.newaxis]),
            lambda: file.create_dataset(name, data=np.zeros(shape, "S3")),
            lambda: file.create_dataset(name, data=1.0),
            lambda: file.create_group(name),
            lambda: file.create_dataset(name, data=np.full(shape, np.nan)),
            lambda: file.create_dataset(name, data=np.full(shape, -1.0)),
            lambda: file.create_dataset(name, data=np.full(shape, 2**62)),
            lambda: file.create_dataset(name, data=np.full(shape, 1e300)),
            lambda: file.create_dataset(name, data=np.ones(shape, "c16")),
            lambda: file.create_dataset(name, data=np.ones(shape, bool)),
            lambda: file.create_dataset(name, shape, h5py.vlen_dtype(np.float32)),
            lambda: file.create_dataset(name, shape, "f8", chunks=(10**7, *shape[1:]), maxshape=(None, *shape[1:])),
            lambda: file.__setitem__(name, h5py.SoftLink("/nowhere")),
            lambda: file.__setitem__(name, h5py.ExternalLink("/etc/passwd", "/x")),
            lambda: file.__setitem__(name, h5py.SoftLink(f"/{name}")),
            lambda: file.create_dataset(name, data=h5py.Empty("f4")),
        ]  # fmt: skip
        made[value % len(made)]()
    return sink.getvalue()


HDF5 = {f"dataset{number}": _hdf5 for number in range(4)}


def junk_in(content: Any, place: float, value: int) -> Any:
    """Replace, remove or add one entry somewhere in nested plain values."""
    whole = copy.deepcopy(content)
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for key, each in pairs:
            places.append((node, key))
            walk(each)

    walk(whole)
    if not places:
        return JUNK[value % len(JUNK)]
    node, key = _pick(places, place)
    kind, junk = value % 4, JUNK[value // 4 % len(JUNK)]
    if kind == 0:
        del node[key]
    elif kind == 1 and isinstance(node, dict):
        node["unknown"] = junk
    else:
        node[key] = junk
    return whole


def _yaml_junk(content: bytes, place: float, value: int) -> bytes:
    return yaml.safe_dump(junk_in(yaml.safe_load(content), place, value)).encode()


def _yaml_bomb(content: bytes, place: float, value: int) -> bytes:
    bomb = YAML_BOMBS[value % len(YAML_BOMBS)].encode()
    return bomb if place < 0.5 else content + b"\n" + bomb


def _json_junk(content: bytes, place: float, value: int) -> bytes:
    return b"[" * 100_000 if value % 64 == 63 else json.dumps(junk_in(json.loads(content), place, value)).encode()


YAML = {"junk1": _yaml_junk, "junk2": _yaml_junk, "bomb": _yaml_bomb}
JSON = {"junk1": _json_junk, "junk2": _json_junk}


def _header(content: bytes, place: float, value: int) -> bytes:
    """Change an entry of the header of a .safetensors file, its metadata among them."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    if value % 32 == 31:
        text = b"[" * 100_000
    elif value % 2 and "__metadata__" in header:
        about = header["__metadata__"]
        key = next(iter(about))
        about[key] = json.dumps(junk_in(json.loads(about[key]), place, value // 2))
        text = json.dumps(header).encode()
    else:
        name = _pick([name for name in header if name != "__metadata__"], place)
        entry = header[name]
        size = entry["data_offsets"][1]
        changes: list[dict[str, Any]] = [
            {"dtype": "F64"}, {"dtype": "I8"}, {"dtype": "BOOL"}, {"dtype": "F8_E4M3"}, {"shape": [10**12]},
            {"shape": []}, {"shape": [2**63, 2]}, {"shape": [-1]}, {"shape": [0]}, {"data_offsets": [0, 10**12]},
            {"shape": "x"}, {"data_offsets": [size, 0]}, {"data_offsets": [0, 0]}, {"data_offsets": [-8, size]},
            {"data_offsets": None},
        ]  # fmt: skip
        change = changes[value // 2 % len(changes)]
        if value % 5 == 0:
            del header[name]
        elif value % 5 == 1:
            other = _pick([name for name in header if name != "__metadata__"], value / 2**16)
            header[name], header[other] = header[other], header[name]
        else:
            header[name] = {**entry, **change}
        text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content[8 + length :]


SAFETENSORS = {"header1": _header, "header2": _header, "header3": _header}


def _pick(items: list[Any], place: float) -> Any:
    return items[min(int(place * len(items)), len(items) - 1)]
