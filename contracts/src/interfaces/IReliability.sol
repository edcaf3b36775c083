// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Batch, Fault, Proof} from "../types/Batch.sol";
import {Receipt} from "../types/Receipt.sol";
import {Score} from "../types/Score.sol";

/// @notice How far each node has earned trust: sums of receipt-bound ratings, put on chain by bonded raters.
/// @dev A batch carries a sum for each node it is about, and the Merkle root of the ratings behind the sums, which are
/// on IPFS. It is believed until somebody proves one leaf wrong, which costs the rater its bond and takes the batch back.
///
/// What a rating needs: a receipt that the node's wallet signed (ECDSA; contract wallets cannot sign receipts, since they
/// could change their mind) for this rater, contract and chain, not older than `VALIDITY` when the batch came, used once.
/// A signature is of the node's wallet if that was witnessed and not replaced more than `GRACE` before the batch: a
/// stolen key is worthless soon after it is rotated away, and a node that rotates cannot escape, or have punished, who
/// rates it in time.
///
/// Limits. A node can sign receipts to accounts of its own and be praised by them: capital bounds that, and clients
/// weigh raters by their own trust. Operators of a node may rate it: a node could name its critics operators. Data can be
/// withheld: then `demand` leaves at random; each costs the one who asks `DEMAND_FEE` if it is revealed. A challenge in
/// the open can be copied by whoever sees it first; send it through a private relay.
interface IReliability {
    /// @notice A batch was taken. `root` is over the leaves, `content` the sha2-256 digest in the CIDv1 (dag-cbor) of
    /// what holds them.
    event Submitted(address indexed rater, uint32 indexed number, bytes32 root, bytes32 content, uint256[] deltas);
    /// @notice A batch was taken back, and its rater's bond with it.
    event Slashed(
        address indexed rater, uint32 indexed number, address indexed challenger, Fault fault, uint256 reward
    );
    /// @notice A leaf must be revealed by `deadline`.
    event Demanded(address indexed rater, uint32 indexed number, address indexed by, uint256 index, uint256 deadline);
    /// @notice A demanded leaf was revealed; it is in the transaction's data.
    event Revealed(address indexed rater, uint32 indexed number, address indexed by, uint256 index);

    /// @notice A batch is about no node, or about more than `maximum`.
    error BatchSize(uint256 nodes, uint256 maximum);
    /// @notice The batch was included after its deadline.
    error TooLate(uint256 time, uint256 deadline);
    /// @notice More ratings than an auditor can be asked to read.
    error TooManyRatings(uint256 count, uint256 maximum);
    /// @notice A delta counts no rating, or weighs less than 1 or more than 100 hundredths a rating.
    error WrongDelta(uint256 index, uint256 delta);
    /// @notice More nodes in one question than `maximum`.
    error QuestionSize(uint256 size, uint256 maximum);
    /// @notice There is no such batch, or it was taken back, or a field of it is wrong.
    error UnknownBatch(address rater, uint32 number);
    /// @notice The time to challenge or to demand was over at `closed`, in unix seconds.
    error WindowClosed(address rater, uint32 number, uint256 closed);
    /// @notice The leaf is not in the batch at this place.
    error NotInBatch(address rater, uint32 number, uint256 index);
    /// @notice What was shown is as it should be.
    error Blameless(address rater, uint32 number, uint256 index);
    /// @notice The two leaves do not stand where the check needs them.
    error NotNeighbours(uint256 index, uint256 next);
    /// @notice A demand needs exactly `fee` wei with it.
    error WrongFee(uint256 given, uint256 fee);
    /// @notice This account has demanded that leaf already.
    error AlreadyDemanded(address by, uint256 index);
    /// @notice There is no such demand.
    error NotDemanded(address by, uint256 index);
    /// @notice The rater may still reveal until `deadline`.
    error StillTime(uint256 deadline);
    /// @notice The batch stands, so the fee of a demand is not due back.
    error BatchStands(address rater, uint32 number);

    /// @notice Put ratings on chain, summed by node: the batch's number among the sender's, from 0.
    /// @param deadline Unix seconds. Receipts expire and wallets change while a transaction waits; what was right when it
    /// was sent must not be punished for that.
    function submit(bytes32 root, bytes32 content, uint256[] calldata deltas, uint256 deadline)
        external
        returns (uint32 number);

    /// @notice Prove one leaf wrong by itself: its value, client, time, signature, a self-rating, or a sum at either end
    /// of its node's leaves.
    function challengeLeaf(Batch calldata batch, Proof calldata proof) external;

    /// @notice Prove that a leaf's sums are not those of the leaf before it and its own value.
    function challengeSum(Batch calldata batch, Proof calldata before, Proof calldata proof) external;

    /// @notice Prove that a receipt stands behind two leaves, of one batch or of two batches of one rater.
    /// @param other A batch of the same rater that stands, however old.
    function challengeDuplicate(Batch calldata batch, Proof calldata proof, Batch calldata other, Proof calldata again)
        external;

    /// @notice Punish a rater that let the time for revealing a leaf to the sender pass; the fee comes back.
    function challengeSilence(Batch calldata batch, uint256 index) external;

    /// @notice Have the rater reveal a leaf within `RESPONSE`, at the price of `DEMAND_FEE`.
    function demand(Batch calldata batch, uint256 index) external payable;

    /// @notice Reveal a leaf that `by` demanded; the fee goes to the sender.
    function reveal(Batch calldata batch, Proof calldata proof, address by) external;

    /// @notice Take back the fee of a demand when the batch was taken back for another reason.
    function reclaim(address rater, uint32 number, uint256 index) external;

    /// @notice The sums of one node as of now; all zero if it was never rated.
    function score(uint256 node) external view returns (Score memory);

    /// @notice The sums of many nodes, in the order asked for.
    function scores(uint256[] calldata nodes) external view returns (Score[] memory);

    /// @notice The hash of a batch that stands: `keccak256(abi.encode(submittedAt, root, content, deltas))`; else 0.
    function commitmentOf(address rater, uint32 number) external view returns (bytes32);

    /// @notice The EIP-712 digest that a node signs.
    function digestOf(Receipt calldata receipt) external view returns (bytes32);
}
