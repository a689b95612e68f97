"""Networks for inference only: normalisations folded into the layers before them, weights in the order CPUs like."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights, fuse_linear_bn_weights

from hgcal_gnn.generation.voxel.upsampling import UpsampledConvolution

Module = TypeVar("Module", bound=nn.Module)
Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d
TransposedConvolution = nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d
Normalisation = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d


def folded(module: Module) -> Module:
    """Return a copy for inference that gives the same, up to rounding, in less time.

    In evaluation mode a batch normalisation is a product and a sum per channel: where it follows a (transposed)
    convolution or a dense layer in an `nn.Sequential`, both become part of its weights. Weights of 3D convolutions are
    stored with the channels last, which lets the convolutions of oneDNN work without reordering. An upsampling becomes
    part of the convolution after it. Normalisations after an activation stay.

    Parameters
    ----------
    module
        Stays as it is; neither its weights nor its mode are touched.
    """
    result = copy.deepcopy(module).eval().requires_grad_(requires_grad=False)
    for part in result.modules():
        if isinstance(part, nn.Sequential):
            _fold_sequence(part)
            _join_upsampling(part)
        if isinstance(part, nn.Conv3d | nn.ConvTranspose3d):
            part.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    return result


def _fold_sequence(sequence: nn.Sequential) -> None:
    """Replace the normalisations that follow a layer with weights by nothing."""
    for number, (layer, following) in enumerate(zip(list(sequence)[:-1], list(sequence)[1:], strict=True)):
        if isinstance(following, Normalisation) and following.running_mean is not None and _fold(layer, following):
            sequence[number + 1] = nn.Identity()


def _join_upsampling(sequence: nn.Sequential) -> None:
    """Make one convolution of an upsampling and the convolution that follows."""
    for number, (layer, following) in enumerate(zip(list(sequence)[:-1], list(sequence)[1:], strict=True)):
        if not isinstance(layer, nn.Upsample) or not isinstance(following, nn.Conv3d):
            continue
        factors = layer.scale_factor if isinstance(layer.scale_factor, tuple) else (layer.scale_factor,) * 3
        linear = layer.mode == "trilinear" and not layer.align_corners and set(following.padding) == {0}
        is_plain = (layer.mode == "nearest" or linear) and following.padding_mode == "zeros" and following.groups == 1
        is_plain = is_plain and set(following.stride) == {1} == set(following.dilation)
        if is_plain and all(factor is not None and float(factor).is_integer() for factor in factors):
            x, y, z = (int(factor or 1) for factor in factors)
            joined = UpsampledConvolution((x, y, z), following, linear=linear)
            sequence[number], sequence[number + 1] = nn.Identity(), joined


def _fold(layer: nn.Module, norm: Normalisation) -> bool:
    """Fold a normalisation into the layer before it, if that can be done."""
    statistics = (norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias)
    if isinstance(layer, TransposedConvolution) and layer.groups > 1:  # channels of the output are spread over two axes
        return False
    if isinstance(layer, Convolution | TransposedConvolution):
        is_transposed = isinstance(layer, TransposedConvolution)
        layer.weight, layer.bias = fuse_conv_bn_weights(layer.weight, layer.bias, *statistics, is_transposed)  # type: ignore[arg-type]
    elif isinstance(layer, nn.Linear):
        layer.weight, layer.bias = fuse_linear_bn_weights(layer.weight, layer.bias, *statistics)  # type: ignore[arg-type]
    else:
        return False
    layer.requires_grad_(requires_grad=False)
    return True
