// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice Score of a node, as of now. Weights are in hundredths: one rating of 100 is a weight of 1.
/// @dev `positive` and `negative` fade from epoch to epoch; `count` is the number of ratings in active batches.
struct Score {
    uint64 positive;
    uint64 negative;
    uint64 count;
    uint32 epoch;
}

/// @notice A score as packed by `ScoreLib`, in a struct so that its storage slot is computed once.
struct PackedScore {
    uint256 word;
}
