// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Batch, Fault, Proof} from "../types/Batch.sol";
import {Receipt} from "../types/Receipt.sol";
import {Score} from "../types/Score.sol";

/// @notice Reliability scores of nodes: sums of receipt-bound ratings, submitted in batches by bonded raters.
/// @dev A batch carries a sum for each node that it rates, and the Merkle root of the ratings behind the sums. The
/// ratings are on IPFS. A batch counts until a challenge proves one leaf wrong: then the batch is removed and the rater
/// loses its bond.
///
/// A rating needs a receipt that the node's wallet signed for this rater, contract and chain. The receipt must not be
/// older than `RECEIPT_VALIDITY` when the batch is submitted, and is used once. Signatures are ECDSA: contract wallets
/// cannot sign receipts, since such a wallet could later disown a signature.
/// A signature is of the node's wallet if a checkpoint recorded that wallet, and none recorded its replacement more than
/// `KEY_GRACE_PERIOD` before the batch. So a stolen key is worthless soon after its owner rotates it away. A node that
/// rotates its key can neither escape ratings nor have raters slashed that rate it in time.
///
/// Limits. A node can sign receipts to accounts of its owner and be praised by them: capital bounds that, and clients
/// weigh raters by their trust in them. Approved operators of a node may rate it: otherwise a node could exclude critics
/// by approving them. Ratings can be withheld: clients do not count a batch whose leaves they cannot read, and a challenge
/// of a leaf's availability removes it unless some account publishes the leaf, which earns `AVAILABILITY_FEE`.
/// A bond is lost to a wrong leaf alone, and no action of another account makes a right leaf wrong, so a rater may go
/// offline as soon as its batch is included. A pending challenge can be copied from the public pool: send it
/// through a private relay.
interface IReliability {
    /// @notice Emitted when a batch is submitted.
    /// @param rater The account that submitted it.
    /// @param number The batch's number among the rater's, from 0.
    /// @param root Merkle root of the leaves.
    /// @param content The sha2-256 digest in the CIDv1 (dag-cbor) of the index of the leaves.
    /// @param deltas One word a node, see `Batch`.
    event Submitted(address indexed rater, uint32 indexed number, bytes32 root, bytes32 content, uint256[] deltas);
    /// @notice Emitted when a challenge removes a batch and takes its rater's bond.
    /// @param rater The account that submitted the batch.
    /// @param number The batch's number among the rater's.
    /// @param challenger The account that challenged.
    /// @param fault The fault that was proven.
    /// @param reward Wei that the challenger earned.
    event Slashed(
        address indexed rater, uint32 indexed number, address indexed challenger, Fault fault, uint256 reward
    );
    /// @notice Emitted when a batch is removed because a challenged leaf was not published; its rater keeps its bond.
    /// @param rater The account that submitted the batch.
    /// @param number The batch's number among the rater's.
    /// @param challenger The account that challenged.
    /// @param index The leaf's place in the batch.
    event Voided(address indexed rater, uint32 indexed number, address indexed challenger, uint256 index);
    /// @notice Emitted when a leaf must be published.
    /// @param rater The account that submitted the batch.
    /// @param number The batch's number among the rater's.
    /// @param challenger The account that challenged.
    /// @param index The leaf's place in the batch.
    /// @param deadline Unix seconds until which any account can respond.
    event AvailabilityChallenged(
        address indexed rater, uint32 indexed number, address indexed challenger, uint256 index, uint256 deadline
    );
    /// @notice Emitted when a challenged leaf is published in the transaction's data.
    /// @param rater The account that submitted the batch.
    /// @param number The batch's number among the rater's.
    /// @param challenger The account that challenged.
    /// @param index The leaf's place in the batch.
    event Responded(address indexed rater, uint32 indexed number, address indexed challenger, uint256 index);

