"""A thaw from plan to download with each function in its own role, IAM enforced."""

from __future__ import annotations

import httpx

from ops.local.thaw_hook import ThawHook
from tests.end_to_end.api_thaws import ApiThaws
from tests.end_to_end.conftest import Machine
from tests.hostile.conftest import Deployed


def test_a_thaw_goes_from_plan_to_download(deployed: Deployed, laptop: Machine) -> None:
    hook, thaws = ThawHook(deployed.stack.endpoint), ApiThaws(deployed.stack.api_url, laptop)
    hook.delay(0.1)
    hook.forget_calls()
    sets = deployed.laptops.sets(laptop.name)
    volumes = sum(row["volumes"] for row in sets)
    assert hook.freeze(laptop.name) == volumes
    plan = thaws.plan(sets)
    assert plan["archived"] == volumes
    assert thaws.start(plan)["state"] in ("asking", "thawing")
    ready = thaws.wait_until_ready(plan["thaw"])
    assert (ready["done"], ready["of"]) == (volumes, volumes)
    assert sorted(hook.calls().by_key.values()) == [1] * volumes
    keys = deployed.laptops.keys(f"{laptop.name}/system/data_")
    for file in thaws.downloads(key.rpartition("/")[2] for key in keys):
        assert httpx.get(file["url"]).status_code == 200, file
    hook.freeze(laptop.name, "STANDARD")
