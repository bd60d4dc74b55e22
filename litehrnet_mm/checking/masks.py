"""Sets of images and masks, as MMSegmentation lists them: looked through."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.registry import TRANSFORMS, DefaultScope

from litehrnet_mm.analysis.tables import text_table
from litehrnet_mm.checking.findings import Findings
from litehrnet_mm.checking.images import ImageFacts, look_at_image
from litehrnet_mm.checking.inspection import Inspection
from litehrnet_mm.checking.mask_mending import mend_masks
from litehrnet_mm.cli import UserError
from litehrnet_mm.datasets.preparation.files import in_processes
from litehrnet_mm.engine.mask_check import build_dataset, frames_of, lone_masks
from litehrnet_mm.engine.mask_files import check_headers, not_found_fault
from litehrnet_mm.engine.mask_loading import CheckedLoading, Labels, find_loading
from litehrnet_mm.engine.preflight import named_paths


@dataclass(frozen=True)
class Pair:
    """What is known of an image and its mask.

    Attributes:
        image: Of the image.
        fault: A kind of finding about the mask, if there is one.
        reason: What it is.
        counts: Pixels of each of the 256 values, if the mask could be loaded.
    """

    image: ImageFacts
    fault: str = ''
    reason: str = ''
    counts: np.ndarray | None = None


def look_at_pair(frame: Mapping[str, Any], checked: CheckedLoading | None) -> Pair:
    """Decode an image and its mask.

    Args:
        frame: MMSegmentation's facts of the image.
        checked: Loads masks; ``None`` where there are none.
    """
    pair = Pair(look_at_image(frame['img_path']))
    if checked is None:
        return pair
    path, frame = frame['seg_map_path'], dict(frame, seg_fields=[])
    try:
        if not os.path.isfile(path):
            raise not_found_fault(path, frame['img_path'])
        if pair.image.fault:  # there is nothing to compare the mask with
            return pair
        frame['ori_shape'] = check_headers(frame)
        mask = checked.read(frame)['gt_seg_map']
    except UserError as error:
        return replace(pair, fault=error.kind, reason=str(error))
    values, counts = np.unique(mask[checked.labels.wrong(mask)], return_counts=True)
    wrong = [f'{v} in {n} pixels' for v, n in zip(values[:5], counts)]
    wrong += [f'{len(values) - 5} more values'] if len(values) > 5 else []
    return replace(
        pair,
        fault='mask-values' if wrong else '',
        reason=', '.join(wrong),
        counts=np.bincount(mask.ravel(), minlength=256),
    )


@dataclass(frozen=True)
class MaskSet:
    """Images and masks.

    Attributes:
        splits: What uses them.
        dataset: The part of a config that names them.
        labels: Values that masks may have.
    """

    splits: tuple[str, ...]
    dataset: Mapping[str, Any]
    labels: Labels

    def key(self) -> Any:
        """The folders and names that it consists of."""
        keys = ('data_root', 'ann_file', 'data_prefix', 'img_suffix', 'seg_map_suffix')
        return str([self.dataset.get(key) for key in keys]), self.labels

    def folders(self) -> list[Path]:
        """The folders of its images and masks."""
        return [path for _, kind, path in named_paths(self.dataset, '')]

    def inspect(self, jobs: int) -> Inspection:
        """Decode all images and masks.

        Raises:
            UserError: If MMSegmentation cannot build the data set.
        """
        findings = Findings()
        with DefaultScope.overwrite_default_scope('mmseg'):
            built = build_dataset(self.dataset)
            load = find_loading(self.dataset.get('pipeline'))
            tested = self.dataset.get('test_mode') or load is None
            checked = (
                None if tested else CheckedLoading(TRANSFORMS.build(load), self.labels)
            )
        folder = built.data_prefix.get('img_path')
        try:
            frames = frames_of(built)
        except UserError as error:
            findings.add('empty', str(folder), str(error))
            frames = []
        title = f'Decoding images and masks ({self.splits[0]})'
        work = partial(look_at_pair, checked=checked)
        pairs = list(in_processes(work, frames, jobs, progress=True, title=title))
        _report(frames, pairs, findings)
        table = ''
        if checked is not None:
            for path in lone_masks(built, frames):
                findings.add('mask-alone', str(path))
            names = _class_names(built.metainfo, self.labels.classes)
            table = _check_classes(frames, pairs, names, self.labels, findings)
        digests = {Path(f['img_path']): p.image.digest for f, p in zip(frames, pairs)}
        return Inspection(
            self.splits,
            f'{folder}: {len(frames)} images{"" if checked else ", without masks"}',
            findings,
            {path: digest for path, digest in digests.items() if digest},
            table,
            state=(built, frames, pairs, checked),
        )

    def mend(self, inspection: Inspection, out: Path) -> list[str]:
        """Write mended masks into a folder, and beside it a list of usable pairs.

        Raises:
            UserError: If nothing usable is left, or it cannot be written.
        """
        built, frames, pairs, checked = inspection.state
        if checked is None:
            return [f'{inspection.name}: there are no masks to mend']
        usable = [
            (frame, pair.fault)
            for frame, pair in zip(frames, pairs)
            if not pair.image.fault
            and pair.fault in ('', 'mask-values', 'mask-depth')
            and Path(frame['img_path']) not in inspection.leaked
        ]
        lines = mend_masks(built, usable, checked, out)
        return [*lines, f'    {len(frames) - len(usable)} images left out']


def _report(frames: Sequence[dict], pairs: Sequence[Pair], findings: Findings) -> None:
    for frame, pair in zip(frames, pairs):
        pair.image.report(findings, frame['img_path'])
        if pair.fault:
            findings.add(pair.fault, frame['seg_map_path'], pair.reason)


def _class_names(meta: Mapping[str, Any], count: int) -> list[str]:
    names = list(meta.get('classes') or ())
    return names if len(names) == count else [''] * count


def _check_classes(
    frames: Sequence[dict],
    pairs: Sequence[Pair],
    names: Sequence[str],
    labels: Labels,
    findings: Findings,
) -> str:
    """Find classes that no mask has, and masks that have no class; all as a table."""
    all_counts = [x.counts for x in pairs if x.counts is not None]
    if not all_counts:
        return ''
    for frame, pair in zip(frames, pairs):
        # Of values that are no class something else is said.
        loaded = pair.counts is not None and not pair.fault
        if loaded and not pair.counts[: labels.classes].any():
            findings.add('mask-ignored', frame['seg_map_path'])
    counts = np.stack(all_counts)
    for number, name in enumerate(names):
        if not counts[:, number].any():
            findings.add('class-unseen', f'class {number} {name}'.rstrip())
    rows = _class_rows(counts, names, labels)
    return text_table([('class', 'name', 'masks', 'pixels', 'share'), *rows], '><>>>')


def _class_rows(
    counts: np.ndarray, names: Sequence[str], labels: Labels
) -> Iterator[tuple[str, ...]]:
    shown = [*enumerate(names)]
    if labels.ignored >= labels.classes:
        shown.append((labels.ignored, 'ignored'))
    pixels, masks, total = counts.sum(0), (counts > 0).sum(0), counts.sum()
    for number, name in shown:
        share = f'{100 * pixels[number] / total:.2f} %'
        yield str(number), name, str(masks[number]), str(pixels[number]), share
    others = np.delete(counts, [number for number, _ in shown], axis=1)
    if others.any():
        share = f'{100 * others.sum() / total:.2f} %'
        masks_with = str(others.any(1).sum())
        yield 'other', 'no class', masks_with, str(others.sum()), share
