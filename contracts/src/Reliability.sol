// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {IIdentityRegistry} from "./interfaces/IIdentityRegistry.sol";
import {IReliability} from "./interfaces/IReliability.sol";
import {ReceiptLib} from "./libraries/ReceiptLib.sol";
import {Item, Receipt} from "./types/Receipt.sol";
import {Score} from "./types/Score.sol";

/// @notice Sums of receipt-bound ratings, one slot a node.
/// @dev A node can still sign receipts to accounts of its own and be praised by them: sums say what was rated, not by
/// whom it is worth believing. `Rated` names each rater, so that clients weigh ratings by their own trust in raters.
/// Only the present wallet's receipts count: a stolen key is worthless once rotated away, at the price that a node can
/// rotate to escape the ratings of answers it gave before.
contract Reliability is IReliability, EIP712 {
    using ReceiptLib for Receipt;

    /// @notice Keeps a full batch near 6 million gas, well inside EIP-7825's 16.7 million a transaction.
    uint256 public constant MAX_BATCH = 128;
    /// @notice Keeps a full question near 2.5 million gas, which every RPC grants a call.
    uint256 public constant MAX_QUESTION = 1000;
    /// @notice Long enough to rate after using an answer; a leaked key or an old receipt ends with it.
    uint64 public constant VALIDITY = 30 days;
    /// @notice Clocks of nodes and of block producers differ.
    uint64 public constant CLOCK_SKEW = 2 minutes;
    /// @notice The verdict that counts as a weight of 1.
    int8 public constant MAX_VALUE = 100;

    /// @inheritdoc IReliability
    IIdentityRegistry public immutable identity;
    /// @inheritdoc IReliability
    mapping(bytes32 receipt => bool) public used;

    mapping(uint256 node => Score) private _scores;

    constructor(IIdentityRegistry identity_) EIP712("knet", "1") {
        identity = identity_;
    }

    /// @inheritdoc IReliability
    function submit(Item[] calldata items) external {
        if (items.length == 0 || items.length > MAX_BATCH) revert BatchSize(items.length, MAX_BATCH);
        for (uint256 i = 0; i < items.length; ++i) {
            _submit(i, items[i]);
        }
    }

    /// @inheritdoc IReliability
    function score(uint256 node) external view returns (Score memory) {
        return _scores[node];
    }

    /// @inheritdoc IReliability
    function scores(uint256[] calldata nodes) external view returns (Score[] memory found) {
        if (nodes.length > MAX_QUESTION) revert QuestionSize(nodes.length, MAX_QUESTION);
        found = new Score[](nodes.length);
        for (uint256 i = 0; i < nodes.length; ++i) {
            found[i] = _scores[nodes[i]];
        }
    }

    /// @inheritdoc IReliability
    function areUsed(bytes32[] calldata receipts) external view returns (bool[] memory found) {
        if (receipts.length > MAX_QUESTION) revert QuestionSize(receipts.length, MAX_QUESTION);
        found = new bool[](receipts.length);
        for (uint256 i = 0; i < receipts.length; ++i) {
            found[i] = used[receipts[i]];
        }
    }

    /// @inheritdoc IReliability
    function digestOf(Receipt calldata receipt) public view returns (bytes32) {
        return _hashTypedDataV4(receipt.hash());
    }

    function _submit(uint256 index, Item calldata item) private {
        Receipt calldata receipt = item.receipt;
        if (item.value == 0 || item.value > MAX_VALUE || item.value < -MAX_VALUE) {
            revert ValueOutOfRange(index, item.value);
        }
        if (receipt.client != msg.sender) revert NotClient(index, receipt.client, msg.sender);
        _checkTime(index, receipt.issuedAt);
        bytes32 digest = digestOf(receipt);
        if (used[digest]) revert ReceiptUsed(index, digest);
        _checkNode(index, receipt.node, digest, item.signature);
        used[digest] = true;
        _add(_scores[receipt.node], item.value);
        emit Rated(receipt.node, msg.sender, digest, item.value);
    }

    function _checkTime(uint256 index, uint64 issuedAt) private view {
        if (issuedAt > block.timestamp + CLOCK_SKEW) revert IssuedInFuture(index, issuedAt, block.timestamp);
        uint256 expiry = uint256(issuedAt) + VALIDITY;
        if (block.timestamp > expiry) revert ReceiptExpired(index, issuedAt, expiry);
    }

    function _checkNode(uint256 index, uint256 node, bytes32 digest, bytes calldata signature) private view {
        address wallet = identity.getAgentWallet(node);
        if (wallet == address(0)) revert NoAgentWallet(index, node);
        if (wallet == msg.sender || identity.isAuthorizedOrOwner(msg.sender, node)) {
            revert SelfRating(index, node, msg.sender);
        }
        if (!SignatureChecker.isValidSignatureNowCalldata(wallet, digest, signature)) {
            revert InvalidReceiptSignature(index, node, wallet);
        }
    }

    function _add(Score storage sums, int8 value) private {
        // forge-lint: disable-next-line(unsafe-typecast) -- submit admits 1 to 100 either way
        uint8 weight = uint8(value > 0 ? value : -value);
        if (value > 0) sums.positive += weight;
        else sums.negative += weight;
        sums.count += 1;
        sums.updatedAt = uint64(block.timestamp);
    }
}
