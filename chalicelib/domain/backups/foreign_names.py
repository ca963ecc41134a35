"""Names that duplicity may have written in some form, also in forms that this service does not manage.

``names.parse_file_name`` reads the one form that the client writes. Other settings and older versions of duplicity
write others: without prefixes or with prefixes of their own, ``--short-filenames``, ``--old-filenames`` with a time
separator, the names of 0.4 to 0.6 (duplicity's ``file_naming.py``). Such a file may be somebody's only backup: nothing
that looks like it is ever advised to be deleted.
"""

from __future__ import annotations

import re
from enum import Enum

from chalicelib.domain.backups.names import parse_file_name

_LONG = re.compile(
    r"(?P<prefix>.*?)duplicity-(?:full|inc|full-signatures|new-signatures)\.(?P<time>.+)"
    r"\.(?:vol[0-9]+\.difftar|manifest|sigtar|jsonstat)(?P<rest>\..*)?",
    re.DOTALL,
)
_TIME = re.compile(r"[0-9]{8}T[0-9]{6}Z(?:\.to\.[0-9]{8}T[0-9]{6}Z)?")
_SHORT = re.compile(
    r"(?:[^./]*[_-])?d(?:f|i|fs|ns|st|fst|nst)\.[0-9a-z]+(?:\.[0-9a-z]+){0,2}"
    r"(?:\.(?:dt|m|st|j))?(?:\.p(?:art)?)?(?:\.(?:g|gpg|z|gz))?"
)
_TRACES = ("duplicity", ".difftar", ".sigtar")


class NameForm(str, Enum):
    """How a file of duplicity's is named; the value completes "files ..."."""

    PREFIXED = "with the prefixes data_ and meta_"
    WITHOUT_PREFIXES = "without the prefixes data_ and meta_"
    OTHER_PREFIXES = "with prefixes other than data_ and meta_"
    OLD_TIMES = "with times in an old form"
    SHORT = "with short names (--short-filenames)"
    NOT_ENCRYPTED = "that gpg did not encrypt"
    UNKNOWN = "with a name that is not complete"


def form_of(key: str) -> NameForm | None:
    """The form of the last part of a key; None for what duplicity does not write."""
    name = key.rpartition("/")[2]
    file = parse_file_name(name)
    if file is not None and file.is_under_right_prefix:
        return NameForm.PREFIXED
    long = _LONG.fullmatch(name)
    if long is not None:
        return _form_of_long(long["prefix"], long["time"], long["rest"] or "")
    if _SHORT.fullmatch(name):
        return NameForm.SHORT
    return NameForm.UNKNOWN if any(trace in name.casefold() for trace in _TRACES) else None


def _form_of_long(prefix: str, time: str, rest: str) -> NameForm:
    if not _TIME.fullmatch(time):
        return NameForm.OLD_TIMES
    if not prefix:
        return NameForm.WITHOUT_PREFIXES
    if prefix not in ("data_", "meta_"):
        return NameForm.OTHER_PREFIXES
    return NameForm.OTHER_PREFIXES if rest == ".gpg" else NameForm.NOT_ENCRYPTED
