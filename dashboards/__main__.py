"""``python -m dashboards``: open a campaign in the browser."""

import argparse
import getpass
import sys

from campaigns.envelope import Actor
from doe.errors import ExperimentError


def main(arguments: list[str] | None = None) -> int:
    """Serve the app until it is interrupted; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m dashboards",
        description="Open a campaign in the browser, on this machine only.",
        epilog="example: python -m dashboards --store study.db --campaign titre --actor ana",
    )
    parser.add_argument("--store", help="path or URL of the store (default: the demonstration)")
    parser.add_argument("--campaign", help="name of the campaign (default: the only one there)")
    parser.add_argument("--actor", help="id of the account to write as (default: your login)")
    parser.add_argument("--port", type=int, help="port to serve on (default: 5006 or a free one)")
    parser.add_argument("--no-browser", action="store_true", help="do not open the browser")
    chosen = parser.parse_args(arguments)
    try:
        return _serve(chosen)
    except ExperimentError as error:
        sys.stderr.write(f"bayeswell: {error}\n")
        return 2
    except KeyboardInterrupt:
        return 0


def _serve(chosen: argparse.Namespace) -> int:
    from dashboards.app import ADDRESS, Options, free_port, serve

    actor = Actor(chosen.actor or getpass.getuser())
    store = chosen.store
    port = free_port(chosen.port)
    options = Options(store, chosen.campaign, actor)
    sys.stdout.write(f"Bayeswell is at http://{ADDRESS}:{port} (stop it with Ctrl-C)\n")
    sys.stdout.flush()
    serve(options, port=port, open_browser=not chosen.no_browser)
    return 0


if __name__ == "__main__":
    sys.exit(main())
