// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Score} from "../types/Score.sol";

/// @notice Sums of one node in one word: `positive << 176 | negative << 96 | count << 32 | epoch`. Weights have 20 binary
/// places, so that fading does not round small sums to zero.
/// @dev 2^60 hundredths fit. The whole ether supply gives 2^44 of influence an epoch, and weights that fade by 3 % an epoch
/// sum up to at most 33 times that.
library ScoreLib {
    /// @notice 0.97 with 64 binary places: the share of a weight that is left after one epoch (half after 23).
    uint256 internal constant KEPT = 17893341171259506155;
    /// @notice Epochs after which a weight is zero: 0.97 to this power is below a ten-trillionth.
    uint256 internal constant FORGOTTEN = 1000;

    uint256 private constant PLACES = 20;
    uint256 private constant WEIGHT = type(uint80).max;
    uint256 private constant COUNT = type(uint64).max;
    uint256 private constant LARGEST = type(uint48).max; // weight in a delta
    uint256 private constant TOP_BITS = 1 << 255 | 1 << 175 | 1 << 95;

    /// @notice Thrown when a sum could overflow its field.
    /// @param score The packed sums.
    /// @param delta The packed delta to add.
    error ScoreOverflow(uint256 score, uint256 delta);

    /// @notice Return the word with a packed delta added, brought to `epoch`.
    /// @dev No field of a delta is half as large as its field here, so with the top bits free no sum overflows.
    function add(uint256 score, uint256 delta, uint256 epoch) internal pure returns (uint256) {
        if (uint32(score) != epoch) score = faded(score, epoch);
        if (score & TOP_BITS != 0) revert ScoreOverflow(score, delta);
        unchecked {
            return score + ((delta >> 80 & LARGEST) << 176 + PLACES) + ((delta >> 32 & LARGEST) << 96 + PLACES)
                + (uint256(uint32(delta)) << 32);
        }
    }

    /// @notice Return the word without the remaining part of a delta that was added in epoch `since`.
    function remove(uint256 score, uint256 delta, uint256 since, uint256 epoch) internal pure returns (uint256) {
        uint256 own = faded(add(since, delta, since), epoch);
        score = faded(score, epoch);
        return pack(
            less(score >> 176, own >> 176),
            less(score >> 96 & WEIGHT, own >> 96 & WEIGHT),
            less(score >> 32 & COUNT, own >> 32 & COUNT),
            epoch
        );
    }

    /// @notice Return the word as a struct, as of `epoch`.
    function read(uint256 score, uint256 epoch) internal pure returns (Score memory) {
        score = faded(score, epoch);
        // forge-lint: disable-next-item(unsafe-typecast) -- 60, 60 and 64 bits; epochs are weeks
        return Score(
            uint64(score >> 176 + PLACES), uint64((score >> 96 & WEIGHT) >> PLACES), uint64(score >> 32), uint32(epoch)
        );
    }

    /// @notice Return the share of a weight that is left after some epochs, with 64 binary places.
    function keptAfter(uint256 epochs) internal pure returns (uint256 share) {
        if (epochs == 1) return KEPT;
        if (epochs >= FORGOTTEN) return 0;
        share = 1 << 64;
        unchecked {
            for (uint256 power = KEPT; epochs > 0; epochs >>= 1) {
                if (epochs & 1 == 1) share = share * power >> 64;
                power = power * power >> 64;
            }
        }
    }

    /// @dev Fade the word to `epoch`. 80 bits times at most 65 do not overflow; epochs only grow.
    function faded(uint256 score, uint256 epoch) private pure returns (uint256) {
        unchecked {
            uint256 kept = keptAfter(epoch - uint32(score));
            return pack((score >> 176) * kept >> 64, (score >> 96 & WEIGHT) * kept >> 64, score >> 32 & COUNT, epoch);
        }
    }

    function pack(uint256 positive, uint256 negative, uint256 count, uint256 epoch) private pure returns (uint256) {
        return positive << 176 | negative << 96 | count << 32 | epoch;
    }

    /// @dev Subtract down to zero: rounding may leave less of a sum than of its parts, by a few millionths.
    function less(uint256 from, uint256 amount) private pure returns (uint256) {
        return from > amount ? from - amount : 0;
    }
}
