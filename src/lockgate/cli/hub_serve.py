"""`lockgate hub serve`: a team's service on a hub."""

from __future__ import annotations

from pathlib import Path

import click

from lockgate.cli.hub_choice import choose_hub

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("serve")
@click.argument("folder", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", default=8321, show_default=True, type=click.IntRange(0, 65535), help="0: any free one."
)
@click.option(
    "--tls-cert", type=_FILE, metavar="FILE", help="A certificate (PEM, with its chain): serve HTTPS."
)
@click.option("--tls-key", type=_FILE, metavar="FILE", help="The certificate's key (PEM).")
@click.option("--public-url", metavar="URL", help="How members reach it, where that is not HOST:PORT.")
@click.option("--prefix", metavar="/PATH", help="The path below which a reverse proxy has it.")
@click.option("--database", metavar="URL", help="The search index: postgresql://…; without it a file in DIR.")
@click.option(
    "--workers-drain-s",
    "drain_s",
    default=600.0,
    show_default=True,
    type=click.FloatRange(min=0),
    metavar="S",
    help="How long pushes under way may take to end, at a restart or the end.",
)
def command(
    folder: Path | None,
    host: str,
    port: int,
    tls_cert: Path | None,
    tls_key: Path | None,
    public_url: str | None,
    prefix: str | None,
    database: str | None,
    drain_s: float,
) -> None:
    """Serve a hub: git over HTTP, the API, web pages. Ends with Ctrl-C; SIGHUP restarts it, dropping no push.

    \b
    Examples:
      lockgate hub serve /srv/hub
      lockgate hub serve /srv/hub --host 0.0.0.0 --tls-cert hub.pem --tls-key hub.key
    """
    from lockgate.hub.operation.logline import start_logging  # noqa: PLC0415
    from lockgate.hub.operation.supervisor import ServeOptions, serve  # noqa: PLC0415

    place = choose_hub(folder)
    start_logging()
    options = ServeOptions(
        host=host,
        port=port,
        tls_cert=tls_cert and tls_cert.absolute(),
        tls_key=tls_key and tls_key.absolute(),
        public_url=public_url,
        prefix=prefix,
        database=database,
        drain_s=drain_s,
    )
    code = serve(place, options)
    if code:
        raise click.exceptions.Exit(code)
