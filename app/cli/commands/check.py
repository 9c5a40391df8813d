"""``strongroom check``: reports all that would keep the server from serving."""

from collections.abc import Mapping

import click

from app.cli.errors import REFUSED
from app.cli.gateway_check import look_at_gateway
from app.cli.machine import ciphers_fault, look_at_machine
from app.client.messages import say
from app.client.output import as_json, show_json
from app.domain.operations.findings import Findings
from config import examine


@click.command()
@click.option(
    "--before-start",
    is_flag=True,
    help="Leave out what init makes, and refuse a port that a running Strongroom has.",
)
@as_json
@click.pass_context
def check(context: click.Context, *, before_start: bool, json: bool) -> None:
    """Check settings, providers, migrations, the system key and this machine. Exit 1 on a fault.

    Facts are printed. A failure that does not keep the server from serving is a warning.
    """
    findings = _look(context.obj, before_start=before_start)
    if json:
        show_json(_document(findings))
    else:
        _show(findings)
    for warning in findings.warnings:
        say(f"warning: {warning}")
    for fault in findings.faults:
        say(fault)
    context.exit(0 if findings.ok else REFUSED)


def _look(environ: Mapping[str, str], *, before_start: bool) -> Findings:
    from app.cli.diagnosis import (  # noqa: PLC0415 - see app.cli.deployment
        diagnose,
        diagnose_before_init,
    )

    examined = examine(environ)
    broken = ciphers_fault()
    if broken:  # the rest of the check opens envelopes
        return Findings(faults=[*examined.faults, broken])
    findings = diagnose_before_init(examined) if before_start else diagnose(examined)
    if "GUNICORN_CMD_ARGS" in environ:
        findings.warn("GUNICORN_CMD_ARGS: it overrides config/gunicorn.py, which is tested.")
    findings.include(look_at_machine(examined, before_start=before_start))
    if not before_start:
        findings.include(look_at_gateway(examined))
    return findings


def _document(findings: Findings) -> dict[str, object]:
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
