// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice One feedback as stored (ERC-8004): a number with `valueDecimals` decimal places and two tags.
struct Feedback {
    int128 value;
    uint8 valueDecimals;
    bool isRevoked;
    string tag1;
    string tag2;
}
