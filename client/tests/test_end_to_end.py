"""The client as installed, with real duplicity and gpg, against the fake service."""

from __future__ import annotations

from laptop import Laptop, next_second
from trees import differences, make_tree, snapshot


def test_full_change_increment_and_restore_of_both_states(laptop: Laptop) -> None:
    """What was on disk at each backup comes back, bytes, modes, times and links."""
    make_tree(laptop.source)
    laptop.enrol()
    laptop.succeed("backup")
    first = snapshot(laptop.source)

    (laptop.source / "d1" / "file-01").write_bytes(b"changed")
    (laptop.source / "d2" / "file-02").unlink()
    (laptop.source / "d2" / "new").write_bytes(b"new")
    next_second()
    laptop.succeed("backup")
    second = snapshot(laptop.source)

    sets = laptop.service.sealed()
    assert [name.split(".")[0] for name in sets] == ["full", "inc"]
    times = [name.rsplit(".", 1)[-1] for name in sets]
    assert differences(first, snapshot(laptop.restore(times[0]))) == []
    assert differences(second, snapshot(laptop.restore(times[1]))) == []
    assert differences(second, snapshot(laptop.restore())) == []
    assert all(run["exit_code"] == 0 for run in laptop.service.runs)
