// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IIdentityRegistry} from "../interfaces/IIdentityRegistry.sol";
import {IKeyHistory} from "../interfaces/IKeyHistory.sol";
import {KeyPeriods} from "../types/Rater.sol";

/// @notice Record of the wallets and owners of nodes over time, which ERC-8004 registries do not keep.
/// @dev Without it a node could replace its wallet after signing receipts, and have raters slashed for using them.
abstract contract KeyHistory is IKeyHistory {
    /// @inheritdoc IKeyHistory
    uint256 public constant MAX_NODES = 256;

    /// @inheritdoc IKeyHistory
    IIdentityRegistry public immutable identity;

    uint64 internal constant ONGOING = type(uint64).max;

    mapping(uint256 node => address) private _wallets;
    mapping(uint256 node => address) private _owners;
    mapping(uint256 node => mapping(address account => KeyPeriods)) private _periods;

    constructor(IIdentityRegistry identity_) {
        identity = identity_;
    }

    /// @inheritdoc IKeyHistory
    function checkpoint(uint256[] calldata nodes) external {
        if (nodes.length > MAX_NODES) revert TooManyNodes(nodes.length, MAX_NODES);
        for (uint256 i = 0; i < nodes.length; ++i) {
            _checkpoint(nodes[i]);
        }
    }

    /// @inheritdoc IKeyHistory
    function keyHistory(uint256 node, address account) public view returns (KeyPeriods memory) {
        return _periods[node][account];
    }

    function _checkpoint(uint256 node) private {
        (address owner, address wallet) = (identity.ownerOf(node), identity.getAgentWallet(node));
        mapping(address account => KeyPeriods) storage periods = _periods[node];
        uint64 time = uint64(block.timestamp);
        address before = _wallets[node];
        if (wallet != before) {
            if (before != address(0)) periods[before].walletUntil = time;
            if (wallet != address(0)) (periods[wallet].walletSince, periods[wallet].walletUntil) = (time, ONGOING);
            _wallets[node] = wallet;
        }
        before = _owners[node];
        if (owner != before) {
            if (before != address(0)) periods[before].ownerUntil = time;
            (periods[owner].ownerSince, periods[owner].ownerUntil) = (time, ONGOING);
            _owners[node] = owner;
        }
        emit Checkpointed(node, wallet, owner);
    }
}
