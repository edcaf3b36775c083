// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice What a node signed for one answer (EIP-712; `knet.records.Receipt`).
struct Receipt {
    uint256 node;
    bytes32 manifest;
    bytes32 query;
    bytes32 results;
    address client;
    uint64 issuedAt;
    bytes32 nonce;
}

/// @notice One verdict with the receipt that entitles to it: -100 (wrong) to 100 (right), never 0.
struct Item {
    Receipt receipt;
    bytes signature;
    int8 value;
}
