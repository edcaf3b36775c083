"""Gas of ratings on chain, beside the contract of arXiv 2511.07577 on the same EVM. Needs Anvil and the compiler."""
