"""An exported file, opened."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Callable

import numpy as np
import onnxruntime

from litehrnet_mm.runtime.facts import read_facts

BACKENDS = ('onnxruntime', 'openvino')
FOLDED = 'optimization.constant_folding_max_output_size_in_bytes'
MOST_FOLDED = 2**24
"""Bytes of a value that ONNX Runtime computes when it opens a file, and keeps: more
than any layer's weights."""
Run = Callable[[np.ndarray], list[np.ndarray]]


class ImageError(ValueError):
    """An image from which nothing can be found, whatever others are."""


class RuntimeModel:
    """A file that ``tools/export_onnx.py`` wrote.

    Args:
        path: The file.
        task: What it should be for, ``'pose'`` or ``'segmentation'``; either if not
            given.
        backend: ``'onnxruntime'``, or ``'openvino'`` if that is installed.
        threads: Threads to compute with; 0 leaves it to the backend.
        providers: ONNX Runtime's, e.g. ``['CUDAExecutionProvider']``; its CPU if not
            given.

    Attributes:
        facts: What the file tells of itself, see
            :func:`litehrnet_mm.deploy.metadata.describe`.
        outputs: Names of the outputs.

    Raises:
        ValueError: If there is no such file, it is none that ``tools/export_onnx.py``
            wrote, or is for another task; or the backend is not known or not there.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        task: str | None = None,
        backend: str = 'onnxruntime',
        threads: int = 0,
        providers: list[str] | None = None,
    ) -> None:
        if backend not in BACKENDS:
            raise ValueError(f'backend must be one of {BACKENDS}, got {backend!r}')
        if not os.path.isfile(path):
            raise ValueError(f'no such file: {path}')
        session = open_session(path, threads, providers)
        self.facts = read_facts(_properties(session, path), path)
        if task not in (self.facts['task'], None):
            raise ValueError(f'{path} is for {self.facts["task"]}, not for {task}')
        image = _only_input(session, path)
        self.outputs = [output.name for output in session.get_outputs()]
        self.takes_uint8 = image.type == 'tensor(uint8)'
        self.batch = image.shape[0] if isinstance(image.shape[0], int) else None
        sides = image.shape[1:3] if self.takes_uint8 else image.shape[2:4]
        self.any_size = not all(isinstance(side, int) for side in sides)
        if not self.any_size and sides != self.facts['input_size']:
            raise ValueError(
                f'{path} takes images of {sides[0]} rows and {sides[1]} columns, and '
                f'tells of {self.facts["input_size"]}: it is damaged'
            )
        if backend == 'onnxruntime':
            self._run = _with_session(session, path)
        else:
            self._run = open_backend(path, backend, threads)

    def run(self, images: np.ndarray) -> list[np.ndarray]:
        """Compute the outputs of a batch.

        Args:
            images: ``(N, H, W, 3)``, BGR, uint8.

        Returns:
            For each output an array, its first dimension N.
        """
        x = self.prepare(images)
        if self.batch is None:
            return self._run(x)
        parts = [self._run(part) for part in self._batches(x)]
        return [np.concatenate(found)[: len(x)] for found in zip(*parts)]

    def _batches(self, x: np.ndarray) -> list[np.ndarray]:
        """Batches of the size that the file was written for; the last filled up."""
        lacking = -len(x) % self.batch
        filled = np.concatenate([x, np.repeat(x[-1:], lacking, axis=0)])
        return np.split(filled, len(filled) // self.batch)

    def prepare(self, images: np.ndarray) -> np.ndarray:
        """Make images ``(N, H, W, 3)``, BGR, uint8, what the file takes."""
        if self.takes_uint8:
            return images
        if self.facts['rgb']:
            images = images[..., ::-1]
        mean = np.array(self.facts['mean'] or [0], np.float32)
        std = np.array(self.facts['std'] or [1], np.float32)
        x = (images.astype(np.float32) - mean) / std
        return np.ascontiguousarray(x.transpose(0, 3, 1, 2))


def open_session(
    model: str | os.PathLike | bytes,
    threads: int = 0,
    providers: list[str] | None = None,
) -> onnxruntime.InferenceSession:
    """Open a model in ONNX Runtime.

    Args:
        model: A file, or its content.
        threads: Threads of the CPU; 0 leaves it to ONNX Runtime.
        providers: Its CPU if not given.

    Raises:
        ValueError: If it cannot be opened.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # what matters is in the error
    options.add_session_config_entry(FOLDED, str(MOST_FOLDED))
    try:
        return onnxruntime.InferenceSession(
            model if isinstance(model, bytes) else os.fspath(model),
            options,
            providers=providers or ['CPUExecutionProvider'],
        )
    except Exception as error:  # of many kinds, all the runtime's
        name = 'the model' if isinstance(model, bytes) else model
        raise ValueError(
            f'{name} cannot be opened: {said_by_runtime(error)}'
        ) from error


