"""What to install when a part of the package lacks its dependencies."""


def explain(what: str, extra: str, missing: ModuleNotFoundError) -> ModuleNotFoundError:
    """Return the error for a module that is missing, with the extra that brings it.

    One of robosignal's own is a fault and no missing extra: it is returned as it is.
    """
    if missing.name is None or missing.name.partition(".")[0] == "robosignal":
        return missing
    text = f"{what} needs {missing.name}: pip install 'robosignal[{extra}]'"
    return ModuleNotFoundError(text, name=missing.name, path=missing.path)
