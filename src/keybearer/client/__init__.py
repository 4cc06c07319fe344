"""The client of Zulip's API, synchronous and asynchronous, on credentials.

Pure, shared by both:

    operations/       the calls, one module per noun; parameters.py and uploads.py write their values
    models.py         what calls about accounts, bots and keys return; conversation.py the same for messages and events
    wire.py           from JSON to those values
    session.py        what a client knows and remembers
    protocol.py       a call as a flow of steps (exchange.py), with answers.py, redirects.py and retry.py to judge them
    rotation.py       going on with a newer key; regeneration.py makes one; bot_keys.py finds a bot's
    event_loop.py     listening

With input and output:

    sync.py           Client, on runner.py and transport.py
    asynchronous.py   AsyncClient, on async_driver.py and async_transport.py
    tls.py            what is trusted and shown; handshake.py says why a handshake failed
    source.py         where credentials come from: the only dealings with the store
"""
