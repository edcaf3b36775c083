// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Receipt} from "./Receipt.sol";

/// @notice A batch as in its `Submitted` event. The chain keeps only the hash of the last four fields.
/// @param deltas One word a node: `node << 128 | positive << 80 | negative << 32 | count`.
struct Batch {
    address rater;
    uint32 number;
    uint64 submittedAt;
    bytes32 root;
    bytes32 content;
    uint256[] deltas;
}

/// @notice One leaf of a batch: a rating from -100 (wrong) to 100 (right), never 0, the receipt that entitles to it, the
/// node's signature over that receipt, and the node's sums in this batch up to and including this leaf.
struct Rating {
    Receipt receipt;
    bytes32 r;
    bytes32 s;
    uint8 v;
    int8 value;
    uint48 positive;
    uint48 negative;
}

/// @notice A leaf and its siblings from the bottom up, leaving out levels where it has none (RFC 9162, 2.1.3).
struct Proof {
    uint256 index;
    Rating rating;
    bytes32[] path;
}

/// @notice Reason to remove a batch.
enum Fault {
    None,
    Value, // 0, or beyond 100 either way
    Client, // the receipt was issued to another account
    Time, // the receipt was too old, or not yet issued
    Signature, // not of a wallet of the node
    SelfRating, // the rater owned the node, or signed for it
    Sum, // the leaves do not add up to the delta
    Duplicate // one receipt, two leaves
}
