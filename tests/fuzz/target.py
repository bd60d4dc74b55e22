"""What is fuzzed: a reader, valid files for it, and what it may accept."""

from __future__ import annotations

import contextlib
import io
import os
import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Callable

from isolation import Files, Input, Outcome, run_inputs
from mutations import Change

from litehrnet_mm.cli import UserError

DATA = Path(__file__).resolve().parents[3] / 'shared' / 'data'


def shared_data() -> Path | None:
    """The folder of real images and weights, if there is one."""
    folder = Path(os.environ.get('LITEHRNET_MM_TEST_DATA') or DATA)
    return folder if folder.is_dir() else None


def same(expected: Any, found: Any, item: Input) -> str:
    """Only what is exactly as it was may be accepted."""
    return '' if found == expected else 'what was read differs from what was written'


@dataclass(frozen=True)
class Target:
    """A reader to be fuzzed.

    Attributes:
        name: For the table.
        seeds: Makes valid sets of files.
        file: The one of them that is changed.
        changes: Ways to change it.
        read: Reads a folder with the files; what it returns can be compared.
        judge: Whether what was read may be accepted, given what the unchanged files
            gave: a fault, or nothing.
        needs_data: ``seeds`` takes the folder of real data.
        refusals: By which errors the reader refuses.
    """

    name: str
    seeds: Callable[..., Sequence[Files]]
    file: str
    changes: Mapping[str, Change]
    read: Callable[[Path], Any]
    judge: Callable[[Any, Any, Input], str]
    needs_data: bool = False
    refusals: tuple[type[Exception], ...] = (UserError,)

    @property
    def usable(self) -> bool:
        """Whether all that it needs is there."""
        return not self.needs_data or shared_data() is not None

    @cached_property
    def valid(self) -> Sequence[Files]:
        """Valid sets of files."""
        return self.seeds(shared_data()) if self.needs_data else self.seeds()

    @cached_property
    def expected(self) -> list[Any]:
        """What is read from each of them."""
        found = []
        for files in self.valid:
            with tempfile.TemporaryDirectory() as name:
                for file, content in files.items():
                    (Path(name) / file).parent.mkdir(parents=True, exist_ok=True)
                    (Path(name) / file).write_bytes(content)
                with contextlib.redirect_stdout(io.StringIO()):
                    found.append(self.read(Path(name)))
        return found

    def inputs(self, count: int, seed: int) -> list[Input]:
        """Changed files, none of them as it was."""
        chance = random.Random(f'{self.name} {seed}')
        return [self._input(number, chance) for number in range(count)]

    def _input(self, number: int, chance: random.Random) -> Input:
        kinds = list(self.changes)
        for attempt in range(1000):
            index = chance.randrange(len(self.valid))
            files, other = self.valid[index], chance.choice(self.valid)
            kind = kinds[(number + attempt // 20) % len(kinds)]
            old = files[self.file]
            new = self.changes[kind](old, other[self.file], chance)
            if all(new != whole[self.file] for whole in self.valid):
                return Input(kind, {**files, self.file: new}, index)
        raise RuntimeError(f'{self.name}: nothing changes the files')

    def run(self, inputs: Sequence[Input]) -> Iterator[Outcome]:
        """Read inputs; what came of each."""
        expected = self.expected

        def judge(found: Any, item: Input) -> str:
            return self.judge(expected[item.seed], found, item)

        yield from run_inputs(self.read, judge, self.refusals, inputs)
