"""Taking over a seed script's set-up: its variables, its lines, and a backup of exactly what they say."""

from __future__ import annotations

from pathlib import Path

import pytest
from laptop import PASSPHRASE, Laptop
from panicroom.setup.script.assignments import read_assignments
from panicroom.setup.script.crontabs import lines_that_run
from panicroom.setup.script.filelist import read_filelist
from panicroom.setup.script.options import options_of
from panicroom.setup.settings_file import with_settings

HOME = Path("/home/anna")

CONF = """\
#!/bin/bash
# BackupToCloud.conf: Anna's backup, don't share
export AWS_ACCESS_KEY_ID="AKIAEXAMPLE"
export AWS_SECRET_ACCESS_KEY='wJalr/KEY'
export PASSPHRASE='{passphrase}'   # the one on paper
S3_BUCKET=annas-backup
DEST="s3://s3.eu-central-1.amazonaws.com/$S3_BUCKET"
SOURCE="{source}"
VOLSIZE=50
FULL_IF_OLDER_THAN=3M
GPG_KEY=nobody@example.org
FILELIST=exclude.txt
TMPDIR=/var/tmp
STAMP=$(date +%F)
FAVOURITE_COLOUR=blue
mkdir -p /var/tmp
"""

EXCLUDE = """\
# what can be fetched or built again
- **/.m2/repository
- **/.cache
- **/Library/Caches
- **/.DS_Store
- {source}/home/anna/git
- **/Downloads
+ {source}/home/anna
- **
"""

KEPT = [
    "home/anna/.m2/settings.xml",
    "home/anna/Library/Preferences/dock",
    "home/anna/letters/my git notes",
    "home/anna/letters/to bob",
]
LEFT_OUT = [
    "etc/passwd",
    "home/anna/.DS_Store",
    "home/anna/.cache/thumbnails/1",
    "home/anna/.m2/repository/org/a.jar",
    "home/anna/Downloads/film",
    "home/anna/Library/Caches/browser",
    "home/anna/git/kernel/Makefile",
    "home/anna/letters/.DS_Store",
    "home/bob/secret",
]


@pytest.fixture
def seed(laptop: Laptop) -> Path:
    """The pair of files of a seed script, and what it backed up."""
    for name in KEPT + LEFT_OUT:
        path = laptop.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    folder = laptop.home / "seed"
    folder.mkdir()
    conf = folder / "BackupToCloud.conf"
    conf.write_text(CONF.format(passphrase="its $5 #new", source=laptop.source))
    (folder / "exclude.txt").write_text(EXCLUDE.format(source=laptop.source))
    return conf


def test_the_backup_that_follows_holds_exactly_what_the_lines_say(laptop: Laptop, seed: Path) -> None:
    laptop.enrol()
    laptop.succeed("import-conf", str(seed), str(seed.with_name("exclude.txt")))
    laptop.succeed("backup")
    restored = laptop.restore()
    files = sorted(str(path.relative_to(restored)) for path in restored.rglob("*") if path.is_file())
    assert files == KEPT


def test_it_says_line_by_line_what_it_took_and_what_not(laptop: Laptop, seed: Path) -> None:
    laptop.enrol()
    said = laptop.succeed("import-conf", str(seed))
    verdicts = {line[11:].partition(":")[0]: line[:9].strip() for line in said.splitlines()}
    taken = {name for name, verdict in verdicts.items() if verdict == "taken"}
    refused = {name for name, verdict in verdicts.items() if verdict == "not taken"}
    variables = {"PASSPHRASE", "SOURCE", "VOLSIZE", "FILELIST", "FULL_IF_OLDER_THAN"}
    assert variables | {"exclude line 2, - **/.m2/repository"} <= taken
    assert refused == {
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "S3_BUCKET",
        "DEST",
        "GPG_KEY",
        "TMPDIR",
        "STAMP",
        "FAVOURITE_COLOUR",
        "line 16",
    }
    settings = (laptop.home / "config" / "panicroom.toml").read_text()
    assert "\nvolume_mb = 50\n" in settings
    assert '\nfilelist = "exclude.txt"\n' in settings
    assert '\nfull_every = "3M"\n' in settings
    assert laptop.secrets["laptop.passphrase"] == "its $5 #new"


def test_no_aws_key_is_kept_and_no_secret_is_shown(laptop: Laptop, seed: Path) -> None:
    laptop.enrol()
    said = laptop.succeed("import-conf", str(seed))
    everything = said + "".join(
        path.read_text() for path in (laptop.home / "config").iterdir() if path.is_file()
    )
    assert "AKIAEXAMPLE" not in everything
    assert "wJalr" not in everything
    assert "$5" not in said


