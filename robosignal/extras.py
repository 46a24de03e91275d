"""What to install when a part of the package lacks its dependencies."""


class MissingExtra(ModuleNotFoundError):
    """A part of the package needs an extra that is not installed: the text says how to install it.

    `extra` is its name, as in `pip install 'robosignal[robot]'`.
    """

    def __init__(self, what: str, extra: str, missing: ModuleNotFoundError) -> None:
        text = f"{what} needs {missing.name}: pip install 'robosignal[{extra}]'"
        super().__init__(text, name=missing.name, path=missing.path)
        self.extra = extra


def explain(what: str, extra: str, missing: ModuleNotFoundError) -> ModuleNotFoundError:
    """Return the error to raise for a module that is missing: `MissingExtra`, naming `extra`.

    What is explained already is returned as it is. So is a missing module of robosignal's own,
    which is a fault.
    """
    if isinstance(missing, MissingExtra):
        return missing
    is_own = (missing.name or "robosignal").partition(".")[0] == "robosignal"
    return missing if is_own else MissingExtra(what, extra, missing)
