"""``tools/test.py`` and ``tools/train.py`` on checkpoints of other projects."""

import json
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from foreign import save, training_checkpoint
from running import CONFIG, LITE_CONFIG, assert_one_line, on

DATA = (
    'test_dataloader.num_workers=0',
    'test_dataloader.persistent_workers=False',
    'test_dataloader.batch_size=8',
)
LAYOUTS = {
    'official': lambda entries: training_checkpoint(old_keys(entries)),
    'official, bare, from several GPUs': lambda entries: old_keys(entries, 'module.'),
    'mmpose 1.x': lambda entries: training_checkpoint(entries),
    'old names with the version of new ones': lambda entries: with_new_version(
        old_keys(entries)
    ),
}


def old_keys(entries, prefix: str = '') -> OrderedDict[str, torch.Tensor]:
    return OrderedDict(
        (prefix + ('keypoint_' if key.startswith('head.') else '') + key, value)
        for key, value in entries.items()
    )


def with_new_version(entries: OrderedDict) -> OrderedDict:
    """By its version, MMPose would take this file for one that has the new names."""
    entries._metadata = OrderedDict({'': dict(version=2)})
    return entries


@pytest.fixture(scope='module')
def few(coco, tmp_path_factory) -> Path:
    """Three of the images with one person each."""
    folder = tmp_path_factory.mktemp('few')
    (folder / 'images').symlink_to(coco / 'images')
    content = json.loads((coco / 'person_keypoints_val.json').read_text())
    visible = sorted(content['annotations'], key=lambda x: x['num_keypoints'])
    persons = {x['image_id']: x for x in visible}  # the last of an image stays
    content['annotations'] = list(persons.values())[-3:]
    images = {x['image_id'] for x in content['annotations']}
    content['images'] = [x for x in content['images'] if x['id'] in images]
    (folder / 'person_keypoints_val.json').write_text(json.dumps(content))
    return folder


@pytest.fixture
def evaluate(call_tool, few, tmp_path):
    """Evaluate a checkpoint; what was said, and keypoints and scores of all persons."""

    def evaluate(checkpoint: Path, *options, config=CONFIG):
        dump = tmp_path / 'predictions.pkl'
        done = call_tool(
            'test.py', config, checkpoint, '--work-dir', tmp_path / 'work', *options,
            '--dump', dump, '--cfg-options', *on(few, 'test'), *DATA,
        )  # fmt: skip
        if done.returncode:
            return done, None
        samples = pickle.loads(dump.read_bytes())
        keys = ('keypoints', 'keypoint_scores')
        return done, [[x['pred_instances'][key] for key in keys] for x in samples]

    return evaluate


@pytest.fixture(scope='module')
def entries(tinypose) -> OrderedDict[str, torch.Tensor]:
    return OrderedDict(torch.load(tinypose, weights_only=True)['state_dict'])


@pytest.mark.parametrize('layout', LAYOUTS)
def test_predictions_are_those_of_the_converted_file(
    evaluate, tinypose, entries, tmp_path, layout
):
    _, expected = evaluate(tinypose)
    assert len(expected) == 3
    assert np.mean([scores for _, scores in expected]) > 0.3

    done, found = evaluate(save(LAYOUTS[layout](entries), tmp_path / 'x.pth'))

    assert done.returncode == 0, done.stderr
    assert 'do not match' not in done.stdout + done.stderr
    for pair, expected_pair in zip(found, expected):
        for value, expected_value in zip(pair, expected_pair):
            np.testing.assert_array_equal(value, expected_value)


def test_differences_are_listed_and_refused_unless_allowed(
    evaluate, tinypose, entries, tmp_path
):
    missing = 'backbone.head_layer.projects.0.depthwise_conv.conv.weight'
    entries = old_keys(entries)
    spare = entries.pop(missing)
    path = save(OrderedDict(entries, spare=spare), tmp_path / 'x.pth')

    refused, _ = evaluate(path)
    assert_one_line(refused, path, '1 of', '1 are unexpected', '--allow-partial')
    listing = f'missing from the checkpoint (1):\n  {missing}\nunexpected in the'
    assert listing in refused.stderr

    done, found = evaluate(path, '--allow-partial')
    assert done.returncode == 0, done.stderr
    assert listing in done.stderr
    _, expected = evaluate(tinypose)
    assert not np.array_equal(found[0][1], expected[0][1])


def test_another_arch_is_refused_with_a_list(evaluate, entries, tmp_path):
    path = save(old_keys(entries), tmp_path / 'x.pth')
    done, _ = evaluate(path, config=LITE_CONFIG)
    assert_one_line(done, path, 'does not fit the config', 'missing', 'unexpected')
    assert 'more (--list-all)' in done.stderr
    everything, _ = evaluate(path, '--list-all', config=LITE_CONFIG)
    assert 'more (--list-all)' not in everything.stderr
    assert len(everything.stderr.splitlines()) > len(done.stderr.splitlines()) + 1000


def test_what_a_net_without_head_has_no_use_for_is_no_difference(
    call_tool, few, tinypose, tmp_path
):
    done = call_tool(
        'test.py', CONFIG, tinypose, '--work-dir', tmp_path, '--cfg-options',
        *on(few, 'test'), *DATA, 'model.backbone.with_head=False',
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert 'left out' in done.stdout + done.stderr


def test_a_file_to_convert_first_is_named_with_the_command(
    evaluate, shared_data, tmp_path
):
    graph = shared_data / 'pp_tinypose/tinypose_256x192.param'
    paddle = tmp_path / 'x.pdparams'
    paddle.write_bytes(pickle.dumps({'final_conv.bias': np.zeros(17, 'f4')}, 4))
    for path, source in (
        (graph, 'pp-tinypose'),
        (graph.with_suffix('.bin'), 'pp-tinypose'),
        (paddle, 'paddle'),
    ):
        done, _ = evaluate(path)
        command = f'python tools/convert_checkpoint.py {source} {path} OUT.pth'
        assert_one_line(done, command)


@pytest.mark.parametrize('keypoints', [17, 5])
def test_fine_tuning_starts_from_official_weights(
    call_tool, few, entries, tmp_path, keypoints
):
    """Seen in the weights after a run that, with no learning rate, changes none."""
    path = save(LAYOUTS['official'](entries), tmp_path / 'official.pth')
    if keypoints != 17:  # a head for other keypoints starts anew
        entries = {k: v for k, v in entries.items() if k.startswith('backbone.')}
        old = training_checkpoint(old_keys(entries, 'module.'))
        old['state_dict']['module.keypoint_head.final_layer.bias'] = torch.zeros(5)
        path = save(old, path)
    done = call_tool(
        'train.py', CONFIG, '--work-dir', tmp_path / 'work', '--no-validate',
        '--cfg-options', *on(few, 'train'), f'load_from={path}',
        'model.backbone.norm_eval=True', 'optim_wrapper.optimizer.lr=0.',
        'train_dataloader.batch_size=2', 'train_dataloader.num_workers=0',
        'train_dataloader.persistent_workers=False', 'train_cfg.max_epochs=1',
        'default_hooks.checkpoint.interval=1',
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    written = tmp_path / 'work/epoch_1.pth'
    found = torch.load(written, weights_only=True)['state_dict']
    for key, value in entries.items():
        assert torch.equal(found[key], value), key
    assert ('of another shape (1)' in done.stderr) == (keypoints != 17)
