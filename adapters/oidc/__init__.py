"""OpenID Connect: the client of an identity provider, and what a browser keeps while its person logs in there."""
