"""Tokens against A1-A6 of the fault list: what is not signed by us, for this use and now, is refused."""

import base64
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gateway.keys import Jwks, Keys, open_keys, rotate_keys
from gateway.tokens import SKEW_S, TokenIssuer, TokenRefused, TokenVerifier, Typ
from persistence.errors import SetupError

NOW_S = 1_800_000_000


def clock() -> float:
    return NOW_S


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return open_keys(tmp_path / "keys")


@pytest.fixture
def issuer(keys: Keys) -> TokenIssuer:
    return TokenIssuer(keys.signing, clock)


@pytest.fixture
def verifier(keys: Keys) -> TokenVerifier:
    return TokenVerifier(keys.jwks, clock)


def part(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def claims(**changes: Any) -> dict[str, Any]:
    whole = {"iss": "playhead", "aud": "playhead", "sub": "mira", "iat": NOW_S, "exp": NOW_S + 60} | changes
    return {name: value for name, value in whole.items() if value is not None}


@pytest.fixture(params=["first", "header known"], autouse=True)
def warm(request: pytest.FixtureRequest, issuer: TokenIssuer, verifier: TokenVerifier) -> None:
    """Every attack meets a verifier that has not seen a good token yet, and one that has."""
    if request.param == "header known":
        for typ in ("access", "refresh", "sign-in", "media"):
            verifier.verify(issuer.issue(typ, "somebody else"), typ)


def signed(keys: Keys, payload: dict[str, Any], **header: Any) -> str:
    """What our own key signs, with a header and claims of the attacker's dreams."""
    head = {"kid": keys.signing.kid, "typ": "access"} | header
    return jwt.encode(payload, keys.signing.private, "ES256", headers=head)


def reason(verifier: TokenVerifier, token: str, typ: Typ = "access") -> str:
    with pytest.raises(TokenRefused) as refused:
        verifier.verify(token, typ)
    return refused.value.reason


def test_a_token_says_who_and_until_when(issuer: TokenIssuer, verifier: TokenVerifier) -> None:
    identity = verifier.verify(issuer.issue("access", "mira", "Mira\n"))
    assert (identity.student, identity.name, identity.expires_at_s) == ("mira", "Mira", NOW_S + 900)
    assert issuer.issue("access", "mira") != issuer.issue("access", "mira")


@pytest.mark.parametrize("alg", ["none", "NoNe", "", "HS256", "RS256", "ES384", None, 5])
def test_a1_algorithm_of_the_header_decides_nothing(keys: Keys, verifier: TokenVerifier, alg: object) -> None:
    head = part({"alg": alg, "kid": keys.signing.kid, "typ": "access"})
    for signature in ("", part(b"x" * 64)):
        assert reason(verifier, f"{head}.{part(claims())}.{signature}") in {"algorithm", "malformed"}


def test_a1_public_key_is_no_hmac_secret(keys: Keys, verifier: TokenVerifier) -> None:
    public = keys.signing.private.public_key()
    for secret in (
        public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        json.dumps({"kid": keys.signing.kid}).encode(),
    ):
        body = f"{part({'alg': 'HS256', 'kid': keys.signing.kid, 'typ': 'access'})}.{part(claims())}"
        signature = hmac.new(secret, body.encode(), hashlib.sha256).digest()
        assert reason(verifier, f"{body}.{part(signature)}") == "algorithm"


def test_a1_another_key_is_refused(keys: Keys, verifier: TokenVerifier) -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    head = {"kid": keys.signing.kid, "typ": "access"}
    assert reason(verifier, jwt.encode(claims(), other, "ES256", headers=head)) == "signature"
    rsa_key = rsa.generate_private_key(65537, 2048)
    assert reason(verifier, jwt.encode(claims(), rsa_key, "RS256", headers=head)) == "algorithm"


@pytest.mark.parametrize(
    "kid",
    ["../../../../dev/null", "' OR 1=1 --", "https://evil.example/key", "", "k" * 65, None, 7, {"a": 1}],
)
def test_a2_kid_is_a_lookup_in_a_map_only(keys: Keys, verifier: TokenVerifier, kid: object) -> None:
    body = f"{part({'alg': 'ES256', 'kid': kid, 'typ': 'access'})}.{part(claims())}"
    assert reason(verifier, f"{body}.{part(b'x' * 64)}") in {"unknown_key", "malformed"}


def test_a2_keys_and_links_in_the_header_are_never_read(keys: Keys, verifier: TokenVerifier) -> None:
    mine = ec.generate_private_key(ec.SECP256R1())
    point = mine.public_key().public_numbers()
    jwk = {
        "kty": "EC",
        "crv": "P-256",
        "x": part(point.x.to_bytes(32, "big")),
        "y": part(point.y.to_bytes(32)),
    }
    header = {"kid": keys.signing.kid, "typ": "access", "jwk": jwk, "jku": "http://127.0.0.1:1/", "x5u": "x"}
    assert reason(verifier, jwt.encode(claims(), mine, "ES256", headers=header)) == "signature"


@pytest.mark.parametrize("wrong", [{"aud": "other"}, {"aud": ["playhead"]}, {"iss": "evil"}, {"sub": ""}])
@pytest.mark.parametrize("missing", [False, True])
def test_a3_audience_issuer_and_subject(
    keys: Keys, verifier: TokenVerifier, wrong: dict[str, Any], missing: bool
) -> None:
    changes = dict.fromkeys(wrong) if missing else wrong
    assert reason(verifier, signed(keys, claims(**changes))) == "claims"


@pytest.mark.parametrize("typ", ["access", "refresh", "sign-in", "media"])
@pytest.mark.parametrize("used_as", ["access", "refresh", "sign-in", "media"])
def test_a3_a_token_serves_one_use_only(
    issuer: TokenIssuer, verifier: TokenVerifier, typ: Typ, used_as: Typ
) -> None:
    token = issuer.issue(typ, "mira")
    if typ == used_as:
        assert verifier.verify(token, used_as).student == "mira"
    else:
        assert reason(verifier, token, used_as) == "type"


@pytest.mark.parametrize("exp", [None, NOW_S + 60.5, 10**18, "1900000000", True, [], float("1e18"), -1, 0])
def test_a4_exp_must_be_a_whole_number_of_seconds(keys: Keys, verifier: TokenVerifier, exp: object) -> None:
    assert reason(verifier, signed(keys, claims(exp=exp))) == "claims"


def test_a4_the_clock_decides(keys: Keys, verifier: TokenVerifier) -> None:
    assert reason(verifier, signed(keys, claims(exp=NOW_S))) == "expired"
    assert reason(verifier, signed(keys, claims(iat=NOW_S + SKEW_S + 1))) == "not_yet"
    assert reason(verifier, signed(keys, claims(nbf=NOW_S + SKEW_S + 1))) == "not_yet"
    assert reason(verifier, signed(keys, claims(iat=None))) == "claims"
    assert verifier.verify(signed(keys, claims(iat=NOW_S + SKEW_S))).student == "mira"


def test_a5_too_large_is_refused_before_it_is_read(keys: Keys, verifier: TokenVerifier) -> None:
    assert reason(verifier, "a" * 100_000) == "too_large"
    assert reason(verifier, signed(keys, claims(**{f"c{n}": n for n in range(10_000)}))) == "too_large"


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "a.b.c.d.e",  # JWE has five parts
        "é.é.é",
        part({"alg": "ES256"}) + ".." + part(b"x"),
        part(b"[" * 2000) + ".x.x",  # nesting
        part({"alg": "ES256", "kid": "x", "typ": "access", "zip": "DEF"}) + ".x.x",
        "\x00.\x00.\x00",
    ],
)
def test_a5_nonsense_is_refused(verifier: TokenVerifier, token: str) -> None:
    assert reason(verifier, token) in {"malformed", "unknown_key"}


