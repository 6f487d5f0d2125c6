"""The signing keys of this installation: made on first start, kept in a folder, rotated with an overlap."""

import base64
import contextlib
import fcntl
import hashlib
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from persistence.errors import SetupError

_FILE = re.compile(r"(?P<made_ms>\d{13})-(?P<kid>[A-Za-z0-9_-]{43})\.pem")


class Jwk(msgspec.Struct, frozen=True):
    """A public P-256 key as RFC 7517 writes it; `kid` is its thumbprint (RFC 7638)."""

    kid: str
    x: str
    y: str
    kty: str = "EC"
    crv: str = "P-256"
    use: str = "sig"
    alg: str = "ES256"


class Jwks(msgspec.Struct, frozen=True):
    """The public keys a verifier accepts; the newest, which signs, comes last."""

    keys: tuple[Jwk, ...]


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key and what verifiers call it. Never printed: `repr` has the name only."""

    kid: str
    private: ec.EllipticCurvePrivateKey

    def __repr__(self) -> str:
        return f"SigningKey({self.kid})"


@dataclass(frozen=True, slots=True)
class Keys:
    """All keys of one folder: the newest signs, all verify until they are taken out."""

    all: tuple[SigningKey, ...]

    @property
    def signing(self) -> SigningKey:
        """The key that signs now."""
        return self.all[-1]

    @property
    def jwks(self) -> Jwks:
        """The public halves."""
        return Jwks(tuple(_public(key) for key in self.all))


def open_keys(folder: Path) -> Keys:
    """The keys in `folder`; makes it (0700) and the first key (0600) if there is none.

    Raises `SetupError` when the folder cannot be used or others may read a key.
    """
    with _locked(folder):
        files = _files(folder)
        if not files:
            files = [_make(folder)]
        return Keys(tuple(_load(file) for file in files))


def rotate_keys(folder: Path, keep: int = 2) -> Keys:
    """Add a key that signs from the next start on, and retire all but the newest `keep`.

    What a retired key signed is refused from then on, so `keep` covers the longest life of a token.
    """
    with _locked(folder):
        _make(folder)
        files = _files(folder)
        for retired in files[:-keep]:
            retired.unlink()
        return Keys(tuple(_load(file) for file in files[-keep:]))


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time, so that several first starts agree on one key."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SetupError(
            f"the key folder {folder} cannot be used ({error.strerror}); choose another"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if _FILE.fullmatch(file.name))


def _make(folder: Path) -> Path:
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    made_ms = max([time.time_ns() // 1_000_000, *(int(file.name[:13]) + 1 for file in _files(folder))])
    path = folder / f"{made_ms:013d}-{_thumbprint(*_coordinates(private))}.pem"
    partial = path.with_suffix(".new")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
    return path


def _load(file: Path) -> SigningKey:
    if file.stat().st_mode & 0o077:
        raise SetupError(f"others may read the signing key {file}; make it mode 0600, or rotate if they did")
    try:
        private = serialization.load_pem_private_key(file.read_bytes(), password=None)
    except ValueError as error:
        raise SetupError(f"{file} is no signing key; restore it or take it out of the folder") from error
    if not isinstance(private, ec.EllipticCurvePrivateKey) or private.curve.name != "secp256r1":
        raise SetupError(f"{file} is no P-256 key; take it out of the folder")
    return SigningKey(_thumbprint(*_coordinates(private)), private)


def _public(key: SigningKey) -> Jwk:
    x, y = _coordinates(key.private)
    return Jwk(kid=key.kid, x=x, y=y)


def _coordinates(private: ec.EllipticCurvePrivateKey) -> tuple[str, str]:
    numbers = private.public_key().public_numbers()
    return _base64url(numbers.x.to_bytes(32, "big")), _base64url(numbers.y.to_bytes(32, "big"))


def _thumbprint(x: str, y: str) -> str:
    """RFC 7638: the hash of the required members in this very order and spacing."""
    return _base64url(hashlib.sha256(f'{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}'.encode()).digest())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
