// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {SignedMath} from "@openzeppelin/contracts/utils/math/SignedMath.sol";
import {Proof, Rating} from "../types/Batch.sol";

/// @notice Checks of the leaves of a batch: Merkle inclusion, and running sums over neighbours.
/// @dev The leaves of the first delta come first, as many as it counts, then those of the second, and so on. So a leaf's
/// place gives its delta, and one leaf or two neighbours prove any wrong sum.
library RatingLib {
    /// @notice Return the number of leaves, by the counts of the deltas.
    function size(uint256[] calldata deltas) internal pure returns (uint256 total) {
        for (uint256 i = 0; i < deltas.length; ++i) {
            total += uint32(deltas[i]);
        }
    }

    /// @notice Return the delta of the leaf at `index`; its leaves are `first` to `last`.
    function deltaOf(uint256[] calldata deltas, uint256 index)
        internal
        pure
        returns (uint256 delta, uint256 first, uint256 last)
    {
        uint256 next = 0;
        for (uint256 i = 0; next <= index; ++i) {
            first = next;
            delta = deltas[i];
            next += uint32(delta);
        }
        last = next - 1;
    }

    /// @notice Return true if the leaf is in the tree of `total` leaves with this root (RFC 9162, 2.1.3.2; sha2-256).
    function isIn(Proof calldata proof, uint256 total, bytes32 root) internal pure returns (bool) {
        uint256 index = proof.index;
        if (index >= total) return false;
        bytes32 value = sha256(abi.encodePacked(bytes1(0x00), abi.encode(proof.rating)));
        uint256 used = 0;
        for (; total > 1; total = (total + 1) >> 1) {
            if (index & 1 == 1 || index + 1 < total) {
                if (used == proof.path.length) return false;
                bytes32 sibling = proof.path[used++];
                value = index & 1 == 1
                    ? sha256(abi.encodePacked(bytes1(0x01), sibling, value))
                    : sha256(abi.encodePacked(bytes1(0x01), value, sibling));
            }
            index >>= 1;
        }
        return used == proof.path.length && value == root;
    }

    /// @notice Return true if the leaf's sums are the sums before it and its own value.
    function follows(Rating calldata rating, uint256 positive, uint256 negative) internal pure returns (bool) {
        if (rating.value > 0) positive += SignedMath.abs(rating.value);
        else negative += SignedMath.abs(rating.value);
        return rating.positive == positive && rating.negative == negative;
    }
}
