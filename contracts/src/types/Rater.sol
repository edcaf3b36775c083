// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// @notice A rater, in one slot.
/// @param bond Wei at stake.
/// @param spent Influence used in `epoch`, in hundredths.
/// @param batches How many it submitted; the next one's number.
/// @param lastBatchAt Unix seconds; the bond is bound until the challenge window of this batch is over.
struct Rater {
    uint96 bond;
    uint64 spent;
    uint32 epoch;
    uint32 batches;
    uint32 lastBatchAt;
}

/// @notice What an account earned by challenges, in one slot.
/// @param amount Wei.
/// @param epoch The last one in which it earned something; from the next one on it can be claimed.
struct Reward {
    uint96 amount;
    uint32 epoch;
}

/// @notice What was witnessed of one account at one node, in one slot; unix seconds, 0 for never.
/// `walletUntil` and `ownerUntil` are the largest number while it lasts.
struct Tenure {
    uint64 walletSince;
    uint64 walletUntil;
    uint64 ownerSince;
    uint64 ownerUntil;
}
