"""``restore --plain``: duplicity as it is; what it gives up on is named all the same."""

from __future__ import annotations

from laptop import Laptop
from panicroom.exit_codes import ExitCode


def test_a_file_that_cannot_be_written_is_named_and_nothing_needs_hard_links(
    laptop: Laptop, without_links: dict[str, str]
) -> None:
    (laptop.source / "near").write_text("near")
    deep = laptop.source.joinpath(*["d" * 200] * 18)
    deep.mkdir(parents=True)
    (deep / "treasure").write_text("treasure")
    laptop.enrol()
    laptop.succeed("backup")
    laptop.succeed("restore", "near", "--plain", "--to", str(laptop.home / "out"), **without_links)
    assert (laptop.home / "out" / "near").read_text() == "near"
    to = laptop.home.joinpath(*["t" * 200] * 3)
    ended = laptop.run("restore", "--plain", "--to", str(to), LANGUAGE="de", **without_links)
    assert ended.returncode == ExitCode.RESTORE_INCOMPLETE, ended.stderr
    (line,) = ended.stderr.splitlines()
    assert "could not be restored, the first is dddd" in line, (
        "duplicity names the folder that it cannot make"
    )
    assert "(File name too long)" in line
    assert (to / "near").read_text() == "near"
