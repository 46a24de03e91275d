"""Mutants that no test can notice, each with the reason.

A name here excuses a survivor; nothing else does.
"""

EQUIVALENT: dict[str, str] = {}
