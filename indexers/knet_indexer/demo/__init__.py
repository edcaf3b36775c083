"""The embedded demo network: real nodes over documentation found on this machine, one of them falsified on purpose."""
