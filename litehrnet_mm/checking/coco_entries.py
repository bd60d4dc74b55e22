"""Images and categories of an annotation file, entry by entry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from litehrnet_mm.checking.findings import Findings
from litehrnet_mm.checking.keypoints import Keypoints, check_names, compare_names
from litehrnet_mm.values import is_id, shown


@dataclass(frozen=True)
class ImageEntry:
    """An image that the annotation file describes rightly.

    Attributes:
        path: Its file.
        size: Width and height as annotated.
        record: What the file says of it.
    """

    path: Path
    size: tuple[int, int]
    record: Mapping[str, Any]


@dataclass(frozen=True)
class Images:
    """The images of an annotation file.

    Attributes:
        entries: By id, those that are described rightly and once.
        ids: All ids, also of the others.
    """

    entries: Mapping[int, ImageEntry]
    ids: frozenset[int]


def read_images(records: Sequence[Any], folder: Path, findings: Findings) -> Images:
    """Sort out the images of an annotation file.

    Two different ones of an id are both left out: whose the annotations are cannot be
    known.
    """
    entries: dict[int, ImageEntry] = {}
    ids, ambiguous = set(), set()
    for index, record in enumerate(records):
        number = record.get('id') if isinstance(record, dict) else None
        place = f'image {number}' if is_id(number) else f'images[{index}]'
        faults = list(_image_faults(record))
        for fault in faults:
            findings.add('image-entry', place, fault)
        if is_id(number) and number in ids:
            findings.add('image-id', place, shown(record.get('file_name')))
            kept = entries.get(number)
            if kept is not None and kept.record != record:
                ambiguous.add(number)
        elif not faults:
            size = record['width'], record['height']
            entries[number] = ImageEntry(folder / record['file_name'], size, record)
            if _leads_out(record['file_name']):
                findings.add('image-outside', place, shown(record['file_name']))
        if is_id(number):
            ids.add(number)
    kept = {number: x for number, x in entries.items() if number not in ambiguous}
    counts = Counter(entry.path for entry in kept.values())
    for path, count in counts.items():
        if count > 1:
            findings.add('image-twice', shown(path.name), f'{count} ids')
    return Images(kept, frozenset(ids))


def _image_faults(record: Any) -> Iterator[str]:
    if not isinstance(record, dict):
        yield f'{shown(record)} where an object is expected'
        return
    if not is_id(record.get('id')):
        yield f'id is {shown(record.get("id"))}, not a whole number'
    name = record.get('file_name')
    if not isinstance(name, str) or not name:
        yield f'file_name is {shown(name)}, not a name'
    for side in ('width', 'height'):
        if not is_id(record.get(side)) or not record[side]:
            yield f'{side} is {shown(record.get(side))}, not a number of pixels'


def _leads_out(name: str) -> bool:
    return name.startswith('/') or '..' in PurePosixPath(name).parts


@dataclass(frozen=True)
class Category:
    """A category of an annotation file.

    Attributes:
        keypoints: Those that its annotations should have, if it is known.
        expected: Whether each of its annotations should have keypoints.
    """

    keypoints: Keypoints | None
    expected: bool


def read_categories(
    records: Sequence[Any], wanted: Keypoints | None, findings: Findings
) -> dict[int, Category]:
    """Sort out the categories of an annotation file, by id.

    Args:
        records: What the file has.
        wanted: The keypoints of the config, if there is one.
        findings: Takes what is wrong.
    """
    categories: dict[int, Category] = {}
    for index, record in enumerate(records):
        place = f'categories[{index}]'
        fault = _category_fault(record, categories)
        if fault:
            findings.add('category-entry', place, fault)
            continue
        names = record.get('keypoints') or []
        keypoints = Keypoints.by_names(names) if names else None
        if wanted is not None and names:
            compare_names(findings, place, names, wanted.names)
        elif keypoints is not None:
            check_names(findings, place, keypoints)
        expected = bool(names) or len(records) == 1
        categories[record['id']] = Category(wanted or keypoints, expected)
    if wanted is not None:
        check_names(findings, 'config', wanted)
    return categories


def is_category(record: Any) -> bool:
    """Whether a category can be used by itself, whatever the others are."""
    return _category_fault(record, ()) is None


def _category_fault(record: Any, taken: Any) -> str | None:
    if not isinstance(record, dict):
        return f'{shown(record)} where an object is expected'
    number, names = record.get('id'), record.get('keypoints', [])
    if not is_id(number):
        return f'id is {shown(number)}, not a whole number'
    if number in taken:
        return f'id {number} is that of another category'
    if not isinstance(record.get('name'), str):
        return f'name is {shown(record.get("name"))}, not a name'
    is_list = isinstance(names, list) and all(isinstance(x, str) for x in names)
    if not is_list or len(set(names)) < len(names):
        return f'keypoints is {shown(names)}, not a list of different names'
    return None
