// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice A rater, in one slot.
/// @param bond Wei at stake.
/// @param spent Influence used in `epoch`, in hundredths.
/// @param epoch The epoch of the last batch.
/// @param batches Batches submitted; the number of the next one.
/// @param lastBatchAt Unix seconds; the bond is bound until the challenge window of this batch is over.
struct Rater {
    uint96 bond;
    uint64 spent;
    uint32 epoch;
    uint32 batches;
    uint32 lastBatchAt;
}

/// @notice Rewards that an account earned by challenges, in one slot.
/// @param amount Wei.
/// @param epoch The last epoch in which it earned a reward; the rewards can be claimed from the next epoch on.
struct Reward {
    uint96 amount;
    uint32 epoch;
}

/// @notice Periods in which one account was wallet and owner of one node, in one slot; unix seconds, 0 for never.
/// `walletUntil` and `ownerUntil` are the largest number while the period lasts.
struct KeyPeriods {
    uint64 walletSince;
    uint64 walletUntil;
    uint64 ownerSince;
    uint64 ownerUntil;
}
