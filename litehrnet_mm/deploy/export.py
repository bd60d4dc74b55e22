"""ONNX files of a model."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import onnx
import torch
from mmengine.config import Config
from torch import nn

from litehrnet_mm.cli import UserError, one_line
from litehrnet_mm.deploy.graphs import ExportedModel
from litehrnet_mm.deploy.metadata import describe, to_properties
from litehrnet_mm.deploy.plan import Plan
from litehrnet_mm.deploy.rewrite import rewrite
from litehrnet_mm.deploy.stand_ins import with_known_layers
from litehrnet_mm.deploy.verify import model_input, sample_images, verify
from litehrnet_mm.writing import written_whole

RUNTIMES = dict(
    # Its layout has blocks of 16 channels on CPUs with AVX-512, of 8 with AVX2.
    onnxruntime=dict(gates='repeated', channel_block=16),
    openvino=dict(gates='broadcast', channel_block=1),
)
"""How :func:`~litehrnet_mm.deploy.rewrite` writes a graph that is fast on each."""


def export(model: nn.Module, cfg: Config, path: Path, plan: Plan) -> float:
    """Write a model as ONNX, and keep the file only if it computes the same.

    The graph is that of the rewritten model. A file that was there before is replaced
    once the new one has been checked.

    Args:
        model: In evaluation mode; it stays as it is.
        cfg: Its config.
        path: The file.
        plan: How to write it.

    Returns:
        The greatest difference between PyTorch with the original model and ONNX
        Runtime with the file, see :func:`~litehrnet_mm.deploy.verify.difference`.

    Raises:
        UserError: If the model cannot be exported like this, or the file does not
            compute the same.
    """
    preprocessor = cfg.model.get('data_preprocessor') or {}
    try:
        reference = ExportedModel(model, cfg, plan.wanted).eval()
        any_size = plan.dynamic == 'all'
        options = RUNTIMES[plan.runtime]
        fast = rewrite(model, form='graph', any_size=any_size, **options)
        graph = ExportedModel(with_known_layers(fast), cfg, plan.wanted).eval()
        images = model_input(next(sample_images(plan.size)), preprocessor, plan)
        with written_whole(path) as part:
            write_graph(graph, torch.from_numpy(images), part, plan)
            _finish(part, cfg, plan)
            return verify(part, reference, preprocessor, plan)
    except (RuntimeError, ValueError) as error:
        raise UserError(f'the model cannot be exported: {one_line(error)}') from error


def write_graph(
    graph: ExportedModel, images: torch.Tensor, path: Path, plan: Plan
) -> None:
    """Write a graph as ONNX, unchecked.

    Args:
        graph: The model; afterwards it knows the names of its outputs.
        images: A batch as it takes.
        path: The file.
        plan: Of it ``dynamic`` and ``opset`` count here.
    """
    with torch.no_grad(), warnings.catch_warnings():
        graph(images)  # names its outputs
        # Sizes become constants where they should, and the exporter that does without
        # further packages will go one day.
        warnings.simplefilter('ignore')
        torch.onnx.export(
            graph,
            (images,),
            str(path),
            dynamo=False,
            opset_version=plan.opset,
            input_names=['images'],
            output_names=list(graph.outputs),
            dynamic_axes=_dynamic_axes(graph.outputs, plan),
        )


def _finish(path: Path, cfg: Config, plan: Plan) -> None:
    """Bring a file to its precision, and let it tell what it is."""
    written = onnx.load(str(path))
    if plan.precision == 'fp16':
        from onnxruntime.transformers.float16 import convert_float_to_float16

        written = convert_float_to_float16(written, keep_io_types=True)
    onnx.helper.set_model_props(written, to_properties(describe(cfg, plan.size)))
    onnx.save(written, str(path))


def _dynamic_axes(outputs: Sequence[str], plan: Plan) -> dict[str, dict[int, str]]:
    if not plan.dynamic:
        return {}
    axes = {name: {0: 'batch'} for name in ('images', *outputs)}
    if plan.dynamic == 'all':
        first = 1 if plan.wanted.preprocess else 2
        axes['images'].update({first: 'height', first + 1: 'width'})
        for name in outputs:
            if name not in ('keypoints', 'scores'):
                first = 1 if name == 'labels' else 2
                sides = {first: f'{name}_height', first + 1: f'{name}_width'}
                axes[name].update(sides)
    return axes