def test_a_passphrase_that_does_not_open_the_stored_backups_is_not_taken(laptop: Laptop, seed: Path) -> None:
    laptop.enrol()
    laptop.succeed("backup")
    said = laptop.succeed("import-conf", str(seed))
    assert "not taken  PASSPHRASE: it does not open the stored backups of system" in said
    assert f"Do not delete {seed} yet: not taken were STAMP, line 16, PASSPHRASE" in said
    assert laptop.secrets["laptop.passphrase"] == PASSPHRASE


def test_a_script_whose_lines_were_all_taken_or_are_not_needed_can_go(laptop: Laptop, tmp_path: Path) -> None:
    laptop.enrol()
    conf = tmp_path / "small.conf"
    conf.write_text("AWS_SECRET_ACCESS_KEY=x\nPASSPHRASE='another one'\n")
    assert f"After the first backup, delete {conf}" in laptop.succeed("import-conf", str(conf))
    conf.write_text("PASSPHRASE='$(pass show backup'\nPASSPHRASE2=$(pass show backup)\n")
    assert f"Do not delete {conf} yet: not taken were PASSPHRASE2" in laptop.succeed("import-conf", str(conf))


def test_the_line_of_a_crontab_that_still_runs_the_script_is_named(tmp_path: Path) -> None:
    """By when it runs and what: arguments may be secrets. panicroom's own line is none of them."""
    conf, script, other = (tmp_path / name for name in ("BackupToCloud.conf", "BackupToCloud.sh", "clean.sh"))
    script.write_text('#!/bin/bash\n. "$(dirname "$0")/BackupToCloud.conf"\n"$PROGRAM" "$SOURCE" "$DEST"\n')
    other.write_text("rm -rf /tmp/old\n")
    crontab = f"""\
MAILTO=anna
# 0 1 * * * {script}
0 12 * * * {script} full
@daily nice sh -c 'cd /; {script}' >/dev/null 2>&1
5 4 * * sun root PASSPHRASE=secret /usr/bin/duplicity /home s3://bucket
7 * * * * {other}
8 * * * * env A=b nice -n 19 /opt/panicroom backup --scheduled --if-due # panicroom
"""
    found = lines_that_run(conf, {"crontab -e": crontab, "/etc/cron.daily/backup": f"@daily {script}"})
    assert [str(line) for line in found] == [
        f"crontab -e: 0 12 * * * {script}",
        f"crontab -e: @daily {script}",
        "crontab -e: 5 4 * * sun /usr/bin/duplicity",
        f"/etc/cron.daily/backup: @daily {script}",
    ]


def test_import_conf_reads_the_crontab_of_whoever_types_it(laptop: Laptop, seed: Path) -> None:
    laptop.enrol()
    programs = laptop.home / "bin"
    programs.mkdir()
    crontab = programs / "crontab"
    crontab.write_text(f"#!/bin/sh\necho '0 12 * * * {seed.with_suffix('.sh')}'\n")
    crontab.chmod(0o755)
    seed.with_suffix(".sh").write_text("duplicity full\n")
    said = laptop.succeed("import-conf", str(seed), PATH=f"{programs}:{laptop.environment()['PATH']}")
    assert f"  crontab -e: 0 12 * * * {seed.with_suffix('.sh')}\n" in said


def test_running_it_twice_changes_nothing_more(laptop: Laptop, seed: Path) -> None:
    laptop.enrol()
    laptop.succeed("import-conf", str(seed))
    folder = laptop.home / "config"
    before = {path.name: path.read_text() for path in folder.iterdir()}
    laptop.succeed("import-conf", str(seed))
    assert {path.name: path.read_text() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("NAME=plain", "plain"),
        ("  export NAME=exported", "exported"),
        ("NAME='single $HOME `x` #1'", "single $HOME `x` #1"),
        ('NAME="double $HOME"', "double /home/anna"),
        ('NAME="${HOME}/it\'s"', "/home/anna/it's"),
        (r'NAME="costs \$5"', "costs $5"),
        (r"NAME=bare\$5", "bare$5"),
        ("NAME=hash#mark # a comment", "hash#mark"),
        ("NAME=~/folder", "/home/anna/folder"),
        ("NAME=", ""),
        ("OTHER=a NAME=$OTHER/b", "a/b"),
        ("NAME='a\u2028b\x85c\x0c'\r\n", "a\u2028b\x85c\x0c"),
    ],
)
def test_assignments_mean_what_they_mean_to_a_shell(line: str, value: str) -> None:
    read = read_assignments(line, HOME)
    assert read.refused == []
    assert read.values["NAME"] == value


