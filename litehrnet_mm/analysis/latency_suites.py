"""What is compared: our networks in every form, and what a user would take instead."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.hub import get_config
from torch import Tensor, nn

from litehrnet_mm.analysis.complexity_config import input_size
from litehrnet_mm.analysis.latency import Candidate, Run
from litehrnet_mm.analysis.randomising import randomise
from litehrnet_mm.deploy import rewrite
from litehrnet_mm.deploy.export import RUNTIMES, write_graph
from litehrnet_mm.deploy.graphs import ExportedModel
from litehrnet_mm.deploy.plan import Plan
from litehrnet_mm.deploy.stand_ins import with_known_layers
from litehrnet_mm.engine.building import build_model, default_device
from litehrnet_mm.engine.config_file import load_config
from litehrnet_mm.runtime.model import open_backend

EAGER, COMPILED, ORT, OPENVINO = (
    'PyTorch',
    'PyTorch, compiled',
    'ONNX Runtime',
    'OpenVINO',
)
PLAIN, REWRITTEN = '', ', rewritten'

POSE = 'configs/pose/coco/td-hm_{}_8xb64-210e_coco-256x192.py'
SEG = 'configs/seg/cityscapes/{}_4xb4-160k_cityscapes-512x1024.py'
MMPOSE = 'mmpose::body_2d_keypoint'
THEIRS = f'{MMPOSE}/topdown_heatmap/coco/td-hm_litehrnet-18_8xb64-210e_coco-256x192.py'
RTMPOSE = f'{MMPOSE}/rtmpose/coco/rtmpose-{{}}_8xb256-420e_coco-256x192.py'
HRNET = f'{MMPOSE}/topdown_heatmap/coco/td-hm_hrnet-w32_8xb64-210e_coco-256x192.py'


@dataclass(frozen=True)
class Entry:
    """A network to be timed.

    Attributes:
        net: Its name in tables.
        config: Its config; ``mmpose::`` is MMPose's own.
        plain: Runtimes that compute it as it was built.
        rewritten: Runtimes that compute its inference form.
    """

    net: str
    config: str
    plain: tuple[str, ...] = (ORT,)
    rewritten: tuple[str, ...] = ()


MMPOSE_NET = Entry("MMPose's Lite-HRNet-18", THEIRS, (EAGER, ORT, OPENVINO))
BOTH = (ORT, OPENVINO)
SUITES: dict[str, tuple[Entry, ...]] = {
    'pose': (
        MMPOSE_NET,
        Entry(
            'Lite-HRNet-18',
            POSE.format('litehrnet-18'),
            (EAGER, COMPILED, *BOTH),
            (EAGER, *BOTH),
        ),
        Entry('Lite-HRNet-30', POSE.format('litehrnet-30'), (EAGER, ORT), (EAGER, ORT)),
        Entry(
            'naive Lite-HRNet-18',
            POSE.format('naive-litehrnet-18'),
            (EAGER, ORT),
            (EAGER, ORT),
        ),
        Entry(
            'wider naive Lite-HRNet-18',
            POSE.format('wider-naive-litehrnet-18'),
            (EAGER, ORT),
            (EAGER, ORT),
        ),
        Entry('Small HRNet-W16', POSE.format('small-hrnet-w16')),
        Entry('MobileNetV2', POSE.format('mobilenetv2')),
        Entry('ShuffleNetV2', POSE.format('shufflenetv2')),
        Entry('HRNet-W32', HRNET),
        Entry('RTMPose-t', RTMPOSE.format('t'), BOTH),
        Entry('RTMPose-s', RTMPOSE.format('s'), BOTH),
    ),
    'seg': (
        Entry(
            'Lite-HRNet-18', SEG.format('fcn_litehrnet-18'), (EAGER, ORT), (EAGER, ORT)
        ),
        Entry(
            'Lite-HRNet-30', SEG.format('fcn_litehrnet-30'), (EAGER, ORT), (EAGER, ORT)
        ),
        Entry('Fast-SCNN', SEG.format('fast-scnn')),
        Entry('BiSeNetV2', SEG.format('bisenetv2_fcn')),
    ),
    'training': (
        Entry(MMPOSE_NET.net, THEIRS, (EAGER,)),
        Entry('Lite-HRNet-18', POSE.format('litehrnet-18'), (EAGER,)),
    ),
}
"""The first of each is what the others are compared with, runtime by runtime."""


@dataclass(frozen=True)
class Setting:
    """Under which circumstances to time.

    Attributes:
        batch: Images at once.
        threads: Of the CPU.
        size: Height and width of the input; the config's if not given.
        compiled: Whether to compile, too, which takes minutes.
    """

    batch: int = 1
    threads: int = 1
    size: tuple[int, int] | None = None
    compiled: bool = False


def make_candidates(entry: Entry, suite: str, setting: Setting) -> Iterator[Candidate]:
    """Make all forms of a network ready to run.

    Raises:
        UserError: If its config cannot be read, or its model cannot be built.
    """
    cfg, model = load_net(entry.config)
    size = setting.size or input_size(cfg, entry.config)
    device = default_device()
    images = torch.randn(setting.batch, 3, *size)
    if suite == 'training':
        run = training_step(model.to(device), images.to(device))
        yield Candidate(entry.net, EAGER, run)
        return
    for suffix, runtimes in ((PLAIN, entry.plain), (REWRITTEN, entry.rewritten)):
        for runtime in runtimes:
            if runtime == COMPILED and not setting.compiled:
                continue
            if runtime == OPENVINO and find_spec('openvino') is None:
                continue
            if runtime in (EAGER, COMPILED):
                net = rewrite(model) if suffix else model
                run = forward(net.to(device), images.to(device), runtime == COMPILED)
            else:
                run = exported(model, cfg, images, bool(suffix), runtime, setting)
            yield Candidate(entry.net, runtime + suffix, run)


@cache
def load_net(path: str) -> tuple[Config, nn.Module]:
    """A config and its model in evaluation mode, with random weights and statistics."""
    if '::' in path:
        cfg = get_config(path)
        cfg.default_scope = path.split('::')[0]
    else:
        cfg = load_config(path, {})
    model = build_model(cfg, path).eval()
    randomise(model)
    return cfg, model


def forward(model: nn.Module, images: Tensor, compiled: bool) -> Run:
    """One pass through a model of MMPose or MMSegmentation."""
    call: Any = torch.compile(model) if compiled else model

    def run() -> None:
        with torch.no_grad():
            call(images, None, mode='tensor')

    return run


def training_step(model: nn.Module, images: Tensor) -> Run:
    """Forward and backward pass of a backbone, and a step of the optimiser."""
    net = model.backbone
    net.train()  # MMPose's returns nothing
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-9)

    def run() -> None:
        optimiser.zero_grad()
        sum(y.square().mean() for y in net(images)).backward()
        optimiser.step()

    return run


def exported(
    model: nn.Module,
    cfg: Config,
    images: Tensor,
    rewritten: bool,
    runtime: str,
    setting: Setting,
) -> Run:
    """One pass through an exported model."""
    backend = 'openvino' if runtime == OPENVINO else 'onnxruntime'
    if rewritten:
        model = rewrite(model, form='graph', **RUNTIMES[backend])
    model = with_known_layers(model)
    plan = Plan(tuple(images.shape[2:]))
    graph = ExportedModel(model, cfg, plan.wanted).eval()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'net.onnx'
        write_graph(graph, images, path, plan)
        run = open_backend(path, backend, setting.threads)
    x = images.numpy()
    return lambda: run(x)
