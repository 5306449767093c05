"""File-system faults in this process: `os` with an operation that crashes, or answers with an error."""

import os


class Crash(BaseException):
    """The process would be gone here: nothing may catch it to tidy up."""


class Faults:
    """Stands in for the `os` module of `lit_vision.runs.durable` and counts what is done to files.

    Args:
        crash: Number of the operation and `before`, `within` or `after` it.
        error: Name of an operation and the error number it gives from now on.
    """

    OPERATIONS = ("mkdir", "open", "write", "fsync", "close", "replace", "unlink", "link")

    def __init__(self, crash=None, error=None):
        self.crash = crash
        self.error = error
        self.names = []

    def __getattr__(self, name):
        real = getattr(os, name)
        return (lambda *args, **kwargs: self._do(name, real, args, kwargs)) if name in self.OPERATIONS else real

    def _do(self, name, real, args, kwargs):
        number = len(self.names)
        self.names.append(name)
        if self.error and self.error[0] == name:
            raise OSError(self.error[1], os.strerror(self.error[1]))
        if self.crash is None:
            return real(*args, **kwargs)
        if number > self.crash[0]:
            raise Crash  # a dead process does nothing more, in `finally` neither
        if self.crash == (number, "before"):
            raise Crash
        if self.crash == (number, "within") and name == "write":
            real(args[0], bytes(args[1])[: len(args[1]) // 2])
            raise Crash
        result = real(*args, **kwargs)
        if number == self.crash[0]:
            raise Crash
        return result


def operations(action, module, monkeypatch):
    """Names of the file operations that `action` does through `module.os`."""
    faults = Faults()
    monkeypatch.setattr(module, "os", faults)
    action()
    monkeypatch.setattr(module, "os", os)
    return faults.names


def crash_points(names):
    """Every instant at which a process can die: before, within and after each operation."""
    return [
        (number, when)
        for number, name in enumerate(names)
        for when in ("before", "within", "after")
        if when != "within" or name == "write"
    ]
