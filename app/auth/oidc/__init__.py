"""OpenID Connect as the relying party: calls to providers, and every check of what comes back.

A client of our own over `joserfc`, because each call has to go through the outbound guard and be bounded in size and
time. What does not fit is refused with a sentence of its own.
"""
