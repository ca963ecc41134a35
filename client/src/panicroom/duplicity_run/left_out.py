"""What is never backed up: our own working folders, and what the kernel only shows as files."""

# SPDX-License-Identifier: GPL-2.0-or-later

from __future__ import annotations

import re
from pathlib import Path

from panicroom.duplicity_run.mounts import mount_points, mounts_text
from panicroom.settings import Settings

_KERNEL_FOLDERS = ("/proc", "/sys", "/dev")
"""Made anew at each start of a machine; reading them to the end can hang or never end."""

_KERNEL_TYPES = frozenset(
    [
        "binfmt_misc",
        "bpf",
        "cgroup",
        "cgroup2",
        "configfs",
        "debugfs",
        "devfs",
        "devpts",
        "devtmpfs",
        "efivarfs",
        "fusectl",
        "hugetlbfs",
        "mqueue",
        "nsfs",
        "proc",
        "pstore",
        "rpc_pipefs",
        "securityfs",
        "selinuxfs",
        "sysfs",
        "tracefs",
    ]
)
"""File systems without a file of anybody's in them; in a chroot or a container they are mounted elsewhere."""


def left_out_folders(settings: Settings, source: Path) -> tuple[Path, ...]:
    """Folders below ``source`` (its links resolved) that are left out of every backup."""
    own = [folder.resolve() for folder in (settings.places.cache, settings.places.state)]
    kernel = [Path(name) for name in _KERNEL_FOLDERS]
    found = [*own, *kernel, *_kernel_mounts()]
    below = {folder for folder in found if folder.is_relative_to(source) and folder != source}
    return tuple(sorted(folder for folder in below if not any(above in below for above in folder.parents)))


def _kernel_mounts() -> list[Path]:
    """Where such file systems are mounted."""
    return [path for path, kind in mount_points(mounts_text()) if kind in _KERNEL_TYPES]


def exclude_pattern(folder: Path) -> str:
    """duplicity's pattern that matches this folder and what is below. Its literal patterns do not work below /."""
    return re.sub(r"([\[*?])", r"[\1]", str(folder))
