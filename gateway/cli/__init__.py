"""The command `playhead`: what a person at a terminal can do, and the wiring behind it."""

from gateway.cli.command import main

__all__ = ["main"]
