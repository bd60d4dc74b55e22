"""Exported detectors: what they are fed with, and where their boxes are then."""

import json

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from litehrnet_mm.cli import UserError
from litehrnet_mm.prediction.detectors import open_detector

PIPELINE = [
    dict(type='Resize', keep_ratio=True, size=[64, 96]),
    dict(type='Normalize', mean=[10, 20, 30], std=[2, 4, 5], to_rgb=True),
    dict(type='Pad', pad_val=dict(img=[7, 7, 7])),
]


class Brightest(nn.Module):
    """A detector that finds what is bright in the first channel, thrice.

    As a person surely, as one unsurely, and as something else; a fourth box has no
    size.
    """

    def forward(self, images):
        """Boxes with scores, labels."""
        bright = images[0, 0] > 2
        rows, columns = bright.any(1).to(torch.int32), bright.any(0).to(torch.int32)
        top, left = rows.argmax(), columns.argmax()
        box = torch.stack((left, top, left + columns.sum(), top + rows.sum())).float()
        boxes = box * torch.tensor([[1], [1], [1], [0]])
        scores = torch.tensor([[0.9], [0.2], [0.8], [0.9]])
        return torch.cat((boxes, scores), 1)[None], torch.tensor([[0, 0, 5, 0]])


def write(path, net, size, names=('dets', 'labels')):
    torch.onnx.export(
        net, (torch.zeros(1, 3, *size),), str(path), dynamo=False, opset_version=17,
        input_names=['input'], output_names=list(names),
    )  # fmt: skip
    return path


@pytest.fixture
def detector(tmp_path):
    return write(tmp_path / 'detector.onnx', Brightest(), (64, 96))


def photo(height=240, width=200):
    image = np.zeros((height, width, 3), np.uint8)
    image[60:180, 40:100] = 255
    return image


def test_boxes_are_in_pixels_of_the_image(detector):
    boxes = open_detector([str(detector)], 0.3)('photo', photo())
    # A pixel of the network's input is 3.75 of the image.
    assert boxes.shape == (1, 5)
    np.testing.assert_allclose(boxes[0], [40, 60, 100, 180, 0.9], atol=4)


def test_unsure_boxes(detector):
    boxes = open_detector([str(detector)], 0.1)('photo', photo())
    np.testing.assert_allclose(boxes[:, 4], [0.9, 0.2])


def test_images_are_prepared_as_the_pipeline_says(detector):
    plain = open_detector([str(detector)], 0.3)._prepare(photo())[0]
    assert plain.shape == (1, 3, 64, 96)
    # RTMDet's numbers; on the right is what fills up.
    np.testing.assert_allclose(
        plain[0, :, 0, -1],
        (114 - np.array([103.53, 116.28, 123.675])) / [57.375, 57.12, 58.395],
        rtol=1e-5,
    )
    content = dict(pipeline=dict(tasks=[dict(transforms=PIPELINE)]))
    detector.with_name('pipeline.json').write_text(json.dumps(content))
    image = photo()
    image[0, 0] = (1, 2, 3)
    x, scale = open_detector([str(detector)], 0.3)._prepare(image)
    assert scale == pytest.approx(64 / 240)
    np.testing.assert_allclose(x[0, :, 0, -1], [-1.5, -3.25, -4.6])
    blue, green, red = cv2.resize(image, (53, 64))[20, 12].astype(float)
    expected = [(red - 10) / 2, (green - 20) / 4, (blue - 30) / 5]
    np.testing.assert_allclose(x[0, :, 20, 12], expected)


def test_mistakes(detector, tmp_path):
    other = write(tmp_path / 'other.onnx', Brightest(), (64, 96), ('boxes', 'scores'))
    text = tmp_path / 'text.onnx'
    text.write_text('no graph')
    cases = [
        ([tmp_path / 'no.onnx'], 'no such detector'),
        ([text], 'text.onnx cannot be opened'),
        ([other], 'it gives boxes, scores'),
        ([detector, 'weights.pth'], 'takes an .onnx file, or'),
        (['config.py'], 'takes an .onnx file, or'),
    ]
    for words, message in cases:
        with pytest.raises(UserError, match=message):
            open_detector([str(word) for word in words], 0.3)
    for content in ('[]', '{"pipeline": 3}', 'text'):
        detector.with_name('pipeline.json').write_text(content)
        words = r'pipeline\.json (cannot be read|is not valid JSON)'
        with pytest.raises(UserError, match=words):
            open_detector([str(detector)], 0.3)
