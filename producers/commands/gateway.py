"""`hospital-producer gateway`: the HTTP API, and the keys for it."""

from typing import Annotated, Any

import typer

from producers.commands.support import DONE
from worker.errors import ConfigurationError
from worker.help_group import HelpGroup
from worker.listening import address_of, is_loopback
from worker.settings import load_settings

app = typer.Typer(cls=HelpGroup, invoke_without_command=True)


@app.callback()
def gateway(
    ctx: typer.Context,
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="port to listen on")] = 8_800,
    behind_proxy: Annotated[
        bool, typer.Option("--behind-proxy", help="clients reach it by https, through a proxy that ends TLS")
    ] = False,
) -> int:
    """Serve the HTTP API: jobs, uploads, outcomes, hospitals and imports, for the keys in GATEWAY_KEYS."""
    if ctx.invoked_subcommand is not None:
        return DONE
    if not behind_proxy and not is_loopback(host):
        raise ConfigurationError(
            f"--host {host}: keys would cross the network unencrypted. Put a proxy that ends TLS in front, and add "
            "--behind-proxy"
        )
    serve, configure_logging, run = _import_serve()
    settings = load_settings()
    configure_logging(settings)

    def say_where() -> None:
        typer.echo(f"The gateway: http://{address_of(host, port)}/v1/openapi.json (Ctrl-C ends)", err=True)

    run(serve(settings, host, port, is_behind_proxy=behind_proxy, on_start=say_where))
    return DONE


@app.command("make-key")
def make_key(
    name: Annotated[str, typer.Argument(metavar="NAME", help="owner of the key, the actor in the audit log")],
    scopes: Annotated[
        list[str], typer.Option("--scope", metavar="SCOPE", help="read, enqueue or operate; repeatable")
    ],
) -> int:
    """Make a key, and print it and its entry for GATEWAY_KEYS. The key is kept nowhere."""
    from producers.gateway import keys  # noqa: PLC0415 (imported when it is used, as all commands)

    if unknown := [scope for scope in scopes if scope not in keys.SCOPES]:
        raise ConfigurationError(f"--scope {unknown[0]}: expected {', '.join(keys.SCOPES)}")
    key = keys.make_key()
    typer.echo(f"key:   {key}\nentry: {keys.entry_of(name, [it for it in keys.SCOPES if it in scopes], key)}")
    return DONE


def _import_serve() -> Any:
    try:
        import uvloop  # noqa: PLC0415 (needs the extra)

        from producers.gateway.server import serve  # noqa: PLC0415 (as above)
        from worker.logs import configure_logging  # noqa: PLC0415 (as above)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "producers", "worker"):
            raise
        raise ConfigurationError(
            f"the gateway needs {package}: pip install 'hospital-registry-worker[gateway]'"
        ) from None
    return serve, configure_logging, uvloop.run
