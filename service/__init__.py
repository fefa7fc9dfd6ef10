"""service: the only room that knows HTTP, SQL, users and the clock.

It wires the other rooms into what people use: the triage use case, the decision log, the HTTP API, the command line and
the set-up of a fresh machine. Public names: :func:`service.triage.propose`, :class:`service.snapshot.Snapshot`,
:func:`service.api.app.create_app`, :class:`service.settings.Settings`.
"""
