// Who a student is: an ES256 JWT of the same issuer as Playhead's, checked with node's own crypto.
import { createPublicKey, verify } from "node:crypto";

const keys = new Map(
  JSON.parse(process.env.JWKS).keys.map((jwk) => [jwk.kid, createPublicKey({ key: jwk, format: "jwk" })]),
);

/** The student of a valid access token, else null. */
export function studentOf(token) {
  try {
    const [head, body, signature] = token.split(".");
    const { alg, kid, typ } = JSON.parse(Buffer.from(head, "base64url"));
    const key = keys.get(kid);
    if (alg !== "ES256" || typ !== "access" || !key) return null;
    const signed = { key, dsaEncoding: "ieee-p1363" };
    if (!verify("sha256", `${head}.${body}`, signed, Buffer.from(signature, "base64url"))) return null;
    const { aud, exp, sub } = JSON.parse(Buffer.from(body, "base64url"));
    return aud === "playhead" && exp > Date.now() / 1000 ? sub : null;
  } catch {
    return null;
  }
}
