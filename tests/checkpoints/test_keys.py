import pytest
import torch
from foreign import mmpose_estimator, old_layout

from litehrnet_mm.checkpoints.keys import current_keys
from litehrnet_mm.cli import UserError

CONVOLUTIONS = dict(conv_out_channels=(32, 24), conv_kernel_sizes=(3, 1))


@pytest.mark.parametrize('prefix', ['', 'module.'])
@pytest.mark.parametrize(
    ('name', 'options'),
    [
        ('naive-litehrnet-18', {}),
        ('naive-litehrnet-18', CONVOLUTIONS),
        ('shufflenetv2', {}),
        ('shufflenetv2', CONVOLUTIONS),
    ],
)
def test_old_names_become_those_of_mmposes_own_model(prefix, name, options):
    model = mmpose_estimator(name, **options)
    expected = model.state_dict()
    old = old_layout(model, prefix)
    assert set(old) != set(expected)

    renamed = current_keys(old, 'x.pth')

    assert set(renamed) == set(expected)
    assert all(torch.equal(renamed[key], expected[key]) for key in expected)
    assert renamed == current_keys(renamed, 'x.pth')


def test_what_mmpose_takes_from_the_config_is_left_out():
    entries = {'data_preprocessor.mean': 1, 'data_preprocessor.std': 2, 'backbone.x': 3}
    assert current_keys(entries, 'x.pth') == {'backbone.x': 3}


@pytest.mark.parametrize(
    'twin', ['head.final_layer.bias', 'module.keypoint_head.final_layer.bias']
)
def test_two_entries_for_one_place_are_refused(twin):
    entries = {'keypoint_head.final_layer.bias': 1, twin: 2}
    with pytest.raises(UserError, match=r'x\.pth: holds two entries'):
        current_keys(entries, 'x.pth')
