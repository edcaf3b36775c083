// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice Newest manifest of a node. `sequence` is 0 if the node has published none.
struct Head {
    bytes32 digest;
    uint64 sequence;
}
