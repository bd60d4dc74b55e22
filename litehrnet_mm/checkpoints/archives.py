"""Files that ``torch.save`` wrote: whether they are whole, and safe to be read.

Since PyTorch 1.6 they are zip archives of records, not compressed, each with a CRC-32
that PyTorch itself does not look at; before, several pickles and then numbers.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO

import torch

from litehrnet_mm.checkpoints.pickles import (
    MOST_OPCODES,
    HarmfulError,
    UnfitError,
    look_through,
)
from litehrnet_mm.cli import one_line
from litehrnet_mm.values import shown

ZIP = b'PK\3\4'
FOLDER = 0x10
"""The attribute that marks a folder."""
NEW_PROTOCOLS = (b'\x80\4', b'\x80\5')
"""What pickles begin with that ``torch.load(weights_only=True)`` cannot read."""
OLD_PICKLES = 5
"""Before the numbers: a magic number, a version, the system, the content, keys."""


def is_archive(start: bytes) -> bool:
    """Whether a file that begins so is read as a zip archive by PyTorch."""
    return start.startswith(ZIP)


def check_archive(file: str | Path | BinaryIO, size: int | None = None) -> None:
    """Check that no byte of a zip archive of PyTorch is lost or changed.

    Args:
        file: A path, or an open file.
        size: Of an open file, in bytes.

    Raises:
        HarmfulError: If that is not so, or reading it would take more than it holds.
        UnfitError: If it has no sums, or pickles that PyTorch does not read.
    """
    try:
        file = os.fspath(file) if isinstance(file, Path) else file
        with zipfile.ZipFile(file) as archive:
            _check_records(archive, os.path.getsize(file) if size is None else size)
            # As PyTorch reads them, which finds its way about an archive by itself.
            reader, most = torch._C.PyTorchFileReader(file), MOST_OPCODES
            for record in archive.infolist():
                archive.open(record).close()  # its name is the same in both places
                content = reader.get_record(record.filename.partition('/')[2])
                if zlib.crc32(content) != record.CRC:
                    raise HarmfulError(
                        f'the checksum of {shown(record.filename)} is wrong'
                    )
                if record.filename.endswith('.pkl'):
                    most -= _look_through(content, 0, most)[1]
    except HarmfulError:
        raise
    except Exception as error:  # a damaged archive can lead its reader anywhere
        raise HarmfulError(shown(one_line(error), 200)) from error


def _check_records(archive: zipfile.ZipFile, size: int) -> None:
    records = archive.infolist()
    if len({record.filename for record in records}) < len(records):
        raise HarmfulError('it has two records of one name')
    if any(record.compress_type != zipfile.ZIP_STORED for record in records):
        raise HarmfulError('it has compressed records, which PyTorch never writes')
    if records and not any(record.CRC for record in records):
        raise UnfitError(
            'it has no checksums, as after torch.serialization.set_crc32_options(False)'
        )
    # For these PyTorch gives what happens to be in memory, without an error.
    for record in records:
        is_folder = record.is_dir() or record.external_attr & FOLDER
        if is_folder or record.compress_size != record.file_size:
            raise HarmfulError(f'the entry of {shown(record.filename)} is wrong')
    if sum(record.file_size for record in records) > size:
        raise HarmfulError('its records are larger than the file')


def check_old_form(data: bytes) -> None:
    """Check the pickles of a file as PyTorch wrote them before 1.6.

    Args:
        data: The file's content.

    Raises:
        HarmfulError: If one is damaged, or would take what the file does not justify.
        UnfitError: If PyTorch does not read one.
    """
    position, most = 0, MOST_OPCODES
    for _ in range(OLD_PICKLES):
        position, count = _look_through(data, position, most)
        most -= count
        if position == len(data):  # a lone pickle, of which PyTorch says what it is
            return


def _look_through(data: bytes, start: int, most: int) -> tuple[int, int]:
    """As :func:`look_through`, of a pickle that PyTorch is to read."""
    found = look_through(data, start, most)
    if data.startswith(NEW_PROTOCOLS, start):
        raise UnfitError(
            f'it is pickled by protocol {data[start + 1]}, and PyTorch reads none '
            'above 3 without running code'
        )
    return found
