"""Who may call what: every route that the app has, asked by everybody who might ask.

Each cell is tried twice: through the authorizer, and behind it, as when API Gateway remembers what the authorizer
said of a token that has been revoked since.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import pytest

from chalicelib.domain.backups.machines import sha256_hex
from tests.hostile import behind_gateway
from tests.hostile.conftest import WITHOUT_A_TOKEN
from tests.service.conftest import NOW, Answer, Service, running_service

VOLUME = "data_duplicity-full.20261122T195500Z.vol1.difftar.gpg"
SIGNATURES = "meta_duplicity-full-signatures.20261122T195500Z.sigtar.gpg"

READERS_SECRET = "9" * 64
NO_RUN = "20261122t195500z-0123456789abcdef"


class Caller(str, Enum):
    NO_TOKEN = "no token"
    MALFORMED = "malformed token"
    WRONG_SECRET = "wrong secret"
    REVOKED = "revoked"
    OTHERS_JOB = "another machine's job"
    PAUSED = "paused"
    NO_LEASE = "without the lease"
    READER = "a recovery code's reader"
    GOOD = "good"


Cell = tuple[int, str | None]
"""HTTP status and error code of the service's own answer."""

STRANGERS: dict[Caller, Cell] = {
    Caller.NO_TOKEN: (401, "not_authorized"),
    Caller.MALFORMED: (401, "not_authorized"),
    Caller.WRONG_SECRET: (401, "not_authorized"),
    Caller.REVOKED: (403, "machine_revoked"),
}

IN_FRONT = {Caller.NO_TOKEN: 401, Caller.MALFORMED: 403, Caller.WRONG_SECRET: 403, Caller.REVOKED: 403}
"""What the authorizer makes of them; the others it lets through."""