@pytest.mark.parametrize(
    "line",
    ["NAME=$(id)", "NAME=`id`", 'NAME="$UNKNOWN"', "NAME=${HOME%/*}", "NAME='open", "rm -rf /", "NAME+=x"],
)
def test_what_a_shell_would_have_to_work_out_is_not_taken(line: str) -> None:
    read = read_assignments(line, HOME)
    assert read.values == {}
    assert len(read.refused) == 1


@pytest.mark.parametrize("line", ['FOLDERS=( "/home" /srv )', "export FOLDERS=(/home", "FOLDERS+=('/home')"])
def test_a_list_of_the_shell_is_named_and_no_value(line: str) -> None:
    read = read_assignments(f"{line}\nPASSPHRASE='(in brackets)'", HOME)
    assert [str(refused)[11:] for refused in read.refused] == [
        "FOLDERS: a list; write + and - lines that say the same"
    ]
    assert read.values == {"PASSPHRASE": "(in brackets)"}


def test_a_script_that_names_no_key_loses_nothing_by_it(laptop: Laptop, tmp_path: Path) -> None:
    laptop.enrol()
    conf = tmp_path / "conf"
    conf.write_text("GPG_KEY='disabled'\nGPG_ENC_KEY=\nMAX_AGE=1M\nMAX_FULL_BACKUPS=1\nMAX_FULLBKP_AGE=2M\n")
    said = laptop.succeed("import-conf", str(conf))
    assert "not taken  GPG_KEY: it names no key" in said
    assert "not taken  MAX_FULL_BACKUPS: the owner sets in the service" in said
    assert 'taken      MAX_FULLBKP_AGE: full_every = "2M"' in said
    assert f"After the first backup, delete {conf}" in said


def test_options_are_read_from_calls_of_duplicity_and_nothing_of_the_line_is_lost() -> None:
    """A log's folder is no call, and what is set for the call alone is set."""
    text = """\
LOG=/var/log/duplicity
VOL=50
PASSPHRASE='two words' nice /usr/bin/duplicity full --volsize $VOL \\
    --exclude-device-files --exclude=/tmp --encrypt-key=AB / s3://bucket
"""
    read = read_assignments(text, HOME)
    assert read.values == {"LOG": "/var/log/duplicity", "VOL": "50", "PASSPHRASE": "two words"}
    assert list(options_of(read.calls["line 3"])) == [
        ("--volsize", "50"),
        ("--exclude-device-files", ""),
        ("--exclude", "/tmp"),
        ("--encrypt-key", "AB"),
    ]
    assert {line.name for line in read.refused} == {"line 3"}


def test_patterns_that_duplicity_would_refuse_are_left_out(tmp_path: Path) -> None:
    """duplicity ends with an error at a pattern outside of the source."""
    found = read_filelist(f"- *.iso\n- /elsewhere\n{tmp_path}/unsigned\n- **.tmp\n", tmp_path)
    assert found.lines == (f"- {tmp_path}/unsigned", "- **.tmp")
    assert [finding.taken for finding in found.findings] == [False, False, True, True]


def test_a_last_include_gets_the_exclude_that_it_needs(tmp_path: Path) -> None:
    assert read_filelist(f"+ {tmp_path}/a\n", tmp_path).lines == (f"+ {tmp_path}/a", "- **")


def test_a_pattern_may_have_a_character_that_ends_a_line_elsewhere(tmp_path: Path) -> None:
    assert read_filelist("- **/a\u2028b\r\n- **/c\n", tmp_path).lines == ("- **/a\u2028b", "- **/c")


def test_patterns_follow_a_source_that_is_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    found = read_filelist(f"- {tmp_path}/link/x\n", tmp_path / "link")
    assert found.lines == (f"- {tmp_path}/real/x",)


def test_a_setting_takes_the_place_of_its_comment_and_leaves_the_rest_alone() -> None:
    text = '[a]\n# key = "old"\nother = 1 # mine\n\n[b]\nkey = 2\n'
    assert with_settings(text, {"a": {"key": 3}}) == "[a]\nkey = 3\nother = 1 # mine\n\n[b]\nkey = 2\n"
    assert with_settings(text, {"b": {"key": 3}}) == '[a]\n# key = "old"\nother = 1 # mine\n\n[b]\nkey = 3\n'
    assert with_settings("[a]\n", {"a": {"key": 3}}) == "[a]\nkey = 3\n"
    assert with_settings("[a]\n# key = true\n", {"a": {"key": False}}) == "[a]\nkey = false\n"
