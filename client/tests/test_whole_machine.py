"""A whole machine as the source: a script's settings for ``/`` are imported, and the backup holds what they mean.

The machine is a small root of its own in a mount namespace, with the kernel's folders, device files and another file
system in it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fake_service import CODE, FakeService
from laptop import COMMAND

NAMESPACE = ["unshare", "--mount", "--propagation", "private"]

CONF = """\
#!/bin/bash
export AWS_ACCESS_KEY_ID="AKIAEXAMPLE"
export AWS_SECRET_ACCESS_KEY='wJalr/KEY'
export PASSPHRASE='correct horse'
DEST="s3://s3.eu-west-1.amazonaws.com/annas-backup"
SOURCE=/
VOLSIZE=25
OPTIONS="--file-prefix-archive=data_ --exclude-device-files --exclude-other-filesystems --volsize $VOLSIZE"
"""

EXCLUDE = """\
- **/.m2/repository
- **/.cache
- **/Library/Caches
- **/.DS_Store
- /home/anna/git
- **/Downloads
+ /home/anna
- **
"""

KEPT = ["home/anna/.m2/settings.xml", "home/anna/letters/to bob"]
LEFT_OUT_BY_THE_LIST = [
    "home/anna/.DS_Store",
    "home/anna/.cache/thumbnails/1",
    "home/anna/.m2/repository/org/a.jar",
    "home/anna/Downloads/film",
    "home/anna/git/kernel/Makefile",
]
ELSEWHERE = ["etc/hostname", "home/bob/secret", "var/lib/db/table"]

STORY = r"""
set -e
root=$1; shift
mount -t tmpfs none "$root"
for folder in "$@"; do mkdir -p "$root$folder"; mount --rbind "$folder" "$root$folder"; done
mkdir -p "$root"/{proc,sys,dev,tmp,etc/panicroom,var/cache,var/lib,var/db,mnt/disk,root/seed}
mount --rbind /proc "$root/proc"; mount -t tmpfs none "$root/mnt/disk"; mount -t tmpfs none "$root/sys"
cp /etc/ld.so.cache "$root/etc/" 2>/dev/null || true
mknod "$root/dev/null" c 1 3; mknod "$root/var/db/console" c 5 1; chmod 666 "$root/dev/null"
echo x > "$root/sys/kernel"; echo x > "$root/mnt/disk/film"
printf '%s' "$CONF" > "$root/root/seed/BackupToCloud.conf"; printf '%s' "$EXCLUDE" > "$root/root/seed/exclude.txt"
printf '%s' "$FILES" | while IFS= read -r file; do mkdir -p "$(dirname "$root/$file")"; echo x > "$root/$file"; done
mkdir -m 700 "$root/root/.gnupg"; echo "s2k-count 65536" > "$root/root/.gnupg/gpg.conf"
exec chroot "$root" /bin/sh -ec '
panicroom() { "$PANICROOM" "$@"; }
listed() { panicroom restore --to /tmp/restored > /dev/null
  (cd /tmp/restored; find . -not -type d | sort); rm -rf /tmp/restored; }
PASSPHRASE="correct horse" panicroom enrol "$URL" "$CODE" --source / --yes
panicroom import-conf /root/seed/BackupToCloud.conf /root/seed/exclude.txt
panicroom backup
echo "== with the list"; listed
sed -i "s/^filelist/# filelist/" /etc/panicroom/panicroom.toml
panicroom backup full --accept-smaller > /dev/null
echo "== without"; listed
gpgconf --kill all'
"""


def can_have_a_root_of_its_own() -> bool:
    return (
        sys.platform == "linux"
        and os.geteuid() == 0
        and subprocess.run([*NAMESPACE, "mount", "-t", "tmpfs", "none", "/mnt"], check=False).returncode == 0
    )


@pytest.mark.skipif(not can_have_a_root_of_its_own(), reason="it takes root and a mount namespace")
def test_a_script_for_the_whole_machine_means_the_same_to_us(tmp_path: Path, service: FakeService) -> None:
    shell, checkout = shutil.which("bash"), Path(__file__).parents[2]
    assert shell is not None
    programs = ("/usr", "/bin", "/sbin", "/lib", "/lib64", sys.base_prefix)
    folders = [name for name in programs if Path(name).is_dir()]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "PANICROOM_KEYRING": "file",
        "PANICROOM": str(COMMAND),
        "URL": service.url,
        "CODE": CODE,
        "CONF": CONF,
        "EXCLUDE": EXCLUDE,
        "FILES": "".join(f"{name}\n" for name in KEPT + LEFT_OUT_BY_THE_LIST + ELSEWHERE),
    }
    ended = subprocess.run(
        [*NAMESPACE, shell, "-c", STORY, "story", str(tmp_path), *folders, str(checkout)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    said, _, listed = ended.stdout.partition("== with the list\n")
    with_list, _, without = listed.partition("== without\n")
    assert with_list.splitlines() == [f"./{name}" for name in sorted(KEPT)]
    assert "taken      OPTIONS, --exclude-device-files: device_files = false" in said
    assert "taken      OPTIONS, --exclude-other-filesystems: other_filesystems = false" in said
    assert "taken      SOURCE: the source of the job system is /" in said
    stored = set(without.splitlines())
    assert {f"./{name}" for name in KEPT + LEFT_OUT_BY_THE_LIST + ELSEWHERE} <= stored
    assert not [
        name for name in stored if name.startswith(("./proc/", "./sys/", "./dev/", "./mnt/", "./usr/"))
    ]
    assert not [name for name in stored if name.startswith(("./var/cache/panicroom", "./var/lib/panicroom"))]
    assert "./var/db/console" not in stored
