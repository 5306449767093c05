"""Where a sweep's study lives: SQLite, another database, or a journal file. No torch here."""

import time
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

from lit_vision.errors import InputError

_SQLITE = (".db", ".sqlite", ".sqlite3")
_WAIT = 60  # seconds that a statement waits for another agent's
_TRIES = 10

optuna.logging.set_verbosity(optuna.logging.WARNING)


def open_storage(place: str) -> BaseStorage:
    """Opens a storage, made if missing.

    Args:
        place: A database URL (`postgresql://…`, `mysql://…`, `sqlite:///…`), an SQLite file (`.db`), or any other
            path: a journal file, which works on shared file systems where SQLite's locks do not.

    Raises:
        InputError: If it cannot be opened.
    """
    try:
        if "://" in place:
            return _database(place)
        path = Path(place)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in _SQLITE:
            return _database(f"sqlite:///{path.resolve()}")
        return JournalStorage(JournalFileBackend(str(path)))
    except Exception as error:  # whatever a driver raises: not installed, no such server, no rights
        told = " ".join(str(error).split())[:200]
        raise InputError(f"--storage {place} cannot be opened: {told}") from None


def _database(url: str) -> RDBStorage:
    sqlite = url.startswith("sqlite")
    for attempt in range(_TRIES):
        try:
            storage = RDBStorage(url, engine_kwargs={"connect_args": {"timeout": _WAIT}} if sqlite else None)
            break
        except Exception as error:
            # Agents that start together make the tables at the same time, and the second is told that they exist.
            if "exist" not in str(error) and "lock" not in str(error) and "UNIQUE" not in str(error):
                raise
            if attempt == _TRIES - 1:
                raise
            time.sleep(0.2)
    if sqlite:
        _lock_at_once(storage.engine)
    return storage


def _lock_at_once(engine: Any) -> None:
    """Lets SQLite lock the file when a transaction begins, not at its first write.

    Optuna claims a trial by reading its state and then writing it, under a row lock that SQLite does not have: two
    agents could both read that a trial waits. (SQLAlchemy's manual, SQLite dialect, gives these two hooks.)
    """
    from sqlalchemy import event

    def connected(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # the driver begins no transactions of its own

    def begun(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)
    engine.dispose()  # connections that were made before the hooks
