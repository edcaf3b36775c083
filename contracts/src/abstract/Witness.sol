// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IIdentityRegistry} from "../interfaces/IIdentityRegistry.sol";
import {IWitness} from "../interfaces/IWitness.sol";
import {Tenure} from "../types/Rater.sol";

/// @notice Remembers who signed for and owned a node, and when, which ERC-8004 registries forget.
/// @dev Without it a node could change its wallet after signing receipts, and have whoever rated it punished for them.
abstract contract Witness is IWitness {
    /// @inheritdoc IWitness
    uint256 public constant MAX_NODES = 256;

    /// @inheritdoc IWitness
    IIdentityRegistry public immutable identity;

    uint64 internal constant LASTING = type(uint64).max;

    mapping(uint256 node => address) private _wallets;
    mapping(uint256 node => address) private _owners;
    mapping(uint256 node => mapping(address account => Tenure)) private _tenures;

    constructor(IIdentityRegistry identity_) {
        identity = identity_;
    }

    /// @inheritdoc IWitness
    function witness(uint256[] calldata nodes) external {
        if (nodes.length > MAX_NODES) revert TooManyNodes(nodes.length, MAX_NODES);
        for (uint256 i = 0; i < nodes.length; ++i) {
            _witness(nodes[i]);
        }
    }

    /// @inheritdoc IWitness
    function tenure(uint256 node, address account) public view returns (Tenure memory) {
        return _tenures[node][account];
    }

    function _witness(uint256 node) private {
        (address owner, address wallet) = (identity.ownerOf(node), identity.getAgentWallet(node));
        mapping(address account => Tenure) storage tenures = _tenures[node];
        uint64 time = uint64(block.timestamp);
        address before = _wallets[node];
        if (wallet != before) {
            if (before != address(0)) tenures[before].walletUntil = time;
            if (wallet != address(0)) (tenures[wallet].walletSince, tenures[wallet].walletUntil) = (time, LASTING);
            _wallets[node] = wallet;
        }
        before = _owners[node];
        if (owner != before) {
            if (before != address(0)) tenures[before].ownerUntil = time;
            (tenures[owner].ownerSince, tenures[owner].ownerUntil) = (time, LASTING);
            _owners[node] = owner;
        }
        emit Witnessed(node, wallet, owner);
    }
}
