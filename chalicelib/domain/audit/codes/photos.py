"""What can be wrong with pictures that have not changed for long."""

from __future__ import annotations

from chalicelib.domain.audit.codes.code import Code, Concern, Severity

OF_PHOTOS = (
    Code(
        "old_photo_changed",
        Concern.PHOTOS,
        Severity.WARNING,
        "old pictures were changed",
        "Pictures in which nothing had changed for a month have changed: a program wrote to them. More than one file "
        "in twenty makes the finding critical. Earlier backups have the pictures as they were.",
        "If you edited them, nothing has to be done: this is over after 30 days, or once you approve. If not, look at "
        "them before the next import, and bring back what was spoilt: panicroom restore PATH --time, with the day "
        "before.",
    ),
    Code(
        "photos_vanished",
        Concern.PHOTOS,
        Severity.WARNING,
        "old pictures are gone from the disk",
        "Files of a year of pictures in which nothing had changed for a month are not on the disk any more. Earlier "
        "backups have them. More than one file in twenty makes the finding critical.",
        "If you deleted them, nothing has to be done: this is over after 30 days, or once you approve. If not, bring "
        "them back: panicroom restore PATH --time, with the day before.",
    ),
    Code(
        "photo_rotted",
        Concern.PHOTOS,
        Severity.CRITICAL,
        "pictures rot on the disk",
        "panicroom photos check found files whose bytes differ from what it read before, at the same size and times: "
        "nobody wrote to them, the disk has lost bits. They are not backed up so; the backup has the good copy.",
        "Bring them back from the backup into another folder, look at them, and put them in the place of the spoilt "
        "ones. Then think of replacing the disk.",
    ),
)
