"""``strongroom check``: all that would keep the server from serving, at once."""

from collections.abc import Mapping

import click

from app.bootstrap import diagnose
from app.cli.errors import REFUSED
from app.cli.machine import ciphers_fault, look_at_machine
from app.cli.output import as_json, show_json
from app.client.messages import say
from app.domain.operations.findings import Findings
from config import examine


@click.command()
@as_json
@click.pass_context
def check(context: click.Context, *, json: bool) -> None:
    """Look at every setting, provider, migration and the system key; exit 1 on any fault.

    What it looked at is printed. What is down, but not needed to serve, is a warning.
    """
    findings = _look(context.obj)
    if json:
        show_json(_answer(findings))
    else:
        _show(findings)
    for warning in findings.warnings:
        say(f"warning: {warning}")
    for fault in findings.faults:
        say(fault)
    context.exit(0 if findings.ok else REFUSED)


def _look(environ: Mapping[str, str]) -> Findings:
    examined = examine(environ)
    broken = ciphers_fault()
    if broken:  # nothing that is encrypted could be looked at
        return Findings(faults=[*examined.faults, broken])
    findings = diagnose(examined)
    if "GUNICORN_CMD_ARGS" in environ:
        findings.warn("GUNICORN_CMD_ARGS: it overrides config/gunicorn.py, which tests hold true.")
    findings.include(look_at_machine(examined))
    return findings


def _answer(findings: Findings) -> dict[str, object]:
    return {
        "ok": findings.ok,
        "faults": findings.faults,
        "warnings": findings.warnings,
        "looked_at": [each._asdict() for each in findings.looked_at],
    }


def _show(findings: Findings) -> None:
    for subject, facts in findings.looked_at:
        line = f"{subject}: {facts}"
        click.echo("".join(each if each.isprintable() else "?" for each in line))
