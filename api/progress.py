"""What a person sees while something takes long."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn
from rich.progress import TimeElapsedColumn as Elapsed
from rich.table import Table

console = Console()


def show(table: Table) -> None:
    """Print a table; into a file or a pipe, as wide as it needs."""
    (console if console.is_terminal else Console(width=200)).print(table)


@contextmanager
def bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar; call what it gives with done and in all. It appears with the first call."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
        Elapsed(),
    )
    tasks: list[TaskID] = []
    with Progress(*columns, console=console) as shown:

        def progress(done: int, in_all: int) -> None:
            if not tasks:
                tasks.append(shown.add_task(title, total=in_all))
            shown.update(tasks[0], completed=done, total=in_all)

        yield progress
