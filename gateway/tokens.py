"""Tokens: signed statements of who somebody is (ES256 JWT), issued and verified with everything pinned.

What an attacker writes in a header decides nothing: the algorithm is fixed, `kid` is looked up in a map of
known keys, `jku`, `x5u` and `jwk` are never read (RFC 8725; faults.md A1-A6).
"""

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import jwt
import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from jwt.utils import base64url_decode, base64url_encode, der_to_raw_signature
from msgspec import Meta

from gateway.keys import Jwk, Jwks, SigningKey
from persistence.errors import PlayheadError, SetupError

Typ = Literal["access", "refresh", "sign-in", "media"]
Reason = Literal[
    "too_large", "malformed", "algorithm", "unknown_key", "type", "signature", "claims", "expired", "not_yet"
]

LIFETIMES_S: dict[str, int] = {
    "access": 15 * 60,
    "refresh": 30 * 24 * 3600,
    "sign-in": 12 * 3600,
    "media": 15 * 60,
}
"""How long a token of each type is good, unless the issuer says otherwise."""

MEDIA_WINDOW_S = LIFETIMES_S["media"] // 2
"""Media tokens are the same inside one window and good for one to two: a lifetime at most (faults.md S2)."""

ISSUER = AUDIENCE = "playhead"
TOKEN_MAX_BYTES = 4096
SKEW_S = 60
"""How far a token may come from the future before it is refused (RFC 7519, 4.1.6; A4)."""

VERIFIED_MAX = 32_768
"""Access tokens remembered as verified: a device that comes back costs no second signature (F22)."""

KNOWN_HEADERS_MAX = 32
"""Headers of good tokens remembered; one issuer writes as many as it has keys and types."""

_ALGORITHM = "ES256"
_CLOCK_MAX_S = 2**40

