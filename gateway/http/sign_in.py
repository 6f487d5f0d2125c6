"""Signing in with a link, and staying signed in: tokens for tokens, each type for its one use."""

from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.http.problems import unauthorized
from gateway.http.routes import Call, Route, Who
from gateway.keys import Jwks
from gateway.tokens import LIFETIMES_S, TOKEN_MAX_BYTES, TokenRefused, Typ
from persistence import students
from persistence.students import Student

TokenText = Annotated[str, Meta(min_length=1, max_length=TOKEN_MAX_BYTES)]


class SignIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The code of a sign-in link: `http://HOST/#sign-in=<code>`; good for 12 h, again and again."""

    code: TokenText


class Refresh(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The refresh token of the sign-in before."""

    refresh_token: TokenText


class SignedIn(msgspec.Struct, frozen=True):
    """Who is signed in: the access token for every call, the refresh token for the next one."""

    access_token: str
    refresh_token: str
    expires_in_s: int
    student: Student


def routes() -> list[Route]:
    """Sign in, stay signed in, and the keys for others who verify our tokens."""
    return [
        Route(
            "POST",
            "/v1/sign-in",
            Who.ANYONE,
            sign_in,
            "Sign in with the code of a link",
            SignedIn,
            takes=SignIn,
            problems=(401,),
        ),
        Route(
            "POST",
            "/v1/token/refresh",
            Who.ANYONE,
            refresh,
            "Exchange a refresh token for new tokens",
            SignedIn,
            takes=Refresh,
            problems=(401,),
        ),
        Route("GET", "/.well-known/jwks.json", Who.ANYONE, jwks, "The keys our tokens are signed with", Jwks),
    ]


async def sign_in(call: Call) -> SignedIn:
    """A code becomes tokens."""
    return await _exchange(call, call.body(SignIn).code, "sign-in")


async def refresh(call: Call) -> SignedIn:
    """A refresh token becomes new tokens."""
    return await _exchange(call, call.body(Refresh).refresh_token, "refresh")


async def jwks(call: Call) -> Jwks:
    """The public keys."""
    return call.deps.jwks


async def _exchange(call: Call, token: str, typ: Typ) -> SignedIn:
    """Tokens for the student of a token of `typ`, if there still is one."""
    try:
        identity = call.deps.verifier.verify(token, typ)
    except TokenRefused as error:
        raise unauthorized() from error
    student = await students.find(call.deps.postgres, identity.student)
    if student is None:
        raise unauthorized()
    return SignedIn(
        access_token=call.deps.issuer.issue("access", student.id, student.name),
        refresh_token=call.deps.issuer.issue("refresh", student.id, student.name),
        expires_in_s=LIFETIMES_S["access"],
        student=student,
    )
