"""Whatever happens in whatever order, a reader's token works exactly when it should.

A model of a few lines says when that is; the service, in-process, is asked after each step.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from chalicelib.recovery_code import new_recovery_code
from tests.hostile import behind_gateway
from tests.hostile.memory_aws import service_in_memory
from tests.service.conftest import NOW, Service

NAME = "anna-laptop"
SECRETS = [f"{number:064x}" for number in range(7)]
LAPTOPS = "f" * 64

STEPS = (
    *("use",) * 8,
    "use by five more",
    "use an old code",
    "use again",
    "wrong",
    "replace",
    "revoke",
    "revoke --recovery",
    "remove",
    *("add",) * 2,
    *("enrol",) * 2,
    *("16 days",) * 3,
)


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


@dataclasses.dataclass
class Model:
    """What should be so. ``codes`` has every code that there ever was, the one that counts last, if ``is_valid``."""

    now: datetime = NOW
    is_there: bool = False
    codes: list[str] = dataclasses.field(default_factory=list)
    is_valid: bool = False
    readers: dict[str, datetime] = dataclasses.field(default_factory=dict)
    """Secret to the time of its end, oldest first."""
    enrolment: tuple[str, datetime, str | None] | None = None
    """The newest enrolment code, when it was made, and the recovery code that was made with it."""
    laptop_works: bool = False
    revoked_at: datetime | None = None

    def live(self) -> dict[str, datetime]:
        return {secret: until for secret, until in self.readers.items() if self.now < until}

    def new_code(self, code: str) -> None:
        self.codes.append(code)
        self.is_valid, self.readers = True, {}

    def end_code(self) -> None:
        self.is_valid, self.readers = False, {}

    def use(self, secret: str) -> None:
        live = self.live()
        if secret not in live:
            kept = list(live.items())[-4:]
            self.readers = {**dict(kept), secret: self.now + timedelta(days=30)}


class Story:
    def __init__(self, service: Service) -> None:
        self.service, self.model = service, Model()

    def step(self, name: str, secret: str) -> None:
        self.service.now = self.model.now
        steps: dict[str, Callable[[str], None]] = {
            "use": self.use,
            "use by five more": self.use_by_more,
            "use again": lambda _: self.use(next(iter(self.model.live()), SECRETS[0])),
            "use an old code": self.use_old,
            "wrong": lambda secret: self.recover(new_recovery_code(), secret, is_welcome=False),
            "replace": self.replace,
            "revoke": self.revoke,
            "revoke --recovery": self.revoke_recovery,
            "remove": self.remove,
            "add": self.add,
            "enrol": self.enrol,
            "16 days": lambda _: self.wait(days=16),
        }
        steps[name](secret)
        self.wait(seconds=1)
        self.check()

    def wait(self, **by: float) -> None:
        self.model.now += timedelta(**by)
        self.service.now = self.model.now

    def check(self) -> None:
        live = self.model.live()
        for secret in SECRETS:
            answer = behind_gateway.call("GET", "/machine", token=f"{NAME}.{secret}")
            assert (answer.status == 200) == (secret in live), (secret, answer)
            assert "reader_until" in answer.body or answer.status != 200
        laptop = behind_gateway.call("GET", "/machine", token=f"{NAME}.{LAPTOPS}")
        assert (laptop.status == 200) == self.model.laptop_works

    def recover(self, code: str, secret: str, *, is_welcome: bool) -> None:
        body = {"machine": NAME, "code": code, "secret_sha256": digest(secret)}
        answer = self.service.call("POST", "/recoveries", body)
        if answer.error == "too_many_tries":  # of this hour, which `use` does not care for
            self.wait(hours=1)
            answer = self.service.call("POST", "/recoveries", body)
        assert answer.status == (201 if is_welcome else 403)
        if is_welcome:
            self.model.use(secret)

    def use(self, secret: str) -> None:
        code = self.model.codes[-1] if self.model.codes else new_recovery_code()
        self.recover(code, secret, is_welcome=self.model.is_valid)

    def use_by_more(self, secret: str) -> None:
        begin = SECRETS.index(secret)
        for other in (SECRETS[begin:] + SECRETS[:begin])[:5]:
            self.use(other)
            self.wait(seconds=1)

    def use_old(self, secret: str) -> None:
        for code in self.model.codes[:-1][-2:]:
            self.recover(code, secret, is_welcome=False)

    def replace(self, _: str) -> None:
        answer = self.service.admin("machine_recovery", name=NAME)
        assert ("recovery_code" in answer) == self.model.is_there
        if self.model.is_there:
            self.model.new_code(answer["recovery_code"])

    def revoke(self, _: str) -> None:
        self.service.admin("machine_revoke", name=NAME)
        self.model.laptop_works = False
        self.model.revoked_at = self.model.now if self.model.is_there else None

    def revoke_recovery(self, _: str) -> None:
        self.service.admin("machine_revoke", name=NAME, recovery=True)
        self.model.end_code()

    def remove(self, _: str) -> None:
        self.service.admin("machine_remove", name=NAME)
        self.model.end_code()
        self.model.is_there = self.model.laptop_works = False
        self.model.enrolment = self.model.revoked_at = None

    def add(self, _: str) -> None:
        added = self.service.admin("machine_add", name=NAME)
        assert (added["recovery_code"] is None) == self.model.is_valid
        self.model.is_there = True
        if added["recovery_code"]:
            self.model.new_code(added["recovery_code"])
        self.model.enrolment = added["code"], self.model.now, added["recovery_code"]

    def enrol(self, _: str) -> None:
        """The newest enrolment code, by a laptop that has always the same secret."""
        if self.model.enrolment is None:
            return
        code, made_at, with_it = self.model.enrolment
        expired = self.model.now - made_at >= timedelta(hours=24)
        revoked = self.model.revoked_at is not None and self.model.revoked_at >= made_at
        answer = self.service.call("POST", "/enrolments", {"code": code, "secret_sha256": digest(LAPTOPS)})
        assert answer.status == (403 if expired or revoked else 201)
        if answer.status == 201:
            counts = with_it is not None and self.model.is_valid and self.model.codes[-1] == with_it
            was_used = self.model.laptop_works  # `check` asks with it after each step
            assert answer.body.get("recovery_code") == (with_it if counts and not was_used else None)
            self.model.laptop_works = True


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with pytest.MonkeyPatch.context() as patch, service_in_memory(patch) as service:
        yield service


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
    phases=[Phase.generate],  # making a failure shorter takes minutes; the steps are few
)
@given(steps=st.lists(st.tuples(st.sampled_from(STEPS), st.sampled_from(SECRETS)), min_size=15, max_size=25))
def test_a_readers_token_works_exactly_when_it_should(service: Service, steps: list[tuple[str, str]]) -> None:
    service.table.clear()
    story = Story(service)
    story.step("add", SECRETS[0])
    for name, secret in steps:
        story.step(name, secret)
