"""An analysis of predictions as text, as JSON and as pictures."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from litehrnet_mm.analysis.keypoints import Analysis
from litehrnet_mm.analysis.matching import MATCH_OKS, MIN_OKS, Person
from litehrnet_mm.analysis.tables import text_table
from litehrnet_mm.cli import UserError, make_folder, progress_bar
from litehrnet_mm.visualization import (
    MIN_SCORE,
    PAPER,
    PoseStyle,
    as_annotation,
    compare_person,
    make_grid,
    read_image,
    write_image,
)
from litehrnet_mm.visualization.charts import open_sides

COLUMNS = 3
"""Persons side by side on the sheet of the worst."""

MARGIN = 5
"""White pixels around each of them."""


def write_report(analysis: Analysis, folder: Path, worst: int) -> None:
    """Write ``analysis.json``, ``keypoints.png`` and ``worst.png``.

    Args:
        analysis: What to write.
        folder: Made if need be.
        worst: Number of persons on the sheet.

    Raises:
        UserError: If an image is missing or a file cannot be written.
    """
    make_folder(folder)
    text = json.dumps(as_json(analysis, worst), indent=2)
    path = folder / 'analysis.json'
    try:
        path.write_text(text + '\n', encoding='utf-8')
    except OSError as error:
        raise UserError(f'cannot write {path}: {error.strerror}') from error
    write_image(folder / 'keypoints.png', draw_keypoint_chart(analysis))
    write_image(folder / 'worst.png', draw_worst(analysis, worst))


def as_json(analysis: Analysis, worst: int) -> dict[str, Any]:
    """The analysis as plain values, with that many of the worst persons."""
    return dict(
        metrics=analysis.metrics,
        counts=counts(analysis),
        keypoints=[asdict(stats) for stats in analysis.keypoints],
        sizes=[asdict(stats) for stats in analysis.sizes],
        worst=[
            dict(
                annotation_id=person.annotation['id'],
                image_id=person.annotation['image_id'],
                file_name=person.file_name,
                oks=person.oks,
                state=person.state,
            )
            for person in analysis.worst(worst)
        ],
    )


def counts(analysis: Analysis) -> dict[str, int]:
    """How many persons there are, how many were found, and what was found besides."""
    return dict(
        images=analysis.images,
        images_without_prediction=analysis.unpredicted_images,
        persons=len(analysis.persons),
        **{s: analysis.count(s) for s in ('matched', 'inaccurate', 'missed')},
        false=len(analysis.false),
    )


def as_text(analysis: Analysis) -> str:
    """The analysis as tables to print."""
    number = counts(analysis)
    summary = (
        f'{number["persons"]} persons with labelled keypoints on {number["images"]} '
        f'images: {number["matched"]} matched (OKS of {MATCH_OKS} or more), '
        f'{number["inaccurate"]} inaccurate (less), {number["missed"]} missed '
        f'(less than {MIN_OKS}); {number["false"]} predictions of nobody'
    )
    if number['images_without_prediction']:
        summary += (
            f'\nimages without any prediction: {number["images_without_prediction"]}; '
            'who is on them counts as missed'
        )
    return '\n\n'.join([summary, _size_table(analysis), _keypoint_table(analysis)])


def _size_table(analysis: Analysis) -> str:
    rows = []
    for size in analysis.sizes:
        most = '' if size.most is None else f'{size.most:g}'
        bounds = (f'{size.least:g}', most)
        means = (_show(size.ap), _show(size.ar))
        rows.append((size.name, *bounds, str(size.persons), *means))
    title = ('persons', 'from [px]', 'to [px]', 'number', 'AP', 'AR')
    return text_table([title, *rows], '<>>>>>')


def _keypoint_table(analysis: Analysis) -> str:
    rows = [
        (
            stats.name,
            str(stats.labelled),
            str(stats.predicted),
            _show(stats.mean_similarity),
            _show(stats.below_half, '.1%'),
            _show(stats.median_error, '.1f'),
            _show(stats.median_relative_error, '.1%'),
        )
        for stats in analysis.keypoints
    ]
    title = ('keypoint', 'labelled', 'predicted', 'similarity', 'below 0.5')
    title += ('error [px]', 'of size')
    return text_table([title, *rows], '<>>>>>>')


def _show(value: float | None, form: str = '.3f') -> str:
    return '–' if value is None else format(value, form)


def draw_keypoint_chart(analysis: Analysis) -> np.ndarray:
    """Draw the mean similarity of each keypoint as bars.

    Returns:
        BGR uint8, shape (H, W, 3).
    """
    stats = analysis.keypoints
    figure = Figure(figsize=(7.5, 1.2 + 0.27 * len(stats)), dpi=120, layout='tight')
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots()
    colours = PoseStyle.from_meta(analysis.meta).keypoint_colours
    if len(colours) != len(stats):
        colours = [(200, 120, 60)] * len(stats)
    places = np.arange(len(stats))
    means = [one.mean_similarity or 0 for one in stats]
    rgb = [tuple(value / 255 for value in colour[::-1]) for colour in colours]
    axes.barh(places, means, color=rgb, edgecolor='0.3', linewidth=0.5, height=0.72)
    for place, one in zip(places, stats):
        text = f'{_show(one.mean_similarity)}  ({one.predicted})'
        axes.text((one.mean_similarity or 0) + 0.01, place, text, va='center', size=8)
    axes.set_yticks(places, [one.name.replace('_', ' ') for one in stats], size=9)
    axes.set_xlim(0, 1.18)
    axes.set_xticks(np.linspace(0, 1, 6))
    axes.set_ylim(len(stats) - 0.4, -0.6)
    open_sides(axes)
    axes.set_xlabel('mean of exp(−d² / 2s²k²), in brackets the number of keypoints')
    found = len(analysis.persons) - analysis.count('missed')
    axes.set_title(f'Keypoint similarity of {found} persons found', size=11)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., 2::-1].copy()


def draw_worst(analysis: Analysis, number: int) -> np.ndarray:
    """Draw the worst persons on a sheet, ground truth beside prediction.

    For a person without a prediction, those are drawn that belong to nobody and lie in
    the person's box, if there are any.

    Args:
        analysis: Of which data set.
        number: Of persons.

    Returns:
        BGR uint8, shape (H, W, 3).
    """
    style = PoseStyle.from_meta(analysis.meta)
    people = analysis.worst(number)
    tiles = []
    for person in progress_bar(people, len(people)):
        image = read_image(analysis.image_folder / person.file_name)
        name = Path(person.file_name).name
        what = 'missed' if person.predicted is None else f'OKS {person.oks:.2f}'
        shown = [_annotate(pose, person) for pose in _shown(person, analysis)]
        caption = f'{what}, {name}'
        truth = person.annotation
        tile = compare_person(image, truth, shown, style, caption)
        tiles.append(cv2.copyMakeBorder(tile, *[MARGIN] * 4, 0, value=PAPER))
    return make_grid(tiles, min(COLUMNS, len(tiles)))


def _annotate(pose: np.ndarray, person: Person) -> dict[str, Any]:
    """A predicted pose to draw, with all keypoints that OKS takes into account."""
    labelled = np.array(person.annotation['keypoints'][2::3]) > 0
    scores = np.where(labelled, np.maximum(pose[:, 2], MIN_SCORE), pose[:, 2])
    return as_annotation(pose[:, :2], scores)


def _shown(person: Person, analysis: Analysis) -> list[np.ndarray]:
    """The poses to draw beside a person's ground truth, each of shape (K, 3)."""
    if person.predicted is not None:
        return [person.predicted]
    x, y, width, height = person.annotation['bbox']
    poses = []
    for one in analysis.false:
        pose = np.array(one['keypoints'], dtype=float).reshape(-1, 3)
        middle = np.median(pose[:, :2], axis=0) - [x, y]
        here = one['image_id'] == person.annotation['image_id']
        if here and (middle >= 0).all() and (middle <= [width, height]).all():
            poses.append(pose)
    return poses