MATRIX: dict[tuple[str, str], dict[Caller, Cell]] = {
    # A code is asked for here, not a token.
    ("POST", "/enrolments"): dict.fromkeys(Caller, (201, None)),
    ("POST", "/recoveries"): dict.fromkeys(Caller, (201, None)),
    # Of these the client on a new computer has nothing yet; here no deploy has put one into the bucket.
    ("GET", "/client"): dict.fromkeys(Caller, (404, "not_found")),
    ("GET", "/client/requirements.txt"): dict.fromkeys(Caller, (404, "not_found")),
    ("GET", "/client/{version}"): dict.fromkeys(Caller, (404, "not_found")),
    ("GET", "/client/{version}/requirements.txt"): dict.fromkeys(Caller, (404, "not_found")),
    ("GET", "/machine"): {
        **STRANGERS,
        Caller.OTHERS_JOB: (200, None),
        Caller.PAUSED: (200, None),
        Caller.NO_LEASE: (200, None),
        Caller.READER: (200, None),
        Caller.GOOD: (200, None),
    },
    ("POST", "/jobs"): {
        **STRANGERS,
        Caller.OTHERS_JOB: (400, "bad_name"),
        Caller.PAUSED: (201, None),
        Caller.NO_LEASE: (201, None),
        Caller.READER: (403, "read_only"),
        Caller.GOOD: (201, None),
    },
    ("POST", "/jobs/{job}/runs"): {
        **STRANGERS,
        Caller.OTHERS_JOB: (404, "unknown_job"),
        Caller.PAUSED: (201, None),
        Caller.NO_LEASE: (409, "run_in_progress"),
        Caller.READER: (403, "read_only"),
        Caller.GOOD: (201, None),
    },
    ("PATCH", "/jobs/{job}/runs/{run}"): {
        **STRANGERS,
        Caller.OTHERS_JOB: (404, "unknown_job"),
        Caller.PAUSED: (200, None),
        Caller.NO_LEASE: (409, "lease_lost"),
        Caller.READER: (403, "read_only"),
        Caller.GOOD: (200, None),
    },
    ("POST", "/jobs/{job}/uploads"): {
        **STRANGERS,
        Caller.OTHERS_JOB: (404, "unknown_job"),
        Caller.PAUSED: (200, None),
        Caller.NO_LEASE: (409, "lease_lost"),
        Caller.READER: (403, "read_only"),
        Caller.GOOD: (200, None),
    },
    ("POST", "/jobs/{job}/multiparts"): {
        **STRANGERS,
        Caller.OTHERS_JOB: (404, "unknown_job"),
        Caller.PAUSED: (200, None),
        Caller.NO_LEASE: (409, "lease_lost"),
        Caller.READER: (403, "read_only"),
        Caller.GOOD: (200, None),
    },
    ("GET", "/jobs/{job}/files"): {
        **STRANGERS,
        Caller.OTHERS_JOB: (404, "unknown_job"),
        Caller.PAUSED: (200, None),
        Caller.NO_LEASE: (200, None),
        Caller.READER: (200, None),
        Caller.GOOD: (200, None),
    },
    ("POST", "/jobs/{job}/downloads"): {
        **STRANGERS,
        Caller.OTHERS_JOB: (404, "unknown_job"),
        Caller.PAUSED: (200, None),
        Caller.NO_LEASE: (200, None),
        Caller.READER: (200, None),
        Caller.GOOD: (200, None),
    },
    ("POST", "/jobs/{job}/thaws"): {
        **STRANGERS,
        Caller.OTHERS_JOB: (404, "unknown_job"),
        Caller.PAUSED: (200, None),
        Caller.NO_LEASE: (200, None),
        Caller.READER: (200, None),
        Caller.GOOD: (200, None),
    },
    ("POST", "/jobs/{job}/thaws/{thaw}/start"): {
        **STRANGERS,
        Caller.OTHERS_JOB: (404, "unknown_job"),
        Caller.PAUSED: (404, "unknown_thaw"),
        Caller.NO_LEASE: (404, "unknown_thaw"),
        Caller.READER: (404, "unknown_thaw"),
        Caller.GOOD: (404, "unknown_thaw"),
    },
    ("GET", "/jobs/{job}/thaws/{thaw}"): {
        **STRANGERS,
        Caller.OTHERS_JOB: (404, "unknown_job"),
        Caller.PAUSED: (404, "unknown_thaw"),
        Caller.NO_LEASE: (404, "unknown_thaw"),
        Caller.READER: (404, "unknown_thaw"),
        Caller.GOOD: (404, "unknown_thaw"),
    },
    ("POST", "/jobs/{job}/drills"): {
        **STRANGERS,
        Caller.OTHERS_JOB: (404, "unknown_job"),
        Caller.PAUSED: (200, None),
        Caller.NO_LEASE: (200, None),
        Caller.READER: (200, None),
        Caller.GOOD: (200, None),
    },
    ("POST", "/jobs/{job}/discards"): {
        **STRANGERS,
        Caller.OTHERS_JOB: (404, "unknown_job"),
        Caller.PAUSED: (200, None),
        Caller.NO_LEASE: (409, "lease_lost"),
        Caller.READER: (403, "read_only"),
        Caller.GOOD: (200, None),
    },
}


@dataclass
class World:
    """Machines in every condition. A call that needs the lease finds it held, by the run that it names."""

    service: Service
    tokens: dict[str, str]
    runs: dict[str, str] = field(default_factory=dict)

    def hold_the_lease(self, machine: str) -> str:
        known = self.runs.get(machine)
        self.runs[machine] = self.service.run(self.tokens[machine], resumes=known).body["run"]
        return self.runs[machine]

    def note_run(self, caller: Caller, answer: Answer) -> None:
        """A run that a tried call began holds the lease now."""
        if answer.status == 201 and "run" in answer.body:
            self.runs[MACHINE_OF.get(caller, "anna")] = answer.body["run"]

    def give_the_lease_back(self, machine: str) -> None:
        run = self.hold_the_lease(machine)
        path = f"/jobs/system/runs/{run}"
        assert self.service.call("PATCH", path, {"exit_code": 0}, self.tokens[machine]).status == 200


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch, running_service(patch) as service:
        tokens = {
            name: service.enrolled(name, jobs=["system"], photos=True) for name in ("anna", "paula", "rita")
        }
        service.enrolled("ben", jobs=["bens-photos"])
        service.admin("machine_add", name="newcomer")
        world = World(service, tokens)
        world.hold_the_lease("rita")
        tokens["anna, read"] = f"anna.{READERS_SECRET}"
        code = service.admin("machine_recovery", name="anna")["recovery_code"]
        body = {"machine": "anna", "code": code, "secret_sha256": sha256_hex(READERS_SECRET)}
        assert service.call("POST", "/recoveries", body).status == 201
        service.admin("machine_pause", name="paula")
        service.admin("machine_revoke", name="rita")
        yield world


