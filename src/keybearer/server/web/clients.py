"""The names of clients: what a program says about itself, turned into what a person recognises."""

from __future__ import annotations

import re

_BROWSERS = (
    ("Edge", re.compile(r"\bEdg(?:e|A|iOS)?/(\d+)")),
    ("Opera", re.compile(r"\bOPR/(\d+)")),
    ("Samsung Internet", re.compile(r"\bSamsungBrowser/(\d+)")),
    ("Firefox", re.compile(r"\b(?:Firefox|FxiOS)/(\d+)")),
    ("Chrome", re.compile(r"\b(?:HeadlessChrome|Chrome|CriOS)/(\d+)")),
    ("Safari", re.compile(r"\bVersion/(\d+)[\d.]* (?:Mobile/\S+ )?Safari/")),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def client_name(user_agent: str) -> str:
    """`Firefox 145 on Linux`, `ZulipPython 0.9.1`. An unknown text is shown as it was sent, shortened."""
    if not user_agent:
        return "an unnamed program"
    if user_agent.startswith("Mozilla/"):
        system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
        for browser, pattern in _BROWSERS:
            found = pattern.search(user_agent)
            if found:
                return f"{browser} {found[1]}{f' on {system}' if system else ''}"
        return f"a browser{f' on {system}' if system else ''}"
    product = re.match(r"([\w.-]{1,40})/([\w.+-]{1,20})", user_agent)
    return f"{product[1]} {product[2]}" if product else user_agent[:60]
