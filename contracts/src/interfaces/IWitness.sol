// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IIdentityRegistry} from "./IIdentityRegistry.sol";
import {Tenure} from "../types/Rater.sol";

/// @notice Who signed for and owned each node, and when, as anyone cared to have it noted.
interface IWitness {
    /// @notice This was the node's wallet and owner.
    event Witnessed(uint256 indexed node, address wallet, address owner);

    /// @notice More nodes at once than `maximum`.
    error TooManyNodes(uint256 count, uint256 maximum);

    /// @notice Note the present wallet and owner of nodes. Raters do so before they first rate a node, and again when its
    /// wallet has changed; others may to end the tenure of a stolen key. Reverts for a node that does not exist.
    function witness(uint256[] calldata nodes) external;

    /// @notice What was noted of an account at a node.
    function tenure(uint256 node, address account) external view returns (Tenure memory);

    /// @notice Most nodes in one transaction: a batch of so many costs about 1.6 million gas.
    function MAX_NODES() external view returns (uint256);

    /// @notice The registry that says who signs for a node.
    function identity() external view returns (IIdentityRegistry);
}
