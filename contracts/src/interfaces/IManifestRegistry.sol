// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IIdentityRegistry} from "./IIdentityRegistry.sol";
import {Head} from "../types/Head.sol";

/// @notice Which manifest is a node's newest: an append-only sequence per node, one event a version.
interface IManifestRegistry {
    /// @notice A node published a manifest; `digest` is the sha2-256 digest in the manifest's CIDv1 (dag-cbor).
    event ManifestPublished(uint256 indexed nodeId, uint64 sequence, bytes32 digest);

    /// @notice The caller is neither the node's agent wallet, nor its owner, nor approved for it.
    error NotPublisher(uint256 nodeId, address caller);
    /// @notice A version would be skipped, repeated or rolled back.
    error WrongSequence(uint256 nodeId, uint64 given, uint64 expected);
    /// @notice No manifest has the digest zero.
    error ZeroDigest(uint256 nodeId);

    /// @notice Make a manifest the node's head.
    /// @param sequence One above the last, from 1.
    function publish(uint256 nodeId, uint64 sequence, bytes32 manifestDigest) external;

    /// @notice The node's newest manifest; `sequence` 0 if it has published none.
    function head(uint256 nodeId) external view returns (Head memory);

    /// @notice The registry that says who may publish.
    function identity() external view returns (IIdentityRegistry);
}
