// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice Ratings of one node, summed, in one slot. Weights are in hundredths: one verdict of 100 is a weight of 1.
struct Score {
    uint64 positive;
    uint64 negative;
    uint32 count;
    uint64 updatedAt;
}
