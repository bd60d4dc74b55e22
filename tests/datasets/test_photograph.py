"""The camera of the synthetic data sets."""

import cv2
import numpy as np

from litehrnet_mm.datasets.photograph import _soften, photograph


def test_softening_is_opencvs_gaussian():
    image = np.random.default_rng(0).uniform(0, 255, (33, 50, 3)).astype(np.float32)
    for sigma in (0.4, 0.9):
        expected = cv2.GaussianBlur(image, (3, 3), sigma)
        np.testing.assert_allclose(_soften(image, sigma), expected, atol=1e-4)


def test_a_photograph_leaves_the_picture_alone_and_in_range():
    image = np.linspace(-40, 300, 20 * 30 * 3, dtype=np.float32).reshape(20, 30, 3)
    copy = image.copy()
    for seed in range(6):
        taken = photograph(np.random.default_rng(seed), image)
        assert taken.dtype == np.uint8
        assert taken.shape == image.shape
        assert taken[0].mean() < taken[-1].mean()
    assert np.array_equal(image, copy)
