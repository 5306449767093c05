"""The one exception for whatever a user, a recipe or a data set can cause."""


class InputError(ValueError):
    """Bad input, reported in at most three lines: what was asked, what was found, where, and what to do.

    The command line prints the message alone and exits with 2; in Python it is an ordinary `ValueError`.
    """
