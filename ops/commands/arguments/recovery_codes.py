"""How recovery codes are printed: once, for paper; later by their date and last group."""

from __future__ import annotations

from chalicelib.owner_wire import RecoveryMade, RecoveryShown
from ops.commands.arguments.options import console, say


def show_recovery_code(code: str) -> None:
    say("\nIts recovery code. Put it on paper, and keep that away from the laptop:\n")
    console.print(f"  {code}\n", markup=False)
    say(
        "It is shown now and once when the machine enrols, never again. Where the laptop is gone, it and the passphrase"
        " bring everything back: `panicroom recover`. `panicroom recovery-sheet` prints the whole page."
    )


def show_new_recovery(made: RecoveryMade) -> None:
    if made.replaced:
        say(f"The code that ended in {made.replaced}, and all who read by it, are no longer valid.")
        say("Throw its sheet away.")
    else:
        say(f"{made.machine} had no recovery code.")
    show_recovery_code(made.recovery_code)


def recovery_shown(recovery: RecoveryShown | None) -> list[str]:
    """The code by its date and last group, and whoever reads by it."""
    if recovery is None:
        return ["recovery code: none"]
    used = f", used {recovery.uses} times" if recovery.uses > 1 else ", used once" if recovery.uses else ""
    return [
        f"recovery code: ends in {recovery.last_group}, made {recovery.made_at}{used}",
        *(
            f"  reads until {reader.until}: from {reader.address or 'an unknown address'}, {reader.made_at}"
            for reader in recovery.readers
        ),
    ]
