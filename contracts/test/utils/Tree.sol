// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Rating} from "../../src/types/Batch.sol";

/// @dev RFC 9162, 2.1, by its recursive definition; the contract's check and the Python tree are iterative.
library Tree {
    function leafOf(Rating memory rating) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(bytes1(0x00), abi.encode(rating)));
    }

    function rootOf(bytes32[] memory leaves, uint256 start, uint256 stop) internal pure returns (bytes32) {
        if (stop - start == 1) return leaves[start];
        uint256 middle = start + split(stop - start);
        return sha256(abi.encodePacked(bytes1(0x01), rootOf(leaves, start, middle), rootOf(leaves, middle, stop)));
    }

    /// @dev Return PATH(m, D_n): siblings from the bottom up.
    function pathOf(bytes32[] memory leaves, uint256 start, uint256 stop, uint256 index)
        internal
        pure
        returns (bytes32[] memory path)
    {
        if (stop - start == 1) return new bytes32[](0);
        uint256 middle = start + split(stop - start);
        (bytes32[] memory below, bytes32 sibling) = index < middle
            ? (pathOf(leaves, start, middle, index), rootOf(leaves, middle, stop))
            : (pathOf(leaves, middle, stop, index), rootOf(leaves, start, middle));
        path = new bytes32[](below.length + 1);
        for (uint256 i = 0; i < below.length; ++i) {
            path[i] = below[i];
        }
        path[below.length] = sibling;
    }

    /// @dev Return the largest power of two below `size`.
    function split(uint256 size) private pure returns (uint256 power) {
        for (power = 1; power * 2 < size; power *= 2) {}
    }
}
