"""What MMSegmentation's CityscapesMetric writes is what the test server takes."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from seg_data import LABEL_IDS


def test_label_ids_under_the_name_and_in_the_size_of_the_image(shared_data, tmp_path):
    import litehrnet_mm  # noqa: F401, I001  (before mmseg)
    from mmseg.evaluation import CityscapesMetric

    (tmp_path / 'notes.txt').write_text('mine')
    sample = shared_data / 'cityscapes_sample/leftImg8bit/val/frankfurt'
    (image,) = sample.iterdir()
    width, height = Image.open(image).size
    metric = CityscapesMetric(str(tmp_path), format_only=True, keep_results=True)
    classes = torch.arange(height * width).reshape(1, height, width) % 19
    metric.process({}, [dict(pred_sem_seg=dict(data=classes), img_path=str(image))])
    assert metric.evaluate(1) == {}
    del metric  # without keep_results it would remove the folder and all that is in it
    assert {x.name for x in tmp_path.iterdir()} == {'notes.txt', image.name}
    written = Image.open(tmp_path / image.name)
    assert written.size == (width, height)
    pixels = np.array(written)
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, np.array(LABEL_IDS)[classes[0].numpy()])
