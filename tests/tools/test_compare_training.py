"""Configs trained alike, in one table."""

import json

import pytest
from mmengine.config import Config
from running import assert_one_line, narrow

from litehrnet_mm import workflow
from litehrnet_mm.cli import UserError

FOLDER = 'configs/seg/camvid'
NAMES = [f'{net}_1xb8-20k_camvid-360x480' for net in ('fcn_litehrnet-18', 'fast-scnn')]
CONFIGS = [f'{FOLDER}/{name}.py' for name in NAMES]


def test_all_are_trained_alike_and_a_second_call_only_reads(
    seg_data, call_tool, tmp_path, capfd
):
    work = tmp_path / 'work'
    options = ['--iterations', 2, '--batch-size', 2, '--crop', 64, 96, '--seed', 3]
    command = ['compare_training.py', *CONFIGS, *options, '--work-dir', work]
    command += ['--cfg-options', 'train_dataloader.num_workers=0']
    command += ['param_scheduler.0.end=1', 'param_scheduler.1.begin=1']
    done = call_tool(*command)
    assert done.returncode == 0, done.stderr
    page = (work / 'comparison.md').read_text()
    assert ' --iterations 2 --batch-size 2 --crop 64 96 ' in page
    lines = page.splitlines()[4:]
    assert lines[0].startswith('| config | parameters | MACs | minutes |')
    assert {'aAcc', 'mIoU', 'mAcc'} < set(lines[0].split())
    assert [line.split()[1] for line in lines[2:]] == NAMES
    for name in NAMES:
        cfg = Config.fromfile(work / name / f'{name}.py')
        assert cfg.randomness.seed == 3
        assert cfg.train_cfg.max_iters == cfg.param_scheduler[-1].end == 2
        assert cfg.train_dataloader.batch_size == 2
        assert tuple(cfg.train_dataloader.dataset.pipeline[3].crop_size) == (64, 96)
        assert tuple(cfg.model.data_preprocessor.size) == (64, 96)
        assert json.loads((work / name / 'metrics.json').read_text())['mIoU'] >= 0
    again = call_tool(*command)
    assert again.stdout.count('finished before') == 2
    assert 'Training' not in again.stdout
    assert (work / 'comparison.md').read_text() == page


def test_options_reach_the_configs(
    repository, seg_data, call_tool, tmp_path, monkeypatch
):
    flows = []

    class Flow(workflow.Workflow):
        """Training that ends before it begins."""

        def train(self, title, *options):
            flows.append(self)
            raise UserError('enough')

    monkeypatch.setattr(workflow, 'Workflow', Flow)
    options = ['--iterations', 70, '--batch-size', 3, '--crop', 64, 96, '--seed', 5]
    options += ['--work-dir', tmp_path / 'work']
    options += ['--cfg-options', 'env_cfg.cudnn_benchmark=0']
    monkeypatch.chdir(repository)
    config = narrow(CONFIGS[0], tmp_path)
    done = call_tool('compare_training.py', config, *options)
    assert_one_line(done, 'enough')
    (flow,) = flows
    assert flow.work == tmp_path / 'work' / config.stem
    cfg = Config.fromfile(flow.config)
    assert cfg.train_cfg.max_iters == cfg.param_scheduler[-1].end == 70
    assert cfg.train_dataloader.batch_size == 3
    crops = [x for x in cfg.train_dataloader.dataset.pipeline if 'crop_size' in x]
    assert [tuple(crop.crop_size) for crop in crops] == [(64, 96)]
    assert tuple(cfg.model.data_preprocessor.size) == (64, 96)
    assert cfg.randomness.seed == 5
    assert cfg.env_cfg.cudnn_benchmark == 0


def test_what_a_config_does_not_have_cannot_be_set(call_tool, tmp_path):
    config = 'configs/pose/synthetic/td-hm_litehrnet-18_1xb32-6e_synthetic-128x96.py'
    work = ('--work-dir', tmp_path)
    done = call_tool('compare_training.py', config, '--iterations', 2, *work)
    assert_one_line(done, '--iterations', config, 'trains by epochs')
    done = call_tool('compare_training.py', config, '--crop', 64, 64, *work)
    assert_one_line(done, '--crop', config, 'no RandomCrop')
    done = call_tool('compare_training.py', CONFIGS[0], '--iterations', 50, *work)
    assert_one_line(done, '--iterations must be more than 50, the warm-up of')
    done = call_tool('compare_training.py', CONFIGS[0], CONFIGS[0], *work)
    assert_one_line(done, 'two configs are called', NAMES[0])
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('{"co', 'is not valid JSON'),
        ('[]', 'is damaged: text is missing'),
        ('{"config": "x.py", "text": ""}', 'is damaged: metrics is missing'),
        (
            '{"config": "", "text": "", "metrics": {"mIoU": "1"}, "minutes": 1}',
            'is damaged: metrics is missing or of another kind; remove the file',
        ),
        (
            '{"config": "", "text": "", "metrics": {}, "minutes": Infinity}',
            'is damaged: minutes is missing',
        ),
    ],
)
def test_a_damaged_record_is_named(seg_data, call_tool, tmp_path, text, words):
    record = tmp_path / NAMES[0] / 'comparison.json'
    record.parent.mkdir()
    record.write_text(text)
    done = call_tool('compare_training.py', CONFIGS[0], '--work-dir', tmp_path)
    assert_one_line(done, record, words)


def test_all_are_looked_at_before_the_first_is_trained(
    seg_data, call_tool, tmp_path, monkeypatch
):
    pose = 'configs/pose/synthetic/td-hm_litehrnet-18_1xb32-6e_synthetic-128x96.py'
    work = ('--work-dir', tmp_path)
    done = call_tool('compare_training.py', CONFIGS[0], pose, *work)
    assert_one_line(done, pose, 'is no segmentation config')
    small = ('--batch-size', 1, '--crop', 32, 32, *work)
    done = call_tool('compare_training.py', *CONFIGS, *small)
    assert_one_line(done, 'does not train on 1 crops of 32x32 pixels', 'more than 1')
    monkeypatch.setenv('CAMVID_ROOT', str(tmp_path / 'none'))
    done = call_tool('compare_training.py', *CONFIGS, *work)
    assert_one_line(done, 'not found', 'CAMVID_ROOT')
    assert not any(tmp_path.iterdir())
