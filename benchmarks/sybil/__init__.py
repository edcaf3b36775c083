"""What fifty made-up identities gain: in personal trust, and from a bond that is split between them."""
