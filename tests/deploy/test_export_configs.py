"""Every pose and segmentation network can be exported, of one size and of any."""

import json
from pathlib import Path

import pytest
from nets import random_images, randomise, settle

from litehrnet_mm.cli import UserError
from litehrnet_mm.deploy.export import export
from litehrnet_mm.deploy.graphs import ExportedModel
from litehrnet_mm.deploy.plan import Plan, Wanted
from litehrnet_mm.engine.building import build_model
from litehrnet_mm.engine.config_file import load_config
from litehrnet_mm.prediction.onnx_check import check_onnx
from litehrnet_mm.runtime.model import RuntimeModel

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
SIZE = (64, 96)
# Linear layers that are made for one size; pooling with windows of 49 pixels.
SIZES = dict(SimCCHead=(256, 192), LRASPPHead=(400, 416))
# What training, decoding and the number of classes add makes no other graph.
IRRELEVANT = (
    *('init_cfg', 'train_cfg', 'test_cfg', 'auxiliary_head', 'sampler', 'decoder'),
    *('out_channels', 'num_classes', 'ignore_index', 'dropout_ratio'),
    *('data_preprocessor', 'norm_cfg', 'with_cp', 'norm_eval'),
)


def graph(node: object) -> object:
    """What of a model's config decides on its graph."""
    if isinstance(node, dict):
        return {
            key: graph(value)
            for key, value in node.items()
            if key not in IRRELEVANT and not key.startswith('loss')
        }
    if isinstance(node, (list, tuple)):
        return [graph(value) for value in node]
    return node


def networks() -> dict[str, tuple[str, str]]:
    """For each graph of a network the first config, and its backbone."""
    found: dict[str, tuple[str, str]] = {}
    for path in sorted(CONFIGS.rglob('*.py')):
        cfg = {} if '_base_' in path.parts else load_config(str(path), {})
        if 'model' in cfg and cfg.default_scope in ('mmpose', 'mmseg'):
            key = json.dumps(graph(cfg.model.to_dict()), sort_keys=True)
            name = path.relative_to(CONFIGS).as_posix()
            found.setdefault(key, (name, cfg.model.backbone.type))
    return found


# Ours are exported for one size in test_export.py, in all their forms. The deeper net
# has the operators of the other one: with pose alone.
CASES = [
    (path, dynamic)
    for path, backbone in networks().values()
    for dynamic in ('', 'all')
    if (dynamic or 'LiteHRNet' not in backbone or 'simcc' in path)
    and not ('litehrnet-30' in path and path.startswith('seg'))
]


def test_of_other_projects_the_backbone_is_exported(tmp_path):
    (path,) = CONFIGS.glob('examples/faster-rcnn*')
    cfg = load_config(str(path), {})
    cfg.model.backbone.init_cfg = None
    model = randomise(build_model(cfg, str(path)))
    out = tmp_path / 'net.onnx'
    with pytest.raises(UserError, match='is of mmdet: add --backbone-only'):
        export(model, cfg, out, Plan(SIZE))
    plan = Plan((128, 160), Wanted(backbone_only=True))
    assert export(model, cfg, out, plan) <= 1e-4
    assert RuntimeModel(out, 'backbone').outputs == [f'branch_{i}' for i in range(4)]


@pytest.mark.parametrize(('path', 'dynamic'), CASES)
def test_every_network_is_exported(path, dynamic, tmp_path):
    cfg = load_config(str(CONFIGS / path), {})
    head = cfg.model.get('head') or cfg.model.decode_head
    fixed = head.type == 'SimCCHead'
    size = SIZES.get(head.type, SIZE)
    model = randomise(build_model(cfg, path))
    settle(ExportedModel(model, cfg, Wanted()), random_images(2, 3, *size))
    plan = Plan(size, dynamic=dynamic)
    out = tmp_path / 'net.onnx'
    if fixed and dynamic:
        with pytest.raises(UserError, match='takes no size but 256x192'):
            export(model, cfg, out, plan)
    else:
        assert export(model, cfg, out, plan) <= 1e-4
        check_onnx(out)  # has no operators but those that are known
    assert out.is_file() != (fixed and bool(dynamic))