    /// @notice Thrown when a batch rates no node, or too many.
    /// @param nodes Nodes of the batch.
    /// @param maximum Most nodes of one batch.
    error IncorrectBatchSize(uint256 nodes, uint256 maximum);
    /// @notice Thrown when the block is later than a deadline.
    /// @param time Unix seconds of this block.
    /// @param deadline Unix seconds of the deadline.
    error DeadlineExpired(uint256 time, uint256 deadline);
    /// @notice Thrown when a batch holds more ratings than an auditor can be expected to read.
    /// @param count Ratings of the batch.
    /// @param maximum Most ratings of one batch.
    error TooManyRatings(uint256 count, uint256 maximum);
    /// @notice Thrown when a delta counts no rating, or weighs less than 1 or more than 100 hundredths a rating.
    /// @param index The delta's place in the batch.
    /// @param delta The delta.
    error IncorrectDelta(uint256 index, uint256 delta);
    /// @notice Thrown when there is no such batch, when it was removed, or when a field of it is wrong.
    /// @param rater The rater that the batch names.
    /// @param number The number that the batch names.
    error UnknownBatch(address rater, uint32 number);
    /// @notice Thrown when the time to challenge is over.
    /// @param rater The account that submitted the batch.
    /// @param number The batch's number among the rater's.
    /// @param closed Unix seconds at which the time was over.
    error WindowClosed(address rater, uint32 number, uint256 closed);
    /// @notice Thrown when the batch has no such leaf at this place.
    /// @param rater The account that submitted the batch.
    /// @param number The batch's number among the rater's.
    /// @param index The leaf's place in the batch.
    error NotInBatch(address rater, uint32 number, uint256 index);
    /// @notice Thrown when the challenged leaf is correct.
    /// @param rater The account that submitted the batch.
    /// @param number The batch's number among the rater's.
    /// @param index The leaf's place in the batch.
    error NoFault(address rater, uint32 number, uint256 index);
    /// @notice Thrown when two leaves are not neighbours of one node.
    /// @param index The place of the first leaf.
    /// @param next The place of the second leaf.
    error NotAdjacent(uint256 index, uint256 next);
    /// @notice Thrown when an availability challenge does not carry exactly the fee.
    /// @param given Wei that the call carried.
    /// @param fee Wei of the fee.
    error IncorrectFee(uint256 given, uint256 fee);
    /// @notice Thrown when the account has already challenged the availability of that leaf.
    /// @param challenger The account that challenged.
    /// @param index The leaf's place in the batch.
    error AlreadyChallenged(address challenger, uint256 index);
    /// @notice Thrown when the account has no open availability challenge of that leaf.
    /// @param challenger The account that should have challenged.
    /// @param index The leaf's place in the batch.
    error NotChallenged(address challenger, uint256 index);
    /// @notice Thrown when the leaf may still be published.
    /// @param deadline Unix seconds until which it may.
    error ResponsePending(uint256 deadline);
    /// @notice Thrown when the batch is active, so that the fee of an availability challenge is not due back.
    /// @param rater The account that submitted the batch.
    /// @param number The batch's number among the rater's.
    error BatchActive(address rater, uint32 number);

    /// @notice Submit a batch of ratings, summed by node.
    /// @dev The deadline protects the rater: receipts expire and wallets change while a transaction waits.
    /// @param root Merkle root of the leaves.
    /// @param content The sha2-256 digest in the CIDv1 (dag-cbor) of the index of the leaves.
    /// @param deltas One word a node, see `Batch`.
    /// @param deadline Unix seconds until which the batch may be included.
    /// @return number The batch's number among the sender's, from 0.
    function submit(bytes32 root, bytes32 content, uint256[] calldata deltas, uint256 deadline)
        external
        returns (uint32 number);

    /// @notice Prove that one leaf is wrong by itself: its value, client, time or signature, a self-rating, or a sum at
    /// either end of its node's leaves.
    /// @param batch The batch.
    /// @param proof The leaf.
    function challengeLeaf(Batch calldata batch, Proof calldata proof) external;

    /// @notice Prove that a leaf's sums are not those of the leaf before it and its own value.
    /// @param batch The batch.
    /// @param before The leaf before it, of the same node.
    /// @param proof The leaf with the wrong sums.
    function challengeSum(Batch calldata batch, Proof calldata before, Proof calldata proof) external;

    /// @notice Prove that two leaves, of one batch or of two batches of one rater, use the same receipt.
    /// @param batch The batch to remove.
    /// @param proof Its leaf.
    /// @param other An active batch of the same rater, however old; may be the same batch.
    /// @param again The leaf of `other`.
    function challengeDuplicate(Batch calldata batch, Proof calldata proof, Batch calldata other, Proof calldata again)
        external;

    /// @notice Remove a batch of which a challenged leaf was not published in time; the fee goes back to the challenger.
    /// @dev The rater keeps its bond: an honest rater may be offline for good, and no other account has to respond for it.
    /// @param batch The batch.
    /// @param index The leaf's place in the batch.
    /// @param challenger The account that challenged.
    function voidUnavailable(Batch calldata batch, uint256 index, address challenger) external;

    /// @notice Require that a leaf is published within `RESPONSE_WINDOW`, by any account, for `AVAILABILITY_FEE`.
    /// @param batch The batch.
    /// @param index The leaf's place in the batch.
    function challengeAvailability(Batch calldata batch, uint256 index) external payable;

    /// @notice Publish a leaf whose availability was challenged; the fee goes to the sender.
    /// @param batch The batch.
    /// @param proof The leaf.
    /// @param challenger The account that challenged.
    function respond(Batch calldata batch, Proof calldata proof, address challenger) external;

    /// @notice Return the fee of the sender's availability challenge when the batch was removed for another reason.
    /// @param rater The account that submitted the batch.
    /// @param number The batch's number among the rater's.
    /// @param index The leaf's place in the batch.
    function reclaimFee(address rater, uint32 number, uint256 index) external;

    /// @notice Return the sums of one node as of now; all zero if it was never rated.
    /// @param node The node's id in the identity registry.
    function score(uint256 node) external view returns (Score memory);

    /// @notice Return the sums of nodes, in the order of the call.
    /// @param nodes At most `MAX_NODES_PER_CALL` node ids.
    function scores(uint256[] calldata nodes) external view returns (Score[] memory);

    /// @notice Return the hash of an active batch, `keccak256(abi.encode(submittedAt, root, content, deltas))`; else 0.
    /// @param rater The account that submitted the batch.
    /// @param number The batch's number among the rater's.
    function commitmentOf(address rater, uint32 number) external view returns (bytes32);

    /// @notice Return the EIP-712 digest that a node signs.
    /// @param receipt The receipt.
    function digestOf(Receipt calldata receipt) external view returns (bytes32);
}
