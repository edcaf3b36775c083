// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IIdentityRegistry} from "./IIdentityRegistry.sol";
import {Head} from "../types/Head.sol";

/// @notice Heads of nodes: an append-only sequence of manifests for each node, one event a version.
interface IManifestRegistry {
    /// @notice Emitted when a node publishes a manifest.
    /// @param nodeId The node's id in the identity registry.
    /// @param sequence The version, counted from 1.
    /// @param digest The sha2-256 digest in the manifest's CIDv1 (dag-cbor).
    event ManifestPublished(uint256 indexed nodeId, uint64 sequence, bytes32 digest);

    /// @notice Thrown when the caller is neither the node's agent wallet, nor its owner, nor approved for it.
    /// @param nodeId The node's id in the identity registry.
    /// @param caller The account that called.
    error NotPublisher(uint256 nodeId, address caller);
    /// @notice Thrown when a version would be skipped, repeated or rolled back.
    /// @param nodeId The node's id in the identity registry.
    /// @param given The sequence that the call gave.
    /// @param expected The sequence that comes next.
    error IncorrectSequence(uint256 nodeId, uint64 given, uint64 expected);
    /// @notice Thrown when the digest is zero, which no manifest has.
    /// @param nodeId The node's id in the identity registry.
    error ZeroDigest(uint256 nodeId);

    /// @notice Make a manifest the node's head.
    /// @param nodeId The node's id in the identity registry.
    /// @param sequence One above the last version, from 1.
    /// @param manifestDigest The sha2-256 digest in the manifest's CIDv1 (dag-cbor).
    function publish(uint256 nodeId, uint64 sequence, bytes32 manifestDigest) external;

    /// @notice Return the node's newest manifest; its `sequence` is 0 if the node has published none.
    /// @param nodeId The node's id in the identity registry.
    function head(uint256 nodeId) external view returns (Head memory);

    /// @notice The registry that holds the accounts that may publish.
    function identity() external view returns (IIdentityRegistry);
}
