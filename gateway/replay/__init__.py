"""Replays conformance traces in virtual time through the product's own code (docs/conformance.md)."""
