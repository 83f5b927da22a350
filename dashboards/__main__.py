"""``python -m dashboards``: open a campaign in the browser."""

import argparse
import sys

from doe.errors import ExperimentError

_EXAMPLE = "example: python -m dashboards --store study.sqlite --campaign titre --actor ana"
_USAGE_ERROR = 2


def main(arguments: list[str] | None = None) -> int:
    """Serve the app until it is interrupted; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m dashboards",
        description="Open a campaign in the browser, on this machine only.",
        epilog=_EXAMPLE,
    )
    parser.add_argument("--store", help="file or URL of the store (default: the demonstration)")
    parser.add_argument("--campaign", help="name of the campaign (default: the only one there)")
    parser.add_argument("--actor", help="who acts, as the record will say (default: your login)")
    parser.add_argument("--port", type=int, help="port to serve on (default: 5006 or a free one)")
    parser.add_argument("--no-browser", action="store_true", help="do not open the browser")
    chosen = parser.parse_args(arguments)
    try:
        _open(chosen)
    except ExperimentError as error:
        sys.stderr.write(f"bayeswell: {error}\n")
        return _USAGE_ERROR
    except KeyboardInterrupt:
        sys.stdout.write("\n")
    return 0


def _open(chosen: argparse.Namespace) -> None:
    from campaigns.commands.session import actor_of
    from dashboards.app import ADDRESS, Options, free_port, serve

    actor = actor_of(chosen.actor)
    port = free_port(chosen.port)
    store = chosen.store or _demonstration(chosen.actor)
    sys.stdout.write(f"Bayeswell is at http://{ADDRESS}:{port} (stop it with Ctrl-C)\n")
    sys.stdout.flush()
    options = Options(store, chosen.campaign, actor)
    serve(options, port=port, open_browser=not chosen.no_browser)


def _demonstration(actor: str | None) -> str:
    """Return the store of the demonstration, which is played first where it was not yet."""
    from campaigns.commands.session import actor_of
    from campaigns.demo import DEFAULT_FOLDER, play
    from campaigns.demo_folder import MANIFEST, STORE

    store = DEFAULT_FOLDER / STORE
    # The manifest is written last: without it the demonstration was interrupted.
    if store.is_file() and (DEFAULT_FOLDER / MANIFEST).is_file():
        return str(store)
    sys.stdout.write("There is no demonstration yet: it is played now, once.\n")
    return str(play(DEFAULT_FOLDER, actor=actor_of(actor))["store"])


if __name__ == "__main__":
    sys.exit(main())