MACHINE_OF = {Caller.REVOKED: "rita", Caller.PAUSED: "paula"}
"""The others say that they are anna."""


def token_of(world: World, caller: Caller) -> str | None:
    tokens = {
        Caller.NO_TOKEN: None,
        Caller.MALFORMED: world.tokens["anna"].upper(),
        Caller.WRONG_SECRET: "anna." + "0" * 64,
        Caller.READER: world.tokens["anna, read"],
    }
    return tokens.get(caller, world.tokens[MACHINE_OF.get(caller, "anna")])


def request_of(world: World, method: str, route: str, caller: Caller) -> tuple[str, object]:
    """Path and body of a request that is in order but for its caller."""
    machine = MACHINE_OF.get(caller, "anna")
    run = world.runs["rita"] if machine == "rita" else world.hold_the_lease(machine)
    if (method, route) == ("POST", "/jobs/{job}/runs") and caller in (Caller.GOOD, Caller.PAUSED):
        world.give_the_lease_back(machine)
    if caller is Caller.NO_LEASE:
        run = NO_RUN
    job = "bens-photos" if caller is Caller.OTHERS_JOB else "system"
    return route.format(job=job, run=run, thaw="0" * 20, version="9.8.7"), body_of(
        world, method, route, run, job
    )


def body_of(world: World, method: str, route: str, run: str, job: str) -> object:
    files = [{"name": VOLUME, "size": 7, "sha256": hashlib.sha256(b"content").hexdigest()}]
    in_parts = {"name": SIGNATURES, "size": 7, "part_bytes": 5 * 2**20, "part_sha256": [files[0]["sha256"]]}
    bodies: dict[str, Any] = {
        "/jobs": {"job": job if job != "system" else "photos-2018", "family": "photos"},
        "/jobs/{job}/multiparts": {"run": run, **in_parts},
        "/jobs/{job}/runs": {"kind": "full", "clock": "2026-11-22T20:00:00Z"},
        "/jobs/{job}/runs/{run}": {},
        "/jobs/{job}/uploads": {"run": run, "files": files},
        "/jobs/{job}/downloads": {"names": [VOLUME]},
        "/jobs/{job}/discards": {"run": run, "names": [VOLUME]},
        "/jobs/{job}/thaws": {"volumes": [{"set": "full.20261122T195500Z", "numbers": "1"}]},
        "/jobs/{job}/thaws/{thaw}/start": {"tier": "Bulk", "max_usd": 1.0},
        "/jobs/{job}/drills": {"outcome": "passed"},
    }
    if route == "/enrolments":
        code = world.service.admin("machine_add", name="newcomer")["code"]
        return {"code": code, "secret_sha256": "0" * 64}
    if route == "/recoveries":
        code = world.service.admin("machine_recovery", name="newcomer")["recovery_code"]
        return {"machine": "newcomer", "code": code, "secret_sha256": "0" * 64}
    return bodies.get(route) if method != "GET" else None


def routes() -> set[tuple[str, str]]:
    import app

    return {(method, path) for path, methods in app.app.routes.items() for method in methods}


def test_every_route_has_its_row_and_every_row_a_route(world: World) -> None:
    assert routes() == set(MATRIX)


@pytest.mark.parametrize("row", MATRIX, ids=lambda row: f"{row[0]} {row[1]}")
def test_a_row_names_every_caller(row: tuple[str, str]) -> None:
    assert set(MATRIX[row]) == set(Caller)


def test_every_route_but_those_for_codes_and_the_client_stands_behind_the_authorizer(world: World) -> None:
    import app

    for path, methods in app.app.routes.items():
        for method, route in methods.items():
            asked = getattr(route.authorizer, "name", None)
            assert asked == (None if path in WITHOUT_A_TOKEN else "authorizer"), (method, path)


CELLS = [(method, route, caller) for (method, route), row in MATRIX.items() for caller in row]


@pytest.mark.parametrize(("method", "route", "caller"), CELLS)
def test_in_front_the_authorizer_decides(world: World, method: str, route: str, caller: Caller) -> None:
    path, body = request_of(world, method, route, caller)
    answer = world.service.call(method, path, body, token_of(world, caller))
    world.note_run(caller, answer)
    status, error = MATRIX[method, route][caller]
    if route not in WITHOUT_A_TOKEN and caller in IN_FRONT:
        assert (answer.status, answer.error) == (IN_FRONT[caller], None)
    else:
        assert (answer.status, answer.error) == (status, error)


