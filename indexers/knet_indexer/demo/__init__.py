"""The embedded network: real nodes over real documentation found here, one of them falsified on purpose."""
