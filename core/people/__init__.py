"""Signing in: providers (OpenID Connect), second factors, sessions, and the question for a new proof.

Theory of operation
===================
A session begins by Django's `login`, whichever door calls it: the log-in page by name and password, or the callback of
a provider. The receiver of `user_logged_in` (sessions.py) then writes a mark into the session: the time and the way of
the proof, and the stage of the sign-in (marks.py). There are three stages:
- FULL: the person is signed in;
- SECOND: the account has a second factor, which the person has not given yet;
- SET_UP: the account must have a second factor and has none.

`SignedInPerson` (middleware.py) takes the place of Django's middleware. It gives `request.user` the person only in the
stage FULL. A session in another stage, and a session without a mark, is anonymous to each page and to the API, so that
a door that forgets to ask opens nothing. Only the pages of this package see the person of an unfinished sign-in.

A provider's account belongs to a user by its issuer and subject alone (SignInIdentity). An e-mail address or a name
never finds an account, because a provider may let people choose them. Authlib sends the person to the provider (PKCE,
state and nonce) and verifies the ID token; provider_client.py adds the checks that Authlib leaves out: the issuer of
the metadata and of the callback (RFC 9207), the algorithm, the audience, and that an ID token came at all. All
requests to a provider go through the guarded client (core.net).

A step that others' trust depends on asks for a new proof if the mark's time is older than 15 minutes. The roof says
which pages these are (fedhub.sensitive_pages).

Wrong codes and wrong passkeys count as failures of the name (core.signin), as wrong passwords do, under a realm of
their own. A code works once: a compare-and-set of its time step or of its row accepts it.
"""
