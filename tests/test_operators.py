"""torchvision's operators in mmcv's place, against plain references."""

import itertools

import litehrnet_mm  # noqa: F401  before mmcv.ops

# isort: split
import numpy as np
import pytest
import torch
from mmcv.ops import RoIAlign, batched_nms, nms

from litehrnet_mm.compat import has_compiled_ops

pytestmark = pytest.mark.skipif(has_compiled_ops(), reason='full mmcv has its own')


def overlap(a, b, offset: int) -> float:
    """Intersection over union of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0]) + offset
    height = min(a[3], b[3]) - max(a[1], b[1]) + offset
    shared = max(width, 0) * max(height, 0)
    areas = [(x[2] - x[0] + offset) * (x[3] - x[1] + offset) for x in (a, b)]
    return shared / (sum(areas) - shared)


def plain_nms(boxes, scores, threshold: float, offset: int, classes=None) -> list[int]:
    """By the definition: the best stays, what overlaps it goes, and so on."""
    kept: list[int] = []
    for k in np.argsort(-scores, kind='stable'):
        rivals = [j for j in kept if classes is None or classes[j] == classes[k]]
        if all(overlap(boxes[k], boxes[j], offset) <= threshold for j in rivals):
            kept.append(int(k))
    return kept


def some_boxes(count: int = 60, seed: int = 0):
    """Boxes that overlap, with whole coordinates, and distinct scores."""
    random = np.random.default_rng(seed)
    corners = random.integers(0, 40, (count, 2))
    sizes = random.integers(1, 30, (count, 2))
    boxes = np.hstack([corners, corners + sizes]).astype(np.float32)
    return boxes, random.permutation(count).astype(np.float32) / count


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('threshold', [0.1, 0.3, 0.5, 0.7])
def test_suppression(threshold, offset):
    boxes, scores = some_boxes()
    dets, kept = nms(
        torch.from_numpy(boxes), torch.from_numpy(scores), threshold, offset=offset
    )
    expected = plain_nms(boxes, scores, threshold, offset)
    assert kept.tolist() == expected
    np.testing.assert_array_equal(dets[:, :4], boxes[expected])
    np.testing.assert_array_equal(dets[:, 4], scores[expected])
    assert 1 < len(expected) < len(boxes)


def test_the_offset_matters():
    boxes, scores = some_boxes()
    found = [plain_nms(boxes, scores, 0.3, offset) for offset in (0, 1)]
    assert found[0] != found[1]


@pytest.mark.parametrize('split', [10, 10000])
def test_suppression_within_classes(split):
    boxes, scores = some_boxes()
    classes = np.arange(len(boxes)) % 3
    cfg = dict(type='nms', iou_threshold=0.4, split_thr=split)
    tensors = map(torch.from_numpy, (boxes, scores, classes))
    _, kept = batched_nms(*tensors, cfg)
    assert kept.tolist() == plain_nms(boxes, scores, 0.4, 0, classes)
    assert kept.tolist() != plain_nms(boxes, scores, 0.4, 0)


def test_suppression_across_classes():
    boxes, scores = some_boxes()
    tensors = map(torch.from_numpy, (boxes, scores, np.arange(len(boxes)) % 3))
    cfg = dict(type='nms', iou_threshold=0.4)
    _, kept = batched_nms(*tensors, cfg, class_agnostic=True)
    assert kept.tolist() == plain_nms(boxes, scores, 0.4, 0)


def bilinear(image, y: float, x: float) -> float:
    """A value between pixels; 0 from one pixel outside."""
    height, width = image.shape
    if y < -1 or y > height or x < -1 or x > width:
        return 0.0
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    y0, x0 = int(y), int(x)
    y1, x1 = min(y0 + 1, height - 1), min(x0 + 1, width - 1)
    fy, fx = y - y0, x - x0
    top = image[y0, x0] * (1 - fx) + image[y0, x1] * fx
    bottom = image[y1, x0] * (1 - fx) + image[y1, x1] * fx
    return float(top * (1 - fy) + bottom * fy)


def plain_roi_align(image, box, bins: int, scale: float, samples: int, aligned: bool):
    """Means of sampled points, bin by bin."""
    shift = 0.5 if aligned else 0.0
    left, top, right, bottom = (value * scale - shift for value in box)
    width, height = right - left, bottom - top
    if not aligned:
        width, height = max(width, 1), max(height, 1)
    found = np.zeros((bins, bins))
    for i, j in itertools.product(range(bins), repeat=2):
        values = [
            bilinear(
                image,
                top + (i + (a + 0.5) / samples) * height / bins,
                left + (j + (b + 0.5) / samples) * width / bins,
            )
            for a, b in itertools.product(range(samples), repeat=2)
        ]
        found[i, j] = np.mean(values)
    return found


@pytest.mark.parametrize('aligned', [True, False])
def test_roi_align(aligned):
    images = torch.randn(2, 3, 12, 16, generator=torch.Generator().manual_seed(0))
    rois = torch.tensor([[0, 2, 2, 30, 20], [1, 5, 1, 9, 23], [1, -4, 0, 40, 12.0]])
    layer = RoIAlign(3, spatial_scale=0.5, sampling_ratio=2, aligned=aligned)
    found = layer(images, rois)
    for k, (n, *box) in enumerate(rois.tolist()):
        for c in range(3):
            image = images[int(n), c].numpy()
            expected = plain_roi_align(image, box, 3, 0.5, 2, aligned)
            np.testing.assert_allclose(found[k, c], expected, atol=1e-5)


def test_gradients_of_roi_align():
    images = torch.randn(1, 1, 6, 7, dtype=torch.double, requires_grad=True)
    rois = torch.tensor([[0, 0.7, 1.2, 5.1, 4.4]], dtype=torch.double)
    layer = RoIAlign(2, sampling_ratio=2)
    assert torch.autograd.gradcheck(lambda x: layer(x, rois), (images,))


def test_what_torchvision_does_not_have():
    layer = RoIAlign(2, pool_mode='max')
    with pytest.raises(NotImplementedError, match="pool_mode='max' needs full mmcv"):
        layer(torch.zeros(1, 1, 4, 4), torch.tensor([[0, 0, 0, 2, 2.0]]))
