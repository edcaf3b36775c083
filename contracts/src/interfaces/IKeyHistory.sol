// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IIdentityRegistry} from "./IIdentityRegistry.sol";
import {KeyPeriods} from "../types/Rater.sol";

/// @notice Periods in which accounts signed for and owned nodes, as recorded by checkpoints.
interface IKeyHistory {
    /// @notice Emitted when the wallet and the owner of a node are recorded.
    /// @param node The node's id in the identity registry.
    /// @param wallet The node's wallet at this time; zero if it has none.
    /// @param owner The node's owner at this time.
    event Checkpointed(uint256 indexed node, address wallet, address owner);

    /// @notice Thrown when a call names more nodes than it may.
    /// @param count Nodes that the call names.
    /// @param maximum Most nodes that it may name.
    error TooManyNodes(uint256 count, uint256 maximum);

    /// @notice Record the present wallet and owner of nodes.
    /// @dev Raters do so before they first rate a node, and again when its wallet has changed. An owner does so to end
    /// the period of a stolen key. Reverts for a node that does not exist.
    /// @param nodes At most `MAX_NODES` node ids.
    function checkpoint(uint256[] calldata nodes) external;

    /// @notice Return the recorded periods of an account at a node.
    /// @param node The node's id in the identity registry.
    /// @param account The wallet or owner.
    function keyHistory(uint256 node, address account) external view returns (KeyPeriods memory);

    /// @notice Most nodes in one transaction: a batch of so many costs about 1.6 million gas.
    function MAX_NODES() external view returns (uint256);

    /// @notice The registry that holds the wallets and owners of nodes.
    function identity() external view returns (IIdentityRegistry);
}
