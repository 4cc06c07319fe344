"""The one way in, for the wire, the pages and the files alike.

    request.py          a request, taken apart once
    routing.py          routes: method, path, handler, rule and body limits; and the places they share
    admission.py        the order of all checks, stated once
    authentication.py   who calls: by a key or by a session
    limits.py           how often
    body.py             the body, within its bounds
    csrf.py             whether a page of ours sent a change
    proxies.py          what trusted proxies say of a request
    front_door.py       the ASGI application: finds the place, admits, and answers by the door it came through

`api` and `web` are the doors: how answers, refusals and failures look there.
"""
