"""ONNX files: how a network becomes one, and what one says about itself."""

from __future__ import annotations

import json
import logging
import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch

from hgcal_gnn import __version__
from hgcal_gnn.errors import InputError, UsageError
from hgcal_gnn.files import atomic_path, check_readable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor, nn

FORMAT = 1
METADATA_KEY = "hgcal_gnn"
INSTALL = "pip install 'hgcal-gnn[export]'"
LARGEST = 2**31 - 1  # bytes of one ONNX file


@dataclass(frozen=True, eq=False)
class Input:
    """An input of an exported network.

    Attributes
    ----------
    example : [n, ...]
        Numbers to trace the network with; of any n from 2.
    rows
        What the first axis counts: inputs with the same word have the same length. Any number of them may be given.
    about
        What it is, for people and programs: "unit", "meaning", "columns", ...
    """

    example: Tensor
    rows: str
    about: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Network:
    """A network that can be exported.

    Attributes
    ----------
    module
        Takes the inputs as ``*tensors``, in their order, and returns the outputs in theirs: a tensor, or a tuple.
    inputs, outputs
        By name; of outputs what `Input.about` says.
    """

    module: nn.Module
    inputs: Mapping[str, Input]
    outputs: Mapping[str, Mapping[str, Any]]


def load_onnx() -> Any:
    """Import what exports.

    Raises
    ------
    UsageError
        If it is not installed.
    """
    try:
        import onnx  # noqa: PLC0415 - optional
        import onnxscript  # noqa: F401, PLC0415
    except ImportError as error:
        msg = f"an export needs onnx and onnxscript ({error.name} is missing): {INSTALL}"
        raise UsageError(msg) from error
    return onnx


def load_onnxruntime() -> Any:
    """Import what runs exported networks.

    Raises
    ------
    UsageError
        If it is not installed.
    """
    try:
        import onnxruntime  # noqa: PLC0415 - optional
    except ImportError as error:
        msg = f"the engine onnx needs onnxruntime: {INSTALL}"
        raise UsageError(msg) from error
    return onnxruntime


def traced(network: Network, about: Mapping[str, Any]) -> bytes:
    """Make an ONNX file of a network.

    Inputs that the outputs do not depend on are left out. The file has one metadata key, `METADATA_KEY`, with sorted
    JSON: `about`, the inputs and outputs, and the version.

    Raises
    ------
    UsageError
        If onnx is not installed.
    """
    load_onnx()
    module = network.module.eval().requires_grad_(requires_grad=False)
    rows = tuple({0: given.rows} for given in network.inputs.values())
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            module, tuple(given.example for given in network.inputs.values()), dynamo=True, verbose=False,
            input_names=list(network.inputs), output_names=list(network.outputs), dynamic_shapes=(rows,),
        )  # fmt: skip
    if program is None:
        msg = "torch.onnx.export returned nothing"
        raise TypeError(msg)
    model = program.model
    for value in [value for value in model.graph.inputs if not value.uses()]:
        model.graph.inputs.remove(value)
    for node in model.graph.all_nodes():
        node.metadata_props.clear()  # where in which file the operation was found
        node.doc_string = None
    names = [name for name in network.inputs if name in {value.name for value in model.graph.inputs}]
    told = {
        **about, "format": FORMAT, "version": __version__,
        "inputs": {name: dict(network.inputs[name].about) for name in names},
        "outputs": {name: dict(said) for name, said in network.outputs.items()},
    }  # fmt: skip
    model.metadata_props.clear()
    model.metadata_props[METADATA_KEY] = json.dumps(told, sort_keys=True)
    model.graph.metadata_props.clear()
    content: bytes = program.model_proto.SerializeToString(deterministic=True)
    return content


def write_onnx(content: bytes, path: Path, *, overwrite: bool = False) -> None:
    """Write what `traced` made.

    Raises
    ------
    OutputError
        If it cannot be written, or exists, unless `overwrite`.
    """
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(content)


def read_about(path: Path) -> dict[str, Any]:
    """Read what an exported file says about itself.

    Raises
    ------
    InputError
        If it is no such file, or of a newer version.
    """
    onnx = load_onnx()
    check_readable(path)
    try:
        found = {item.key: item.value for item in onnx.load(path).metadata_props}
        about: dict[str, Any] = json.loads(found[METADATA_KEY])
    except Exception as error:  # protobuf has exceptions of its own
        msg = f"{path}: is no network that hgcal-gnn exported"
        raise InputError(msg) from error
    if about["format"] > FORMAT:
        msg = (
            f"{path}: written by version {about['version']} in format {about['format']}, this one reads up to "
            f"{FORMAT}; upgrade with: pip install --upgrade hgcal-gnn"
        )
        raise InputError(msg)
    return about


class Session:
    """A network in onnxruntime on the CPU.

    Parameters
    ----------
    content
        Of the file.
    threads
        Default: as many as PyTorch has.

    Attributes
    ----------
    about
        What the file says about itself.
    """

    def __init__(self, content: bytes, threads: int | None = None) -> None:
        runtime = load_onnxruntime()
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads or torch.get_num_threads()
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        custom = self._session.get_modelmeta().custom_metadata_map
        self.about: Mapping[str, Any] = MappingProxyType(json.loads(custom.get(METADATA_KEY, "{}")))
        self.inputs: Sequence[str] = [given.name for given in self._session.get_inputs()]

    def __call__(self, given: Mapping[str, Tensor]) -> list[Tensor]:
        """Return the outputs, on the CPU; inputs that the file does not have are left out."""
        fed = {name: given[name].contiguous().numpy() for name in self.inputs}
        return [torch.from_numpy(found) for found in self._session.run(None, fed)]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's remarks on packages that are not there and on its own code to itself."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir", "torch.export")]
    levels = [one.level for one in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for one in loggers:
            one.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for one, level in zip(loggers, levels, strict=True):
                one.setLevel(level)
