// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IIdentityRegistry} from "./interfaces/IIdentityRegistry.sol";
import {IManifestRegistry} from "./interfaces/IManifestRegistry.sol";
import {Head} from "./types/Head.sol";

/// @notice Heads of nodes. Only the pointer to the newest version is ever overwritten.
contract ManifestRegistry is IManifestRegistry {
    /// @inheritdoc IManifestRegistry
    IIdentityRegistry public immutable identity;

    mapping(uint256 nodeId => Head) private _heads;

    constructor(IIdentityRegistry identity_) {
        identity = identity_;
    }

    /// @inheritdoc IManifestRegistry
    function publish(uint256 nodeId, uint64 sequence, bytes32 manifestDigest) external {
        if (identity.getAgentWallet(nodeId) != msg.sender && !identity.isAuthorizedOrOwner(msg.sender, nodeId)) {
            revert NotPublisher(nodeId, msg.sender);
        }
        if (manifestDigest == 0) revert ZeroDigest(nodeId);
        Head storage current = _heads[nodeId];
        uint64 expected = current.sequence + 1;
        if (sequence != expected) revert IncorrectSequence(nodeId, sequence, expected);
        current.sequence = sequence;
        current.digest = manifestDigest;
        emit ManifestPublished(nodeId, sequence, manifestDigest);
    }

    /// @inheritdoc IManifestRegistry
    function head(uint256 nodeId) external view returns (Head memory) {
        return _heads[nodeId];
    }
}
