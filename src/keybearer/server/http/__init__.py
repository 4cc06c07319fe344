"""The only way in, for the wire, the pages and the files.

    request.py          a request, parsed once
    routing.py          routes: method, path, handler, rule and body limits; and the places they share
    admission.py        the order of all checks, stated once
    authentication.py   who sends a request, by a key or by a session
    limits.py           how often callers may call
    body.py             the body, within its bounds
    csrf.py             whether a change was sent by a page of this server
    proxies.py          what trusted proxies report about a request
    front_door.py       the ASGI application: finds the place, admits, and answers through a door

`api` and `web` are the doors. They decide how answers, refusals and failures look.
"""
