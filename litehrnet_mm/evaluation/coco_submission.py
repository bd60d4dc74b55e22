"""The file that COCO's evaluation server takes for keypoints."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mmengine.logging import MMLogger
from mmpose.evaluation.metrics import CocoMetric

from litehrnet_mm.cli import UserError, make_folder
from litehrnet_mm.files import write_whole
from litehrnet_mm.registry import METRICS
from litehrnet_mm.values import are_numbers, shown

NUM_VALUES = 3 * 17


@METRICS.register_module()
class CocoSubmission(CocoMetric):
    """Write keypoints for COCO's evaluation server, as JSON and as the zip to upload.

    The files are called ``person_keypoints_<testset>_<method>_results.json`` and
    ``.zip``, as the server asks (https://cocodataset.org/#upload). Poses are scored
    and thinned out as MMPose's ``CocoMetric`` does before it evaluates; nothing is
    evaluated, since the annotations of the test set are not public.

    Args:
        ann_file: The test set's ``image_info`` file: its images, without annotations.
        method: What the file name calls the method; letters, digits, ``-``, ``.``.
        out_dir: Folder for the two files.
        testset: What the file name calls the test set.
        **kwargs: Those of ``CocoMetric``, such as ``nms_thr``.

    Raises:
        UserError: If ``method`` has other characters, ``out_dir`` cannot be made, or a
            result breaks the schema.
    """

    default_prefix = 'coco'

    def __init__(
        self,
        ann_file: str,
        method: str,
        out_dir: str,
        testset: str = 'test-dev2017',
        **kwargs: Any,
    ) -> None:
        if not re.fullmatch(r'[A-Za-z0-9.-]+', str(method)):
            raise UserError(
                'test_evaluator.method may have letters, digits, "-" and "." only, '
                f'got {method!r}'
            )
        make_folder(Path(out_dir))  # before the test, not after it
        self.path = Path(out_dir) / f'person_keypoints_{testset}_{method}_results.json'
        super().__init__(
            ann_file, format_only=True, outfile_prefix=str(self.path), **kwargs
        )

    def results2json(
        self, keypoints: dict[int, list[dict]], outfile_prefix: str
    ) -> None:
        """Write poses, grouped by image, to the file of the server's name.

        Args:
            keypoints: For each image id its persons: ``keypoints`` (17, 3) in x, y,
                score, and ``score``.
            outfile_prefix: The JSON file to write.
        """
        results = [
            dict(
                image_id=int(image_id),
                category_id=1,
                # COCO asks for a tenth of a pixel or so, to keep the file small.
                keypoints=[round(float(v), 2) for v in person['keypoints'].ravel()],
                score=float(person['score']),
            )
            for image_id, persons in keypoints.items()
            for person in persons
        ]
        check_results(results, self.coco.getImgIds())
        path = Path(outfile_prefix)
        write_whole(path, json.dumps(results).encode())
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, 'w', zipfile.ZIP_DEFLATED) as archive:
            archive.write(path, path.name)
        write_whole(path.with_suffix('.zip'), packed.getvalue())
        images = len({result['image_id'] for result in results})
        MMLogger.get_current_instance().info(
            f'{len(results)} persons in {images} of {len(self.coco.imgs)} images: '
            f'{path} and {path.with_suffix(".zip").name}, the file to upload'
        )


def check_results(results: Any, image_ids: Iterable[int]) -> None:
    """Check keypoint results against the format of COCO's server.

    Source: https://cocodataset.org/#format-results. A list of objects with exactly
    ``image_id``, ``category_id`` (1, person), ``keypoints`` (17 times x, y and a
    number that is not used) and ``score``.

    Args:
        results: What was read from, or is to be written to, the JSON file.
        image_ids: The images of the test set.

    Raises:
        UserError: For the first entry that the server would refuse, by its position.
    """
    if not isinstance(results, list) or not results:
        raise UserError('a submission must be a list of at least one person')
    known = set(image_ids)
    for position, result in enumerate(results):
        fault = _fault(result, known)
        if fault:
            raise UserError(f'submission, entry {position}: {fault}')


def _fault(result: Any, image_ids: set[int]) -> str | None:
    keys = {'image_id', 'category_id', 'keypoints', 'score'}
    if not isinstance(result, dict) or set(result) != keys:
        return f'expected an object with {sorted(keys)}'
    if type(result['image_id']) is not int or result['image_id'] not in image_ids:
        return f'image_id {shown(result["image_id"])} is no image of the test set'
    if type(result['category_id']) is not int or result['category_id'] != 1:
        return f'category_id must be 1 (person), got {shown(result["category_id"])}'
    values = result['keypoints']
    if not isinstance(values, list) or len(values) != NUM_VALUES:
        return f'keypoints must be a list of {NUM_VALUES} numbers'
    if not are_numbers([*values, result['score']]):
        return 'keypoints and score must be finite numbers'
    return None
