"""Gain of fifty Sybil identities: in personal trust, and from a bond that is split among them."""
