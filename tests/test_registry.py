"""``type='litehrnet_mm.X'`` needs no import; each project in a process of its own."""

import json
import os
import subprocess
import sys

import pytest

BACKBONE = 'litehrnet_mm.models.litehrnet.LiteHRNet'

# Only mmengine and the project's registry are imported. With mmcv-lite, MMPose,
# MMSegmentation and MMDetection cannot import their own models, whatever they are
# asked for: an empty extension stands for the compiled one of full mmcv.
SCRIPT = """
import importlib, json, pathlib, sys

project, folder = sys.argv[1:]
if project in ('mmpose', 'mmseg', 'mmdet'):
    import mmcv
    if importlib.util.find_spec('mmcv._ext') is None:
        extension = pathlib.Path(folder) / '_ext.py'
        extension.write_text('def __getattr__(name): return lambda *args: None')
        mmcv.__path__.append(folder)

registry = importlib.import_module(f'{project}.registry').MODELS
imported_before = 'litehrnet_mm' in sys.modules
model = registry.build(dict(type='litehrnet_mm.LiteHRNet', arch='litehrnet-18'))

def name_of(cls):
    return cls and f'{cls.__module__}.{cls.__qualname__}'

from mmengine.registry import HOOKS, MODELS
import litehrnet_mm.models
importlib.reload(importlib.import_module('litehrnet_mm'))
from litehrnet_mm.registry import MODELS as OURS
print(json.dumps(dict(
    imported_before=imported_before,
    built=name_of(type(model)),
    parameters=sum(p.numel() for p in model.parameters()),
    root=name_of(MODELS.get('litehrnet_mm.LiteHRNet')),
    root_same=MODELS.get('litehrnet_mm.LiteHRNet') is type(model),
    hook=name_of(HOOKS.get('litehrnet_mm.SaveMetricsHook')),
    bare=name_of(registry.get('LiteHRNet')),
    children=[child is OURS for child in MODELS.children.values()
              if child.scope == 'litehrnet_mm'],
    scope=OURS.scope,
    entries=[key for key, cls in OURS.module_dict.items() if cls is type(model)],
)))
"""


@pytest.fixture(scope='module')
def seen_from(repository, tmp_path_factory):
    """What a process sees that starts from one project's registry."""
    path = os.pathsep.join([str(repository), os.environ.get('PYTHONPATH', '')])
    results: dict[str, dict] = {}

    def run(project: str) -> dict:
        if project not in results:
            folder = str(tmp_path_factory.mktemp(project))
            process = subprocess.run(
                [sys.executable, '-W', 'ignore', '-c', SCRIPT, project, folder],
                env={**os.environ, 'PYTHONPATH': path},
                capture_output=True,
                text=True,
                timeout=300,
            )
            assert process.returncode == 0, process.stderr
            results[project] = json.loads(process.stdout.splitlines()[-1])
        return results[project]

    return run


@pytest.mark.parametrize(
    'project', ['mmengine', 'mmpose', 'mmseg', 'mmdet', 'mmpretrain']
)
def test_backbone_resolves_without_an_import(seen_from, project):
    seen = seen_from(project)
    assert seen['imported_before'] is False
    assert seen['built'] == BACKBONE
    assert seen['parameters'] == 1_130_072
    assert seen['root'] == BACKBONE
    assert seen['root_same'] is True
    assert seen['hook'] == 'litehrnet_mm.engine.hooks.SaveMetricsHook'


def test_bare_name_stays_mmposes_own(seen_from):
    assert seen_from('mmpose')['bare'] == 'mmpose.models.backbones.litehrnet.LiteHRNet'
    # Elsewhere the bare name is found in MMEngine's root, where ours is too.
    assert seen_from('mmengine')['bare'] == seen_from('mmseg')['bare'] == BACKBONE


@pytest.mark.parametrize('project', ['mmengine', 'mmpose'])
def test_importing_again_registers_nothing_twice(seen_from, project):
    seen = seen_from(project)
    assert seen['scope'] == 'litehrnet_mm'
    assert seen['children'] == [True]
    assert seen['entries'] == ['LiteHRNet']
