// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice The newest manifest of a node. `sequence` 0 means that it has published none.
struct Head {
    bytes32 digest;
    uint64 sequence;
}
