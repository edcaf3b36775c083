// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice What a node has earned, as of now. Weights are in hundredths: one verdict of 100 is a weight of 1.
/// @dev `positive` and `negative` fade from epoch to epoch; `count` is every rating that ever stood.
struct Score {
    uint64 positive;
    uint64 negative;
    uint64 count;
    uint32 epoch;
}

/// @notice How `ScoreLib` packs one, as a struct so that its place is computed once.
struct PackedScore {
    uint256 word;
}
