"""``python -m ops machine pause | resume``, against a service that knows less than this clone."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from chalicelib.owner_wire import MachineChanged
from ops.cli import commands
from ops.commands.machines import watching
from ops.errors import OpsError


@pytest.mark.parametrize(
    ("word", "done", "back"), [("pause", "paused", "resume"), ("resume", "resumed", "pause")]
)
def test_an_older_service_that_did_it_to_the_whole_machine_is_not_said_to_have_done_it_to_one_job(
    monkeypatch: pytest.MonkeyPatch, word: str, done: str, back: str
) -> None:
    class Service:
        def ask(self, *_: object, **__: object) -> MachineChanged:
            return MachineChanged("anna-laptop")

    monkeypatch.setattr(watching, "admin_client", lambda *_: Service())
    alone = CliRunner().invoke(commands, ["machine", word, "anna-laptop", "--job", "photos-2018"])
    assert isinstance(alone.exception, OpsError)
    assert f"has {done} all of anna-laptop" in str(alone.exception)
    assert f"`python -m ops machine {back} anna-laptop` takes that back" in str(alone.exception)
    assert CliRunner().invoke(commands, ["machine", word, "anna-laptop"]).exit_code == 0
