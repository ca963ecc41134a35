"""The table of finding codes: severity, meaning, advice."""

from __future__ import annotations

from collections.abc import Mapping

from chalicelib.domain.audit.codes.bucket import OF_BUCKET
from chalicelib.domain.audit.codes.code import Code
from chalicelib.domain.audit.codes.drills import OF_DRILLS
from chalicelib.domain.audit.codes.machines import OF_MACHINES
from chalicelib.domain.audit.codes.objects import OF_OBJECTS
from chalicelib.domain.audit.codes.photos import OF_PHOTOS
from chalicelib.domain.audit.codes.recoveries import OF_RECOVERIES
from chalicelib.domain.audit.codes.retention import OF_RETENTION
from chalicelib.domain.audit.codes.rules import OF_RULES
from chalicelib.domain.audit.codes.sets import OF_SETS
from chalicelib.domain.audit.codes.thaws import OF_THAWS

MOST_ALIKE = 100
"""The most findings of one code and job that are stored: a hundred thousand strays must not fill the table."""

_TABLES = (
    OF_SETS,
    OF_OBJECTS,
    OF_BUCKET,
    OF_RULES,
    OF_MACHINES,
    OF_RECOVERIES,
    OF_THAWS,
    OF_DRILLS,
    OF_RETENTION,
    OF_PHOTOS,
)

CODES: Mapping[str, Code] = {kind.code: kind for table in _TABLES for kind in table}
