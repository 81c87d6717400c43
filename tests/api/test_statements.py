"""How many statements an operation asks of PostgreSQL: the same for one row and for a hundred."""

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from psycopg import AsyncConnection, AsyncCursor

from api.app import Server
from api.schema import schema
from api.transport.execution import Asked, Execution
from api.viewer import Viewer
from domain.rights import Scope
from domain.vocabulary import Role
from projections import projector, versions
from projections.pool import read_pool
from regions.catalogue import Catalogue
from regions.node import Node
from regions.postgres import Server as Postgres
from tests.api.conftest import SECRET, fresh_database, node_on
from tests.scenarios import NOON, closed, registered

DAY = {"first": "2026-03-02", "last": "2026-03-02"}  # NOON's, in New York
MANY = 6
