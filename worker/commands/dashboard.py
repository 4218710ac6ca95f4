"""`hospital-worker dashboard`: the page for operators, and the hash of a password for it."""

from typing import Annotated, Any

import typer

from worker.commands.support import run
from worker.errors import ConfigurationError
from worker.failing import fail
from worker.help_group import HelpGroup
from worker.listening import address_of, is_loopback
from worker.logs import configure_logging
from worker.monitoring.dashboard.passwords import LEAST_LENGTH, LONGEST, hash_password
from worker.settings import Settings, load_settings

app = typer.Typer(cls=HelpGroup, invoke_without_command=True)


@app.callback()
def dashboard(
    ctx: typer.Context,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="The port to listen on.")] = 8_700,
    secure_cookies: Annotated[
        bool,
        typer.Option("--secure-cookies", help="Browsers reach the page by https, through a proxy that ends TLS."),
    ] = False,
) -> None:
    """Serve the page: queues, jobs, dead letters and workers, for the users in DASHBOARD_USERS."""
    if ctx.invoked_subcommand is not None:
        return
    if not secure_cookies and not is_loopback(host):
        fail(
            f"--host {host}: passwords would cross the network unencrypted. Put a proxy that ends TLS in front, "
            "and add --secure-cookies"
        )
    serve = _import_serve()
    settings = _load()

    def say_where() -> None:
        typer.echo(f"The page: http://{address_of(host, port)}/ (Ctrl-C ends)", err=True)

    run(lambda: serve(settings, host, port, is_secure=secure_cookies, on_start=say_where))


@app.command("hash-password")
def print_hash() -> None:
    """Ask for a password and print its hash, for DASHBOARD_USERS=NAME:ROLE:HASH."""
    password = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    if not LEAST_LENGTH <= len(password) <= LONGEST:
        fail(f"the password needs {LEAST_LENGTH} to {LONGEST:,} characters")
    typer.echo(hash_password(password))


def _load() -> Settings:
    try:
        settings = load_settings()
        configure_logging(settings)
    except ConfigurationError as error:
        fail(f"The page cannot start.\n{error}")
    return settings


def _import_serve() -> Any:
    try:
        from worker.monitoring.dashboard.server import serve  # noqa: PLC0415 (needs the extra)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in {"fastapi", "jinja2", "markupsafe", "starlette", "uvicorn"}:
            fail(f"the page needs {error.name}: pip install 'hospital-registry-worker[dashboard]'")
        raise
    return serve
