"""Readers of ncnn's graphs and weights, and of PP-TinyPose in them."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from isolation import Files, Input
from mutations import BYTES, TEXT
from target import Target, same
from weight_targets import describe_weights

from litehrnet_mm.checkpoints.ncnn import read_ncnn
from litehrnet_mm.checkpoints.pp_tinypose import convert_pp_tinypose


def ncnn_seeds() -> list[Files]:
    """Two small graphs with weights, of 16 and of 32 bits."""
    seeds = []
    for seed, (tag, kind) in enumerate(((0x01306B47, 'f2'), (0, 'f4'))):
        numbers = np.random.default_rng(seed).standard_normal(64)

        def part(count: int, numbers=numbers, tag=tag, kind=kind) -> bytes:
            raw = numbers[:count].astype(kind).tobytes()
            return struct.pack('<I', tag) + raw + bytes(-len(raw) % 4)

        bias = numbers[:2].astype('f4').tobytes()
        lines = (
            *('7767517', '6 7', 'Input image 0 1 image'),
            'Convolution full 1 1 image a 0=2 1=3 3=2 4=1 5=1 6=54 9=1',
            'ConvolutionDepthWise deep 1 1 a b 0=2 1=1 11=3 5=0 6=6 7=2',
            'Slice slice 1 2 b c d -23300=2,-233,-233 1=0',
            f'Convolution point{seed} 1 1 c e 0=2 1=1 5=1 6=2 -23310=2,1.5,-2.5e-01',
            'Interp resize 1 1 e f 0=1 1=2.000000e+00',
        )
        weights = part(54) + bias + part(6) + part(2) + bias
        text = '\n'.join(lines) + '\n'
        seeds.append({'net.param': text.encode(), 'net.bin': weights})
    return seeds


def read_net(folder: Path) -> tuple:
    """Layers with their weights, and the graph as it would be written."""
    layers = read_ncnn(folder / 'net.param', folder / 'net.bin')
    graph, weights = [], []
    for layer in layers:
        numbers = {
            key: value if isinstance(value, tuple) else (value,)
            for key, value in layer.params.items()
        }
        graph.append((layer.kind, layer.name, layer.inputs, layer.outputs, numbers))
        arrays = [x for x in (layer.weight, layer.bias) if x is not None]
        finite = all(np.isfinite(x).all() for x in arrays)
        weights.append(([x.shape for x in arrays], finite))
    return graph, weights


def judge_graph(expected: Any, found: Any, item: Input) -> str:
    """Nothing that the text says may be passed over, and weights keep their shapes."""
    words = [line.split() for line in item.files['net.param'].decode().split('\n')]
    said = [line for line in words if line][2:]
    for line, (kind, name, inputs, outputs, params) in zip(said, found[0], strict=True):
        blobs = [*inputs, *outputs]
        if line[:2] != [kind, name] or line[4 : 4 + len(blobs)] != blobs:
            return f'the line {line} was read as {kind, name, blobs}'
        if len(line) - 4 - len(blobs) != len(params):
            return f'of the parameters {line} only {params} were read'
    if item.files['net.param'] == ncnn_seeds()[item.seed]['net.param']:
        return '' if found == expected else f'another net was read: {found}'
    return '' if all(finite for _, finite in found[1]) else 'weights are not finite'


def tinypose_files(shared: Path) -> list[Files]:
    """The real PP-TinyPose."""
    folder = shared / 'pp_tinypose'
    return [
        {
            'net.param': next(folder.glob('*.param')).read_bytes(),
            'net.bin': next(folder.glob('*.bin')).read_bytes(),
        }
    ]


def read_tinypose(folder: Path) -> dict[str, tuple]:
    """Its entries."""
    found = convert_pp_tinypose(folder / 'net.param', folder / 'net.bin')
    return {key: value[:3] for key, value in describe_weights(found).items()}


TARGETS = [
    Target('ncnn .param', ncnn_seeds, 'net.param', TEXT, read_net, judge_graph),
    Target('ncnn .bin', ncnn_seeds, 'net.bin', BYTES, read_net, judge_graph),
    Target('PP-TinyPose .param', tinypose_files, 'net.param', TEXT, read_tinypose,
           same, needs_data=True),
]  # fmt: skip
