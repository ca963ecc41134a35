"""The recovery sheet of a real machine of a real service: all that it can say is on it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.end_to_end.conftest import Service
from tests.end_to_end.test_the_main_job import fill


def test_it_has_the_account_the_code_that_counts_and_the_price(service: Service, tmp_path: Path) -> None:
    code = service.admin.call("machine_add", name="sheet-laptop")["recovery_code"]
    machine = service.machine("sheet-laptop")
    fill(machine.source)
    machine.do("backup")
    sheet = machine.do("recovery-sheet").output
    for fact in (
        f"Service        {service.stack.api_url}",
        "AWS account    000000000000",
        f"Region         {service.stack.region}",
        "Stage          local",
        f"Bucket         {service.stack.bucket}",
        f"_____-{code.rpartition('-')[2]}\n",
        "under sheet-laptop/system/",
        "Costs       about $",
    ):
        assert fact in sheet
    assert code not in sheet
    assert len(re.findall("_{10}", sheet)) > 0, "the passphrase is written by hand"
    assert not re.search(r"^(?!Passphrase)[A-Z].* _{10}", sheet, re.MULTILINE), "nothing else"

    def with_code(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(machine.programs / "panicroom"), "recovery-sheet", "--code", *arguments]
        environment = {**machine.environment(), "RECOVERY_CODE": code}
        return subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )

    printed = tmp_path / "sheet.html"
    assert with_code("--output", str(printed)).returncode == 0
    assert code in printed.read_text()
    service.admin.call("machine_recovery", name="sheet-laptop")
    refused = with_code()
    assert refused.returncode == 2
    assert "was replaced" in refused.stderr
    assert code not in refused.stdout + refused.stderr
