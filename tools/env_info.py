"""Print the versions of Python, PyTorch, OpenMMLab and what stands beside them."""

from importlib.metadata import PackageNotFoundError, version

from mmengine.utils.dl_utils import collect_env

from litehrnet_mm.cli import run_tool, tool_parser
from litehrnet_mm.compat import has_compiled_ops
from litehrnet_mm.version import __version__

PACKAGES = ('mmpose', 'mmsegmentation', 'mmdet', 'mmpretrain', 'numpy')
PACKAGES += ('pycocotools', 'xtcocotools')


def installed_version(package: str) -> str:
    """The version of a package, or that there is none."""
    try:
        return version(package)
    except PackageNotFoundError:
        return 'not installed'


def main() -> None:
    """Run the tool."""
    tool_parser(__doc__).parse_args()
    info = dict(collect_env())
    mmcv = 'mmcv' if has_compiled_ops() else 'mmcv-lite'
    info[mmcv] = installed_version(mmcv)
    info.update({package: installed_version(package) for package in PACKAGES})
    info['litehrnet_mm'] = __version__
    for name, value in info.items():
        print(f'{name}: {value}')


if __name__ == '__main__':
    run_tool(main)
