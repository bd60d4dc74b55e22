"""What `make demo-seg` would run; tests/offline runs it."""

import importlib
from typing import ClassVar

import pytest

from litehrnet_mm.workflow import Workflow


@pytest.fixture
def demo(repository, monkeypatch):
    """The demo's module."""
    monkeypatch.syspath_prepend(str(repository / 'tools'))
    return importlib.import_module('demo_seg')


def test_names_configs_that_exist(demo, repository):
    for config in (demo.CONFIG, demo.CITY_CONFIG):
        assert (repository / config).is_file()


class Listed(Workflow):
    """A demo whose commands are only listed."""

    commands: ClassVar[list[tuple[str, ...]]] = []

    def run(self, title: str, *command: str) -> None:
        """Keep the command."""
        self.commands.append(command)


def test_trains_and_evaluates_on_different_scenes(demo, tmp_path):
    listed = Listed(demo.CONFIG, tmp_path)
    demo.make_data(listed)
    seeds = [command[command.index('--seed') + 1] for command in listed.commands]
    splits = [command[command.index('--split') + 1] for command in listed.commands]
    assert splits == ['train', 'val']
    assert len(set(seeds)) == 2