def said_by_runtime(error: Exception) -> str:
    """The first line of an error, in which a damaged file's names may be anything."""
    first = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    return first if first.isprintable() else ascii(first)


def open_backend(path: str | os.PathLike, backend: str, threads: int = 0) -> Run:
    """Open any ONNX file of one input, from wherever it is from.

    Args:
        path: The file, which is not needed any more afterwards.
        backend: ``'onnxruntime'`` or ``'openvino'``.
        threads: Threads of the CPU; 0 leaves it to the backend.

    Returns:
        What maps an input to the list of outputs.

    Raises:
        ValueError: If it cannot be opened, or OpenVINO is not installed.
    """
    if backend == 'onnxruntime':
        return _with_session(open_session(path, threads), path)
    try:
        import openvino
    except ImportError as error:
        raise ValueError('backend openvino: pip install openvino') from error
    # Left to itself, it computes in bfloat16 where the CPU can.
    settings = {'PERFORMANCE_HINT': 'LATENCY', 'INFERENCE_PRECISION_HINT': 'f32'}
    if threads:
        settings['INFERENCE_NUM_THREADS'] = threads
    compiled = openvino.Core().compile_model(os.fspath(path), 'CPU', settings)
    return _of_image(lambda x: [np.array(y) for y in compiled(x).values()])


def _with_session(
    session: onnxruntime.InferenceSession, path: str | os.PathLike
) -> Run:
    name = _only_input(session, path).name
    return _of_image(lambda x: session.run(None, {name: x}))


def _of_image(run: Run) -> Run:
    """Say it as an image's fault if a backend cannot compute: it can with others."""

    def compute(x: np.ndarray) -> list[np.ndarray]:
        try:
            return run(x)
        except Exception as error:  # of many kinds, all the backend's
            raise ImageError(
                f'the network computes nothing: {said_by_runtime(error)}'
            ) from error

    return compute


def _only_input(
    session: onnxruntime.InferenceSession, path: str | os.PathLike
) -> onnxruntime.NodeArg:
    inputs = session.get_inputs()
    if not is_one_image(inputs):
        raise ValueError(f'{path} does not take one batch of images, and nothing else')
    return inputs[0]


def is_one_image(inputs: Sequence[onnxruntime.NodeArg]) -> bool:
    """Whether a session takes one array of four dimensions."""
    arrays = [x for x in inputs if x.type.startswith('tensor')]
    return len(inputs) == len(arrays) == 1 and len(arrays[0].shape) == 4


def _properties(
    session: onnxruntime.InferenceSession, path: str | os.PathLike
) -> dict[str, str]:
    try:
        return session.get_modelmeta().custom_metadata_map
    except ValueError as error:
        raise ValueError(f'{path}: its metadata is no text: {error}') from error


def check_image(image: np.ndarray) -> None:
    """Refuse what is no image.

    Raises:
        ImageError: If it is not ``(H, W, 3)``, uint8.
    """
    shape = getattr(image, 'shape', None)
    kind = getattr(image, 'dtype', type(image).__name__)
    if (
        shape is None
        or len(shape) != 3
        or shape[2] != 3
        or kind != np.uint8
        or 0 in shape
    ):
        raise ImageError(
            f'an image is an array (H, W, 3) of uint8, BGR, got {shape} of {kind}'
        )