Text = Annotated[str, Meta(max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")]
Seconds = Annotated[int, Meta(gt=0, le=_CLOCK_MAX_S)]


class TokenRefused(PlayheadError):
    """A token is not accepted; the peer is told no more than that. `reason` is for logs and tests."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(f"the token is refused ({reason}); sign in again")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a verified token speaks for. `name` is for people; `item` and `version` only in a media token."""

    student: str
    name: str
    expires_at_s: int
    item: str = ""
    version: str = ""


class _Header(msgspec.Struct, frozen=True):
    alg: str
    kid: Annotated[str, Meta(max_length=64)]
    typ: str


class _Claims(msgspec.Struct, frozen=True, omit_defaults=True):
    iss: str
    aud: str
    sub: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]
    iat: Seconds
    exp: Seconds
    nbf: Seconds | None = None
    jti: str = ""
    name: Text = ""
    item: Text = ""
    version: Text = ""


class _DeterministicES256(ECAlgorithm):
    """ES256 by RFC 6979: no randomness to get wrong, and a media URL stays the same inside its window."""

    def __init__(self) -> None:
        super().__init__(ECAlgorithm.SHA256, ec.SECP256R1)

    def sign(self, msg: bytes, key: ec.EllipticCurvePrivateKey) -> bytes:
        der = key.sign(msg, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        return der_to_raw_signature(der, key.curve)


_es256 = _DeterministicES256()
_jws = jwt.PyJWS(algorithms=[])
_jws.register_algorithm(_ALGORITHM, _es256)
_header_decoder = msgspec.json.Decoder(_Header)
_claims_decoder = msgspec.json.Decoder(_Claims)


class TokenIssuer:
    """Signs tokens with the newest key. `clock` gives seconds since 1970."""

    def __init__(self, key: SigningKey, clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self._clock = clock

    def issue(self, typ: Typ, student: str, name: str = "", *, lifetime_s: int | None = None) -> str:
        """A token of `typ` for a student. Two calls never give the same token."""
        now_s = int(self._clock())
        expires_s = now_s + (LIFETIMES_S[typ] if lifetime_s is None else lifetime_s)
        shown = "".join(character for character in name if character.isprintable())[:64]
        return self._sign(typ, _claims(student, now_s, expires_s, jti=secrets.token_urlsafe(12), name=shown))

    def issue_media(
        self, student: str, item: str, version: str, window_s: int = MEDIA_WINDOW_S
    ) -> tuple[str, int]:
        """A student's right to read one version of an item, and when it ends (seconds since 1970).

        The same token for everybody who asks inside one window, so that caches hit; good for one to two
        windows from now.
        """
        begin_s = int(self._clock()) // window_s * window_s
        expires_s = begin_s + 2 * window_s
        claims = _claims(student, begin_s, expires_s, item=item, version=version)
        return self._sign("media", claims), expires_s

    def _sign(self, typ: Typ, claims: _Claims) -> str:
        header = {"typ": typ, "kid": self._key.kid}
        return _jws.encode(msgspec.json.encode(claims), self._key.private, _ALGORITHM, header)


def _claims(
    student: str, iat: int, exp: int, *, jti: str = "", name: str = "", item: str = "", version: str = ""
) -> _Claims:
    return _Claims(
        iss=ISSUER,
        aud=AUDIENCE,
        sub=student,
        iat=iat,
        exp=exp,
        jti=jti,
        name=name,
        item=item,
        version=version,
    )


class TokenVerifier:
    """Accepts what one of the known keys signed. `clock` gives seconds since 1970.

    A header that a good token had is not taken apart again, and a good access token is recognised by its
    hash until it runs out: both save work, neither lets anything through that was not verified as a whole.
    """

    def __init__(self, jwks: Jwks, clock: Callable[[], float] = time.time) -> None:
        self._keys = {key.kid: _public_key(key) for key in jwks.keys}
        self._clock = clock
        self._known_headers: dict[tuple[str, Typ], ec.EllipticCurvePublicKey] = {}
        self._verified: dict[bytes, Identity] = {}

    def verify(self, token: str, typ: Typ = "access") -> Identity:
        """Who the token speaks for. Raises `TokenRefused`, whatever the input is."""
        if len(token) > TOKEN_MAX_BYTES:
            raise TokenRefused("too_large")
        # Two dots: a JWS. Four would be an encrypted token (JWE), which we have no use for.
        if not token.isascii() or token.count(".") != 2:
            raise TokenRefused("malformed")
        if typ != "access":
            return self._verify(token, typ)
        digest = hashlib.sha256(token.encode("ascii")).digest()
        known = self._verified.get(digest)
        if known is None:
            known = self._verify(token, typ)
            self._verified[digest] = known
            if len(self._verified) > VERIFIED_MAX:
                del self._verified[next(iter(self._verified))]
        elif known.expires_at_s <= self._clock():
            del self._verified[digest]
            raise TokenRefused("expired")
        return known

    def _verify(self, token: str, typ: Typ) -> Identity:
        header = token[: token.index(".")]
        key = self._known_headers.get((header, typ))
        if key is not None:
            return self._identity(_payload_of(token, key))
        key = self._key_of(token, typ)
        try:
            payload = _jws.decode(token, key, algorithms=[_ALGORITHM])
        except jwt.InvalidSignatureError as error:
            raise TokenRefused("signature") from error
        except (jwt.InvalidTokenError, ValueError, TypeError, RecursionError) as error:
            raise TokenRefused("malformed") from error
        identity = self._identity(payload)
        if len(self._known_headers) < KNOWN_HEADERS_MAX:
            self._known_headers[header, typ] = key
        return identity

    def _key_of(self, token: str, typ: Typ) -> ec.EllipticCurvePublicKey:
        try:
            header = _header_decoder.decode(base64url_decode(token[: token.index(".")]))
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise TokenRefused("malformed") from error
        if header.alg != _ALGORITHM:
            raise TokenRefused("algorithm")
        if header.typ != typ:
            raise TokenRefused("type")
        key = self._keys.get(header.kid)
        if key is None:
            raise TokenRefused("unknown_key")
        return key

    def _identity(self, payload: bytes) -> Identity:
        try:
            claims = _claims_decoder.decode(payload)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise TokenRefused("claims") from error
        now_s = self._clock()
        if claims.iss != ISSUER or claims.aud != AUDIENCE:
            raise TokenRefused("claims")
        if claims.exp <= now_s:
            raise TokenRefused("expired")
        if max(claims.iat, claims.nbf or 0) > now_s + SKEW_S:
            raise TokenRefused("not_yet")
        return Identity(claims.sub, claims.name, claims.exp, claims.item, claims.version)


def _payload_of(token: str, key: ec.EllipticCurvePublicKey) -> bytes:
    """What stands in a token whose header is known to be good. Raises `TokenRefused`."""
    signed, _, signature = token.rpartition(".")
    if not _es256.verify(signed.encode("ascii"), key, _segment(signature)):
        raise TokenRefused("signature")
    return _segment(signed[signed.index(".") + 1 :])


def _segment(text: str) -> bytes:
    """The bytes of base64url text that is written the one right way. Raises `TokenRefused`."""
    written = text.encode("ascii")
    try:
        found = base64url_decode(written)
    except ValueError as error:
        raise TokenRefused("malformed") from error
    if base64url_encode(found) != written:
        raise TokenRefused("malformed")
    return found


def _public_key(jwk: Jwk) -> ec.EllipticCurvePublicKey:
    if (jwk.kty, jwk.crv, jwk.alg) != ("EC", "P-256", _ALGORITHM):
        raise SetupError(f"the key {jwk.kid} is no P-256 key for {_ALGORITHM}; take it out of the key set")
    try:
        x, y = (int.from_bytes(base64url_decode(part), "big") for part in (jwk.x, jwk.y))
        return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    except ValueError as error:
        raise SetupError(f"the key {jwk.kid} is no point of P-256; take it out of the key set") from error
