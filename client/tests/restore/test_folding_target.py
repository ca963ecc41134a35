"""A target whose file system takes two names for the same, by capitals or by the form of their letters."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from laptop import Laptop, preloaded
from panicroom.exit_codes import ExitCode
from restore.changing_trees import look

FOLDING = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Below the folder of a restore: capitals become small letters, and e with a combining accent becomes one letter. */
static const char *folded(int fd, const char *name, char *out) {
    char link[64], where[4096];
    if (name[0] == '/' || fd < 0) return name;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, where, sizeof where - 1);
    if (n < 0) return name;
    where[n] = 0;
    if (!strstr(where, ".panicroom-restore-")) return name;
    char *o = out;
    for (const unsigned char *c = (const unsigned char *)name; *c; ) {
        if (c[0] == 'e' && c[1] == 0xCC && c[2] == 0x81) { *o++ = 0xC3; *o++ = 0xA9; c += 3; }
        else { *o++ = *c >= 'A' && *c <= 'Z' ? *c + 32 : *c; c++; }
    }
    *o = 0;
    return out;
}
#define NEXT(name) dlsym(RTLD_NEXT, #name)
#define OPEN(name) int name(int fd, const char *p, int flags, ...) { \
    char b[4096]; va_list v; va_start(v, flags); int mode = va_arg(v, int); va_end(v); \
    int (*f)(int, const char *, int, ...) = NEXT(name); return f(fd, folded(fd, p, b), flags, mode); }
#define CALL(name, declared, passed) int name(int fd, const char *p, declared) { \
    char b[4096]; int (*f)(int, const char *, declared) = NEXT(name); return f(fd, folded(fd, p, b), passed); }
OPEN(openat)
OPEN(openat64)
CALL(mkdirat, mode_t m, m)
CALL(unlinkat, int m, m)
CALL(mkfifoat, mode_t m, m)
int fstatat(int fd, const char *p, struct stat *s, int g) {
    char b[4096]; int (*f)(int, const char *, struct stat *, int) = NEXT(fstatat);
    return f(fd, folded(fd, p, b), s, g); }
int fstatat64(int fd, const char *p, struct stat64 *s, int g) {
    char b[4096]; int (*f)(int, const char *, struct stat64 *, int) = NEXT(fstatat64);
    return f(fd, folded(fd, p, b), s, g); }
int fchmodat(int fd, const char *p, mode_t m, int g) {
    char b[4096]; int (*f)(int, const char *, mode_t, int) = NEXT(fchmodat); return f(fd, folded(fd, p, b), m, g); }
int fchownat(int fd, const char *p, uid_t u, gid_t q, int g) {
    char b[4096]; int (*f)(int, const char *, uid_t, gid_t, int) = NEXT(fchownat);
    return f(fd, folded(fd, p, b), u, q, g); }
int utimensat(int fd, const char *p, const struct timespec t[2], int g) {
    char b[4096]; int (*f)(int, const char *, const struct timespec *, int) = NEXT(utimensat);
    return f(fd, p ? folded(fd, p, b) : p, t, g); }
ssize_t readlinkat(int fd, const char *p, char *o, size_t n) {
    char b[4096]; ssize_t (*f)(int, const char *, char *, size_t) = NEXT(readlinkat);
    return f(fd, folded(fd, p, b), o, n); }
int symlinkat(const char *t, int fd, const char *p) {
    char b[4096]; int (*f)(const char *, int, const char *) = NEXT(symlinkat); return f(t, fd, folded(fd, p, b)); }
"""


@pytest.fixture
def folding(tmp_path: Path) -> dict[str, str]:
    """Variables with which a restore writes to such a file system."""
    try:
        return preloaded(tmp_path, FOLDING)
    except subprocess.CalledProcessError:
        pytest.skip("a file system of one's own takes a compiler, and Linux")


def folded(path: str) -> str:
    return path.replace("e\u0301", "é").translate({code: code + 32 for code in range(ord("A"), ord("Z") + 1)})


def test_of_names_that_fold_into_one_each_that_is_lost_is_named(
    laptop: Laptop, folding: dict[str, str]
) -> None:
    for number, name in enumerate(
        ("Letter", "letter", "café", "cafe\u0301", "Dir/x", "dir/x", "dir/only", "plain", "link/in")
    ):
        path = laptop.source / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"%d" % number + os.urandom(300))
    (laptop.source / "Way").symlink_to("one")
    (laptop.source / "way").symlink_to("other")
    laptop.enrol()
    laptop.succeed("backup")
    out = laptop.home / "out"
    ended = laptop.run("restore", "--json", "--to", str(out), **folding)
    assert ended.returncode == ExitCode.RESTORE_INCOMPLETE, ended.stderr
    named = {item["path"] for item in json.loads(ended.stdout.splitlines()[-1])["differing"]}
    for first, second in (("Letter", "letter"), ("café", "cafe\u0301"), ("Dir/x", "dir/x"), ("Way", "way")):
        assert named & {first, second}, f"one of {first} and {second} is lost, and nothing says so"
    truth, found = look(laptop.source), look(out)
    right = {path for path in truth if found.get(folded(path)) == truth[path]}
    assert truth.keys() - right - {"."} <= named
    assert {"plain", "dir/only", "link/in"} <= right
