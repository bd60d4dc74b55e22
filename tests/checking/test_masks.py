"""Faults of masks and images: each is found, mended, and nothing else is."""

import cv2
import numpy as np
import pytest
from PIL import Image

from litehrnet_mm.checking.findings import ERROR
from litehrnet_mm.checking.report import as_text
from litehrnet_mm.checking.sets import folder_set
from litehrnet_mm.cli import UserError
from litehrnet_mm.engine.mask_loading import Labels

HEIGHT, WIDTH = 24, 32


@pytest.fixture
def root(tmp_path):
    """Three images, one of them in a folder, with masks of three classes."""
    random = np.random.default_rng(0)
    for name in ('a', 'b', 'city/c'):
        image = random.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        write(tmp_path / f'images/{name}.jpg', image)
        write(tmp_path / f'masks/{name}.png', mask_of(2))
    return tmp_path


def write(path, image) -> None:
    """Write a picture, and the folder it is in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


def mask_of(value: int, dtype=np.uint8, size=(HEIGHT, WIDTH)) -> np.ndarray:
    """A mask of classes 0 and 1 with one pixel of another value."""
    mask = np.zeros(size, dtype)
    mask[:5], mask[5, 7] = 1, value
    return mask


def look(root, masks='masks', ann_file='', ignored=255, reduce_zero_label=False):
    """Look through the folders; the set, and what came of it."""
    folders = root / 'images', root / masks
    suffixes = '.jpg', '.png'
    labels = Labels(3, ignored)
    one = folder_set(*folders, labels, suffixes, str(ann_file), reduce_zero_label)
    return one, one.inspect(jobs=1)


def kinds(inspection, *levels: str) -> dict[str, str]:
    """Kinds of what was found, with the last value of each."""
    found = inspection.findings.items
    return {x.kind: str(x) for x in found if not levels or x.level in levels}


def test_good_masks_have_no_fault(root):
    _, found = look(root)
    assert kinds(found) == {}
    rows = [line.split() for line in found.table.splitlines()]
    pixels = HEIGHT * WIDTH
    assert rows[2] == ['0', '3', str(3 * (pixels - 161)), '79.04', '%']
    assert rows[4] == ['2', '3', '3', '0.13', '%']


ERRORS = {
    'image-unreadable': (
        lambda root: (root / 'images/b.jpg').write_bytes(
            (root / 'images/b.jpg').read_bytes()[:500]
        ),
        'images/b.jpg: ',
    ),
    'mask-missing': (
        lambda root: (root / 'masks/b.png').unlink(),
        'mask not found: ',
    ),
    'mask-unreadable': (
        lambda root: (root / 'masks/b.png').write_bytes(
            (root / 'masks/b.png').read_bytes()[:60]
        ),
        'masks/b.png (',
    ),
    'mask-size': (
        lambda root: write(root / 'masks/b.png', mask_of(2, size=(HEIGHT, 9))),
        'masks/b.png is 9x24 pixels',
    ),
    'mask-colour': (
        lambda root: write(root / 'masks/b.png', np.ones((HEIGHT, WIDTH, 3))),
        'masks/b.png is a colour picture',
    ),
    'mask-depth': (
        lambda root: write(root / 'masks/b.png', mask_of(300, np.uint16)),
        'masks/b.png has the value 300',
    ),
    'mask-values': (
        lambda root: write(root / 'masks/b.png', mask_of(37)),
        'masks/b.png: 37 in 1 pixels',
    ),
}


@pytest.mark.parametrize('kind', ERRORS)
def test_errors_are_found_and_mended(root, kind):
    spoil, words = ERRORS[kind]
    spoil(root)
    one, found = look(root)
    assert words in kinds(found)[kind]
    assert len(found.findings.items) == 1
    one.mend(found, root / 'out/masks')
    kept = kind in ('mask-depth', 'mask-values')
    names = (root / 'out/masks.txt').read_text().split()
    assert names == ['a', *['b'] * kept, 'city/c']
    _, again = look(root, 'out/masks', root / 'out/masks.txt')
    assert kinds(again, ERROR) == {}
    copied = (root / 'out/masks/city/c.png').read_bytes()
    assert copied == (root / 'masks/city/c.png').read_bytes()
    if kept:
        mended = np.array(Image.open(root / 'out/masks/b.png'))
        assert (mended == mask_of(255)).all()


def test_the_value_that_is_ignored(root):
    for path in (root / 'masks').rglob('*.png'):
        write(path, mask_of(11))
    _, found = look(root, ignored=11)
    assert kinds(found, ERROR) == {}
    _, found = look(root)
    assert '11 in 1 pixels' in kinds(found)['mask-values']


def test_zero_may_be_what_is_ignored(root):
    """As in ADE20K: 1 is the first class, and what is mended becomes 0."""
    for path in (root / 'masks').rglob('*.png'):
        write(path, mask_of(3))
    write(root / 'masks/b.png', mask_of(9))
    one, found = look(root, reduce_zero_label=True)
    assert kinds(found, ERROR) == {'mask-values': f'{root}/masks/b.png: 8 in 1 pixels'}
    one.mend(found, root / 'out/masks')
    assert (np.array(Image.open(root / 'out/masks/b.png')) == mask_of(0)).all()
    listed = root / 'out/masks.txt'
    _, again = look(root, 'out/masks', listed, reduce_zero_label=True)
    assert kinds(again, ERROR) == {}


def test_many_values_are_cut(root):
    values = np.arange(HEIGHT * WIDTH, dtype=np.uint8).reshape(HEIGHT, WIDTH) % 10
    write(root / 'masks/b.png', values)
    _, found = look(root)
    assert '3 in 78 pixels' in kinds(found)['mask-values']
    assert kinds(found)['mask-values'].endswith(', 2 more values')
    assert found.table.splitlines()[-1].split()[:4] == ['other', 'no', 'class', '1']


def test_masks_alone_or_of_nothing(root):
    (root / 'images/b.jpg').unlink()
    write(root / 'masks/a.png', np.full((HEIGHT, WIDTH), 255, np.uint8))
    write(root / 'masks/city/c.png', mask_of(1))
    _, found = look(root)
    assert kinds(found) == {
        'mask-alone': f'{root}/masks/b.png',
        'mask-ignored': f'{root}/masks/a.png',
        'class-unseen': 'class 2',
    }


def test_no_images(root):
    for path in (root / 'images').rglob('*.jpg'):
        path.unlink()
    one, found = look(root)
    assert 'no images *.jpg' in kinds(found)['empty']
    with pytest.raises(UserError, match='nothing usable is left'):
        one.mend(found, root / 'out/masks')


def test_folders_and_lists_that_do_not_exist(root):
    with pytest.raises(UserError, match=r'folder of masks not found: .*labels'):
        look(root, 'labels')
    with pytest.raises(UserError, match=r'list of names not found: .*no\.txt'):
        look(root, ann_file=root / 'no.txt')


OUTSIDE = {
    'leads out': '../../a',
    'leads out and back': 'city/../../masks/a',
    'elsewhere': '{root}/else/a',
    'a mask, but no image': '{root}/masks/b',
}


@pytest.mark.parametrize('case', OUTSIDE)
def test_a_copy_is_written_into_its_folder_alone(root, case):
    """Of each name MMSegmentation finds an image and a mask, wherever they are."""
    line = OUTSIDE[case].format(root=root)
    listed = root / 'list.txt'
    listed.write_text(f'a\n{line}\n')
    for folder, suffix in (('images', '.jpg'), ('masks', '.png')):
        (root / folder / 'city').mkdir(exist_ok=True)
        path = root / folder / f'{line}{suffix}'
        write(path.parent.resolve() / path.name, np.ones((HEIGHT, WIDTH), np.uint8))
    before = contents(root)
    one, found = look(root, ann_file=listed)
    assert kinds(found, ERROR) == {}
    with pytest.raises(UserError) as refused:
        one.mend(found, root / 'out/masks')
    assert line in str(refused.value)
    assert str(refused.value).isprintable()
    assert contents(root) == before


@pytest.mark.parametrize('name', ['x\nb', ' x', 'x\udcff', 'x\x85'])
def test_a_list_has_no_names_of_two_lines(root, name):
    write(root / 'x.png', mask_of(9))
    write(root / 'x.jpg', np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    (root / 'x.png').rename(root / f'masks/{name}.png')
    (root / 'x.jpg').rename(root / f'images/{name}.jpg')
    one, found = look(root)
    with pytest.raises(UserError, match='rename it'):
        one.mend(found, root / 'out/masks')
    assert not (root / 'out').exists()


def contents(folder) -> dict:
    """All files, by path."""
    return {x: x.read_bytes() for x in folder.rglob('*') if x.is_file()}


@pytest.mark.parametrize('content', ['Gänge'.encode('latin-1'), 'a'.encode('utf-16')])
def test_a_list_is_plain_text(root, content):
    path = root / 'list.txt'
    path.write_bytes(content)
    with pytest.raises(UserError, match=r'list of names .*list\.txt .*UTF-8'):
        look(root, ann_file=path)


def test_a_name_that_no_file_can_have(root):
    (root / 'list.txt').write_text(f'a\n{"x" * 300}\n')
    _, found = look(root, ann_file=root / 'list.txt')
    assert kinds(found, ERROR).keys() == {'image-unreadable', 'mask-missing'}


FORGED = 'x\x1b[31m\nerror: boo'


@pytest.mark.parametrize(
    ('masks', 'images', 'kind'),
    [((), ('.jpg',), 'mask-missing'), (('.png',), (), 'mask-alone')],
)
def test_names_of_files_make_no_lines(root, masks, images, kind):
    for suffix in (*masks, *images):
        write(root / f'x{suffix}', np.full((HEIGHT, WIDTH), 255, np.uint8))
        folder = 'masks' if suffix == '.png' else 'images'
        (root / f'x{suffix}').rename(root / folder / f'{FORGED}{suffix}')
    _, found = look(root)
    assert found.findings.counts == {kind: 1}
    lines = as_text([found], 5).split('\n')
    assert all(map(str.isprintable, lines))
    assert not [line for line in lines if line.startswith('error: boo')]
    found.title = f'{FORGED}: 3 images'
    assert as_text([found], 5).count('\n') == len(lines) - 1
