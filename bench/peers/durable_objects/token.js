// Who a student is: an ES256 JWT of the same issuer as Playhead's, checked with the runtime's Web Crypto.
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const utf8 = new TextEncoder();
let keys; // kid -> promise of a key, imported once

/** The student of a valid access token, else null. */
export async function studentOf(token, jwks) {
  try {
    const [head, body, signature] = token.split(".");
    const { alg, kid, typ } = JSON.parse(atob(base64(head)));
    keys ??= new Map(JSON.parse(jwks).keys.map((jwk) => [
      jwk.kid, crypto.subtle.importKey("jwk", jwk, ALGORITHM, false, ["verify"])]));
    const key = await keys.get(kid);
    if (alg !== "ES256" || typ !== "access" || !key) return null;
    const sign = Uint8Array.from(atob(base64(signature)), (letter) => letter.charCodeAt(0));
    if (!await crypto.subtle.verify(ALGORITHM, key, sign, utf8.encode(`${head}.${body}`))) return null;
    const { aud, exp, sub } = JSON.parse(atob(base64(body)));
    return aud === "playhead" && exp > Date.now() / 1000 ? sub : null;
  } catch {
    return null;
  }
}

const base64 = (text) => text.replaceAll("-", "+").replaceAll("_", "/");
