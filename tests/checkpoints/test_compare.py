import pytest
import torch
from torch import nn

from litehrnet_mm.checkpoints.compare import (
    check_fits,
    compare,
    fitting_entries,
    optional_keys,
)
from litehrnet_mm.cli import UserError
from litehrnet_mm.models import LiteHRNet


def layers(width: int = 4, count: int = 2) -> nn.Sequential:
    """Layers with BatchNorm, and so with counters of batches."""
    return nn.Sequential(
        *(
            nn.Sequential(nn.Conv2d(3, width, 1), nn.BatchNorm2d(width))
            for _ in range(count)
        )
    )


def test_equal_entries_do_not_differ():
    differences = compare(layers().state_dict(), layers().state_dict())
    assert not differences
    assert differences.fitting == differences.wanted == 12
    assert differences.listing() == ''


def test_every_kind_of_difference_is_found_once():
    wanted = layers().state_dict()
    found = layers().state_dict()
    found['0.0.weight'] = torch.zeros(5, 3, 1, 1)
    found['0.0.bias'] = torch.zeros(4, dtype=torch.int64)
    found['head.weight'] = found.pop('1.0.weight')
    del found['0.1.num_batches_tracked']
    found['other.num_batches_tracked'] = torch.tensor(1)

    differences = compare(found, wanted)

    assert differences.missing == ('1.0.weight',)
    assert differences.unexpected == ('head.weight',)
    assert differences.differing == {
        '0.0.weight': '(5, 3, 1, 1) instead of (4, 3, 1, 1)',
        '0.0.bias': '(4,) int64 instead of (4,)',
    }
    assert differences.fitting == 9
    assert differences.size == 4
    assert differences.summary() == (
        '1 of 12 entries are missing, 1 are unexpected, 2 have another shape, '
        'e.g. 0.0.weight (5, 3, 1, 1) instead of (4, 3, 1, 1)'
    )
    assert not compare(found, wanted, ('head.weight',)).unexpected


def test_the_listing_has_headings_and_an_end():
    differences = compare({'x': torch.zeros(1)}, layers(count=9).state_dict())
    lines = differences.listing().splitlines()
    assert lines[0] == 'missing from the checkpoint (54):'
    assert lines[1:21] == [f'  {key}' for key in differences.missing[:20]]
    assert lines[21:] == [
        '  and 34 more (--list-all)',
        'unexpected in the checkpoint (1):',
        '  x',
    ]
    assert len(differences.listing(list_all=True).splitlines()) == 57


def test_what_fits_is_taken_in_the_models_order_and_types():
    wanted = layers().state_dict()
    found = {
        key: value.double() for key, value in reversed(layers().state_dict().items())
    }
    found['1.0.weight'] = torch.zeros(5, 3, 1, 1)
    found['0.1.num_batches_tracked'] = torch.tensor(7)
    del found['1.1.num_batches_tracked'], found['1.0.bias']
    left_out = {'1.0.weight', '1.0.bias'}

    taken = fitting_entries(found, wanted, compare(found, wanted))

    assert list(taken) == [key for key in wanted if key not in left_out]
    assert {value.dtype for value in taken.values()} == {torch.float32, torch.int64}
    assert taken['0.1.num_batches_tracked'] == 7
    assert taken['1.1.num_batches_tracked'] == 0
    for key in set(taken) - {'0.1.num_batches_tracked', '1.1.num_batches_tracked'}:
        assert torch.equal(taken[key], found[key].float()), key


@pytest.mark.parametrize('arguments', [dict(with_head=False), dict(out_indices=(3,))])
def test_what_a_smaller_litehrnet_leaves_out_is_no_difference(arguments):
    full = LiteHRNet('naive-litehrnet-18', out_indices=(0, 1, 2, 3))
    model = nn.ModuleDict(dict(backbone=LiteHRNet('naive-litehrnet-18', **arguments)))
    entries = {f'backbone.{key}': value for key, value in full.state_dict().items()}
    assert len(entries) > len(model.state_dict())

    check_fits('x.pth', dict(state_dict=entries), model)

    assert set(entries) <= optional_keys(model)
    entries['backbone.stem.conv3.weight'] = torch.zeros(1)
    with pytest.raises(UserError, match='1 are unexpected'):
        check_fits('x.pth', dict(state_dict=entries), model)


def test_differences_are_listed_before_the_refusal(capsys):
    found = dict(layers().state_dict(), extra=torch.zeros(1))
    model = layers(count=3)
    with pytest.raises(UserError) as refused:
        check_fits(
            'x.pth', dict(state_dict=found), model, hint=lambda weights: 'the way out'
        )
    assert str(refused.value) == (
        'checkpoint x.pth does not fit the config: 6 of 18 entries are missing, 1 are '
        'unexpected, e.g. 2.0.weight; the way out'
    )
    listing = capsys.readouterr().err
    assert 'missing from the checkpoint (6):\n  2.0.weight' in listing
    assert 'unexpected in the checkpoint (1):\n  extra' in listing


def test_with_partly_anything_that_fits_will_do(capsys):
    found = layers().state_dict()
    check_fits('x.pth', dict(state_dict=found), layers(count=3), partly=True)
    said = capsys.readouterr().err
    assert 'missing from the checkpoint (6)' in said
    assert '12 of the 18 entries' in said
    with pytest.raises(UserError, match='are missing'):
        check_fits('x.pth', dict(state_dict={'a': found['0.0.bias']}), layers(), True)
