"""Packaging, with the files that MIM looks for in ``litehrnet_mm/.mim``."""

import os
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
MIM_FILES = ('configs', 'tools', 'model-index.yml', 'requirements')


def read_version() -> str:
    """Read ``__version__`` without importing the package."""
    scope: dict = {}
    exec((ROOT / 'litehrnet_mm' / 'version.py').read_text(), scope)
    return scope['__version__']


class BuildWithMimFiles(build_py):
    """Put configs, tools and the model index beside the package's modules.

    A wheel gets copies; an editable installation links to the originals.
    """

    def run(self) -> None:
        """Build the package, then place the files."""
        super().run()
        package = 'litehrnet_mm'
        base = ROOT if self.editable_mode else Path(self.build_lib)
        target = base / package / '.mim'
        if target.is_symlink():
            target.unlink()
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for name in MIM_FILES:
            source = ROOT / name
            if self.editable_mode:
                (target / name).symlink_to(os.path.relpath(source, target))
            elif source.is_dir():
                ignored = shutil.ignore_patterns('__pycache__')
                shutil.copytree(source, target / name, ignore=ignored)
            else:
                shutil.copy2(source, target / name)


setup(
    name='litehrnet_mm',
    version=read_version(),
    description='Lite-HRNet for MMPose, MMSegmentation and all of OpenMMLab 2.x',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    keywords='computer vision, pose estimation, semantic segmentation, Lite-HRNet',
    packages=find_packages(include=['litehrnet_mm*']),
    python_requires='>=3.9,<3.13',
    # Before 2.6, weights_only=True could be made to run code (CVE-2025-32434).
    install_requires=['mmengine>=0.10.7', 'numpy<2', 'torch>=2.6', 'tqdm'],
    extras_require={'tensorboard': ['tensorboard']},
    cmdclass={'build_py': BuildWithMimFiles},
    classifiers=[
        'License :: OSI Approved :: Apache Software License',
        'Programming Language :: Python :: 3',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
)
