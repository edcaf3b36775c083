// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice Receipt that a node signs for one answer (EIP-712; `knet.records.Receipt`).
struct Receipt {
    uint256 node;
    bytes32 manifest;
    bytes32 query;
    bytes32 results;
    address client;
    uint64 issuedAt;
    bytes32 nonce;
}
