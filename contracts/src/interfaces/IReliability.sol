// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IIdentityRegistry} from "./IIdentityRegistry.sol";
import {Item, Receipt} from "../types/Receipt.sol";
import {Score} from "../types/Score.sol";

/// @notice How far each node has earned trust. A rating needs a receipt that the node itself signed for the rater.
/// @dev Every error of `submit` names the item's index; one bad item reverts the batch.
interface IReliability {
    /// @notice `rater` judged what `receipt` (its EIP-712 digest) stands for.
    event Rated(uint256 indexed node, address indexed rater, bytes32 receipt, int8 value);

    /// @notice A batch holds nothing, or more than `maximum` items.
    error BatchSize(uint256 size, uint256 maximum);
    /// @notice A verdict is 0 or outside -100 to 100.
    error ValueOutOfRange(uint256 index, int8 value);
    /// @notice The receipt was issued to somebody else.
    error NotClient(uint256 index, address client, address sender);
    /// @notice The receipt's time lies ahead of the chain's.
    error IssuedInFuture(uint256 index, uint64 issuedAt, uint256 time);
    /// @notice The receipt is too old to rate with.
    error ReceiptExpired(uint256 index, uint64 issuedAt, uint256 expiredAt);
    /// @notice The node is not registered, or has had no wallet since it was transferred.
    error NoAgentWallet(uint256 index, uint256 node);
    /// @notice Owner, approved accounts and wallet of a node cannot rate it.
    error SelfRating(uint256 index, uint256 node, address rater);
    /// @notice The receipt was rated with before.
    error ReceiptUsed(uint256 index, bytes32 receipt);
    /// @notice The signature over the receipt is not of the node's present wallet.
    error InvalidReceiptSignature(uint256 index, uint256 node, address wallet);
    /// @notice More nodes or receipts in one question than `maximum`.
    error QuestionSize(uint256 size, uint256 maximum);

    /// @notice Rate with receipts issued to the caller, all of them or none. Each receipt counts once.
    function submit(Item[] calldata items) external;

    /// @notice The sums of one node; all zero if it was never rated.
    function score(uint256 node) external view returns (Score memory);

    /// @notice The sums of many nodes, in the order asked for.
    function scores(uint256[] calldata nodes) external view returns (Score[] memory);

    /// @notice Whether a receipt, by its EIP-712 digest, was rated with.
    function used(bytes32 receipt) external view returns (bool);

    /// @notice `used` of many receipts, in the order asked for.
    function areUsed(bytes32[] calldata receipts) external view returns (bool[] memory);

    /// @notice The EIP-712 digest that the node signs and `used` knows a receipt by.
    function digestOf(Receipt calldata receipt) external view returns (bytes32);

    /// @notice The registry that says who signs for a node.
    function identity() external view returns (IIdentityRegistry);
}