def test_a5_a_token_in_a_token_is_no_token(keys: Keys, verifier: TokenVerifier) -> None:
    inner = signed(keys, claims()).encode()
    token = jwt.api_jws.encode(
        inner, keys.signing.private, "ES256", headers={"kid": keys.signing.kid, "typ": "access", "cty": "JWT"}
    )
    assert reason(verifier, token) == "claims"


def test_a6_rotation_overlaps_and_then_ends(tmp_path: Path) -> None:
    first = open_keys(tmp_path)
    token = TokenIssuer(first.signing, clock).issue("access", "mira")
    second = rotate_keys(tmp_path)
    assert second.signing.kid != first.signing.kid
    assert TokenVerifier(second.jwks, clock).verify(token).student == "mira"
    third = rotate_keys(tmp_path)
    assert reason(TokenVerifier(third.jwks, clock), token) == "unknown_key"
    assert open_keys(tmp_path).signing.kid == third.signing.kid


def test_keys_are_private_and_stay(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    keys = open_keys(folder)
    assert open_keys(folder).jwks == keys.jwks
    assert folder.stat().st_mode & 0o777 == 0o700
    pems = list(folder.glob("*.pem"))
    assert [file.stat().st_mode & 0o777 for file in pems] == [0o600]
    assert "PRIVATE" not in repr(keys)
    pems[0].chmod(0o644)
    with pytest.raises(SetupError, match="0600"):
        open_keys(folder)


def test_a_media_token_is_the_same_inside_its_window(keys: Keys, verifier: TokenVerifier) -> None:
    at = {"s": NOW_S // 900 * 900}
    issuer = TokenIssuer(keys.signing, lambda: at["s"])
    first, expires_s = issuer.issue_media("mira", "v1", "2", 900)
    at["s"] += 899
    assert issuer.issue_media("mira", "v1", "2", 900) == (first, expires_s)
    at["s"] += 1
    assert issuer.issue_media("mira", "v1", "2", 900)[0] != first
    identity = verifier.verify(first, "media")
    assert (identity.item, identity.version, identity.expires_at_s) == ("v1", "2", expires_s)


def test_a_key_set_of_another_kind_is_refused() -> None:
    from gateway.keys import Jwk

    with pytest.raises(SetupError, match="P-256"):
        TokenVerifier(Jwks((Jwk(kid="k", x="AA", y="AA"),)))
    with pytest.raises(SetupError, match="P-256"):
        TokenVerifier(Jwks((Jwk(kid="k", x="AA", y="AA", kty="RSA"),)))


@pytest.mark.parametrize("place", ["header", "payload", "signature"])
@pytest.mark.parametrize("change", ["=", "A", "!", "\n", "é", "flip"])
def test_a1_a_token_that_was_good_is_good_in_no_other_spelling(
    keys: Keys, issuer: TokenIssuer, verifier: TokenVerifier, place: str, change: str
) -> None:
    parts = dict(
        zip(("header", "payload", "signature"), issuer.issue("access", "mira").split("."), strict=True)
    )
    assert verifier.verify(".".join(parts.values())).student == "mira"
    text = parts[place]
    parts[place] = (
        text[:9] + ("B" if text[9] == "A" else "A") + text[10:] if change == "flip" else text + change
    )
    assert reason(verifier, ".".join(parts.values())) in {"malformed", "signature", "unknown_key"}


def test_a4_a_token_that_is_known_still_runs_out(keys: Keys) -> None:
    at = {"s": float(NOW_S)}
    verifier = TokenVerifier(keys.jwks, lambda: at["s"])
    token = TokenIssuer(keys.signing, lambda: at["s"]).issue("access", "mira", lifetime_s=60)
    assert [verifier.verify(token).student for _ in range(3)] == ["mira"] * 3
    at["s"] += 59.9
    assert verifier.verify(token).expires_at_s == NOW_S + 60
    at["s"] += 0.1
    assert [reason(verifier, token), reason(verifier, token)] == ["expired", "expired"]


def test_f22_a_token_seen_before_is_not_verified_twice(
    issuer: TokenIssuer, verifier: TokenVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = issuer.issue("access", "mira")
    before = verifier.verify(token)
    monkeypatch.setattr(TokenVerifier, "_verify", lambda *_: pytest.fail("the signature is looked at again"))
    assert verifier.verify(token) == before


def test_f22_what_is_remembered_is_bounded(
    issuer: TokenIssuer, verifier: TokenVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.tokens.VERIFIED_MAX", 3)
    monkeypatch.setattr("gateway.tokens.KNOWN_HEADERS_MAX", 0)
    for n in range(10):
        verifier.verify(issuer.issue("access", f"student-{n}"))
        assert len(verifier._verified) <= 3
    assert [known.student for known in verifier._verified.values()] == ["student-7", "student-8", "student-9"]
