"""The rules of Playhead: pure, standard library only; time, randomness and ids come in as arguments."""