@pytest.mark.parametrize(("method", "route", "caller"), CELLS)
def test_behind_it_each_handler_asks_again(world: World, method: str, route: str, caller: Caller) -> None:
    path, body = request_of(world, method, route, caller)
    answer = behind_gateway.call(method, path, body, token_of(world, caller))
    world.note_run(caller, answer)
    assert (answer.status, answer.error) == MATRIX[method, route][caller]
    if answer.error is not None:
        assert answer.body["message"].endswith("."), "a sentence that says what to do"


@pytest.mark.parametrize(
    ("caller", "cell"), [*STRANGERS.items(), (Caller.READER, (403, "read_only")), (Caller.GOOD, (201, None))]
)
def test_that_photos_were_looked_at_only_their_own_machine_can_say(
    world: World, caller: Caller, cell: Cell
) -> None:
    machine = MACHINE_OF.get(caller, "anna")
    behind_gateway.call("POST", "/jobs", {"job": "photos-2018", "family": "photos"}, world.tokens[machine])
    clock = NOW.strftime("%Y-%m-%dT%H:%M:%SZ")
    check = {"job": "photos-2018", "files": 1, "bytes": 1}
    body = {"kind": "check", "clock": clock, "checks": [check]}
    for named in ("photos", "photos-2018"):
        answer = behind_gateway.call("POST", f"/jobs/{named}/runs", body, token_of(world, caller))
        assert (answer.status, answer.error) == cell


@pytest.mark.parametrize("body", [b"{", {"kind": 7}, {"kind": "check"}, {"kind": "full", "clock": "x"}])
@pytest.mark.parametrize("caller", STRANGERS)
def test_what_is_wrong_with_a_body_no_stranger_is_told(world: World, caller: Caller, body: object) -> None:
    answer = behind_gateway.call("POST", "/jobs/photos/runs", body, token_of(world, caller))
    assert (answer.status, answer.error) == STRANGERS[caller]


MALFORMED_AUTHORIZATIONS = [
    "", "Bearer", "Bearer ", "Bearer anna", "Bearer anna.", "Basic {token}", "bearer {token}", "{token}",
    "Bearer  {token}", "Bearer {token} ", "Bearer {token}\n", "Bearer {token},Bearer {token}", "Bearer {token}0",
    "Bearer .{secret}", "Bearer ben.{secret}", "Bearer ../anna.{secret}", "Bearer anna/system.{secret}",
    "Bearer ANNA.{secret}", "Bearer anna\u0000.{secret}", "Bearer аnna.{secret}", "Bearer " + "a" * 10_000,
]  # fmt: skip
"""The last but one begins with a Cyrillic letter."""


@pytest.mark.parametrize("form", MALFORMED_AUTHORIZATIONS, ids=ascii)
def test_only_a_whole_and_exact_token_is_one(world: World, form: str) -> None:
    from chalicelib import wiring
    from chalicelib.domain.refusals import Refusal
    from chalicelib.journeys.authenticate import authenticate

    token = world.tokens["anna"]
    stores = wiring.machine_store(), wiring.recovery_store()
    authenticate(*stores, f"Bearer {token}", NOW)
    with pytest.raises(Refusal) as refused:
        authenticate(*stores, form.format(token=token, secret=token.partition(".")[2]), NOW)
    assert refused.value.status == 401


def test_no_answer_tells_a_run_that_holds_a_lease(world: World) -> None:
    """Whoever knows a run may take its lease over, so a thief who has only the token must not learn it."""
    run = world.hold_the_lease("anna")
    answers = [
        behind_gateway.call("GET", "/machine", token=world.tokens["anna"]),
        behind_gateway.call("GET", "/jobs/system/files", token=world.tokens["anna"]),
        world.service.run(world.tokens["anna"]),
    ]
    assert "last_run" in str(answers[0].body), "it tells of the run"
    assert [run in str((answer.body, answer.headers)) for answer in answers] == [False] * 3
    assert run not in str(world.service.admin("machine_show", name="anna"))
    assert run not in str(world.service.admin("report_preview"))
