"""`python -m api.demo.platforms --port N [--state FILE] [--webhooks URL] [--accounts FILE]`"""

import argparse
from pathlib import Path

import uvicorn

from api.demo.platforms.accounts import load
from api.demo.platforms.app import create_app


def main() -> None:
    """Serve on this machine only, until it is told to stop."""
    options = argparse.ArgumentParser(description="Stand-ins for the platforms")
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--state", default=":memory:", help="a file that survives a kill")
    options.add_argument("--webhooks", help="where events go, as http://127.0.0.1:8000")
    options.add_argument("--accounts", type=Path, help="JSON list of pages and bots")
    given = options.parse_args()
    app = create_app(given.state, load(given.accounts), given.webhooks)
    uvicorn.run(app, host="127.0.0.1", port=given.port, log_config=None, access_log=False)


if __name__ == "__main__":
    main()
