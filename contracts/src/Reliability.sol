// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignedMath} from "@openzeppelin/contracts/utils/math/SignedMath.sol";
import {Bonds} from "./abstract/Bonds.sol";
import {KeyHistory} from "./abstract/KeyHistory.sol";
import {IIdentityRegistry} from "./interfaces/IIdentityRegistry.sol";
import {IReliability} from "./interfaces/IReliability.sol";
import {RatingLib} from "./libraries/RatingLib.sol";
import {ReceiptLib} from "./libraries/ReceiptLib.sol";
import {ScoreLib} from "./libraries/ScoreLib.sol";
import {Batch, Fault, Proof, Rating} from "./types/Batch.sol";
import {KeyPeriods} from "./types/Rater.sol";
import {Receipt} from "./types/Receipt.sol";
import {PackedScore, Score} from "./types/Score.sol";

/// @notice Reliability scores in one storage slot a node, one a batch and one a rater. No account owns the contract, and
/// nothing in it can be replaced.
contract Reliability is IReliability, Bonds, KeyHistory, EIP712 {
    using RatingLib for *;
    using ReceiptLib for Receipt;
    using ScoreLib for uint256;

    /// @notice Most nodes of one `scores` call: near 3 million gas, which every RPC grants a call.
    uint256 public constant MAX_NODES_PER_CALL = 1000;
    /// @notice Most ratings of one batch: about 20 MB, which an auditor can be expected to read.
    uint256 public constant MAX_RATINGS = 65_536;
    /// @notice Time in which a receipt entitles to a rating: long enough to rate after using an answer.
    uint256 public constant RECEIPT_VALIDITY = 30 days;
    /// @notice Accepted difference between the clocks of nodes and of block producers.
    uint256 public constant CLOCK_SKEW = 2 minutes;
    /// @notice Time in which receipts of a replaced wallet stay valid, so that earlier ratings can be submitted.
    uint256 public constant KEY_GRACE_PERIOD = 2 days;
    /// @notice Age at which a recorded ownership counts against a batch: a younger one may have come while the batch waited.
    uint256 public constant CHECKPOINT_NOTICE = 1 hours;
    /// @notice Time to respond with a leaf. An availability challenge must leave one more day of the challenge window, in
    /// which the published leaf itself can be challenged.
    uint256 public constant RESPONSE_WINDOW = 4 days;
    /// @notice Fee that pays for the gas of a response, so that any account that kept a leaf publishes it.
    uint256 public constant AVAILABILITY_FEE = 0.001 ether;
    /// @notice The rating that counts as a weight of 1.
    uint256 public constant MAX_VALUE = 100;

    mapping(uint256 node => PackedScore) private _scores;
    mapping(address rater => mapping(uint32 number => bytes32)) private _commitments;
    mapping(bytes32 challenge => uint256 deadline) private _responseDeadlines;

    constructor(IIdentityRegistry identity_) KeyHistory(identity_) EIP712("knet", "1") {}

    /// @inheritdoc IReliability
    function submit(bytes32 root, bytes32 content, uint256[] calldata deltas, uint256 deadline)
        external
        returns (uint32 number)
    {
        if (block.timestamp > deadline) revert DeadlineExpired(block.timestamp, deadline);
        if (deltas.length == 0 || deltas.length > MAX_NODES) revert IncorrectBatchSize(deltas.length, MAX_NODES);
        number = _spend(_add(deltas));
        _commitments[msg.sender][number] = _hash(uint64(block.timestamp), root, content, deltas);
        emit Submitted(msg.sender, number, root, content, deltas);
    }

    /// @inheritdoc IReliability
    function challengeLeaf(Batch calldata batch, Proof calldata proof) external {
        _requireOpen(batch, CHALLENGE_WINDOW);
        _requireLeaf(batch, proof);
        Fault fault = _faultOf(batch, proof);
        if (fault == Fault.None) revert NoFault(batch.rater, batch.number, proof.index);
        _slashBatch(batch, fault);
    }

    /// @inheritdoc IReliability
    function challengeSum(Batch calldata batch, Proof calldata before, Proof calldata proof) external {
        _requireOpen(batch, CHALLENGE_WINDOW);
        _requireLeaf(batch, before);
        _requireLeaf(batch, proof);
        (, uint256 first,) = batch.deltas.deltaOf(proof.index);
        if (before.index + 1 != proof.index || proof.index == first) revert NotAdjacent(before.index, proof.index);
        if (proof.rating.follows(before.rating.positive, before.rating.negative)) {
            revert NoFault(batch.rater, batch.number, proof.index);
        }
        _slashBatch(batch, Fault.Sum);
    }

    /// @inheritdoc IReliability
    function challengeDuplicate(Batch calldata batch, Proof calldata proof, Batch calldata other, Proof calldata again)
        external
    {
        _requireOpen(batch, CHALLENGE_WINDOW);
        _requireLeaf(batch, proof);
        _requireKnown(other);
        _requireLeaf(other, again);
        bool same = batch.number == other.number && proof.index == again.index;
        if (batch.rater != other.rater || same || proof.rating.receipt.hash() != again.rating.receipt.hash()) {
            revert NoFault(batch.rater, batch.number, proof.index);
        }
        _slashBatch(batch, Fault.Duplicate);
    }

    /// @inheritdoc IReliability
    function voidUnavailable(Batch calldata batch, uint256 index, address challenger) external {
        _requireOpen(batch, CHALLENGE_WINDOW);
        uint256 deadline = _closeChallenge(_key(batch.rater, batch.number, index, challenger), challenger, index);
        if (block.timestamp <= deadline) revert ResponsePending(deadline);
        _removeBatch(batch);
        emit Voided(batch.rater, batch.number, challenger, index);
        Address.sendValue(payable(challenger), AVAILABILITY_FEE);
    }

    /// @inheritdoc IReliability
    function challengeAvailability(Batch calldata batch, uint256 index) external payable {
        if (msg.value != AVAILABILITY_FEE) revert IncorrectFee(msg.value, AVAILABILITY_FEE);
        _requireOpen(batch, CHALLENGE_WINDOW - RESPONSE_WINDOW - 1 days);
        if (index >= batch.deltas.size()) revert NotInBatch(batch.rater, batch.number, index);
        bytes32 key = _key(batch.rater, batch.number, index, msg.sender);
        if (_responseDeadlines[key] != 0) revert AlreadyChallenged(msg.sender, index);
        uint256 deadline = block.timestamp + RESPONSE_WINDOW;
        _responseDeadlines[key] = deadline;
        emit AvailabilityChallenged(batch.rater, batch.number, msg.sender, index, deadline);
    }

    /// @inheritdoc IReliability
    function respond(Batch calldata batch, Proof calldata proof, address challenger) external {
        _requireKnown(batch);
        _requireLeaf(batch, proof);
        uint256 deadline =
            _closeChallenge(_key(batch.rater, batch.number, proof.index, challenger), challenger, proof.index);
        bool isLate = block.timestamp > deadline && block.timestamp <= batch.submittedAt + CHALLENGE_WINDOW;
        if (isLate) revert DeadlineExpired(block.timestamp, deadline); // too late to challenge the leaf itself
        emit Responded(batch.rater, batch.number, challenger, proof.index);
        Address.sendValue(payable(msg.sender), AVAILABILITY_FEE);
    }

    /// @inheritdoc IReliability
    function reclaimFee(address rater, uint32 number, uint256 index) external {
        if (_commitments[rater][number] != 0) revert BatchActive(rater, number);
        _closeChallenge(_key(rater, number, index, msg.sender), msg.sender, index);
        Address.sendValue(payable(msg.sender), AVAILABILITY_FEE);
    }

    /// @inheritdoc IReliability
    function score(uint256 node) external view returns (Score memory) {
        return _scores[node].word.read(currentEpoch());
    }

    /// @inheritdoc IReliability
    function scores(uint256[] calldata nodes) external view returns (Score[] memory found) {
        if (nodes.length > MAX_NODES_PER_CALL) revert TooManyNodes(nodes.length, MAX_NODES_PER_CALL);
        found = new Score[](nodes.length);
        uint256 epoch = currentEpoch();
        for (uint256 i = 0; i < nodes.length; ++i) {
            found[i] = _scores[nodes[i]].word.read(epoch);
        }
    }

    /// @inheritdoc IReliability
    function commitmentOf(address rater, uint32 number) external view returns (bytes32) {
        return _commitments[rater][number];
    }

    /// @inheritdoc IReliability
    function digestOf(Receipt calldata receipt) public view returns (bytes32) {
        return _hashTypedDataV4(receipt.hash());
    }

    /// @dev Add each delta to its node and return the influence used. 256 numbers of 48 bits cannot overflow.
    function _add(uint256[] calldata deltas) private returns (uint256 weight) {
        uint256 epoch = currentEpoch();
        uint256 ratings = 0;
        for (uint256 i = 0; i < deltas.length; ++i) {
            uint256 delta = deltas[i];
            uint256 count = uint32(delta);
            unchecked {
                uint256 own = uint256(uint48(delta >> 80)) + uint48(delta >> 32);
                if (own < count || own > count * MAX_VALUE || count == 0) revert IncorrectDelta(i, delta);
                weight += own;
                ratings += count;
            }
            PackedScore storage score_ = _scores[delta >> 128];
            score_.word = score_.word.add(delta, epoch);
        }
        if (ratings > MAX_RATINGS) revert TooManyRatings(ratings, MAX_RATINGS);
    }

    /// @dev Remove a batch from the scores and slash its rater.
    function _slashBatch(Batch calldata batch, Fault fault) private {
        _removeBatch(batch);
        uint256 reward = _slash(batch.rater);
        emit Slashed(batch.rater, batch.number, msg.sender, fault, reward);
    }

    /// @dev Remove from the scores what has not faded of a batch.
    function _removeBatch(Batch calldata batch) private {
        delete _commitments[batch.rater][batch.number];
        uint256 epoch = currentEpoch();
        uint256 since = batch.submittedAt / EPOCH;
        for (uint256 i = 0; i < batch.deltas.length; ++i) {
            PackedScore storage score_ = _scores[batch.deltas[i] >> 128];
            score_.word = score_.word.remove(batch.deltas[i], since, epoch);
        }
    }

    function _faultOf(Batch calldata batch, Proof calldata proof) private view returns (Fault) {
        Rating calldata rating = proof.rating;
        Receipt calldata receipt = rating.receipt;
        if (rating.value == 0 || SignedMath.abs(rating.value) > MAX_VALUE) return Fault.Value;
        if (receipt.client != batch.rater) return Fault.Client;
        if (
            receipt.issuedAt > batch.submittedAt + CLOCK_SKEW
                || batch.submittedAt > uint256(receipt.issuedAt) + RECEIPT_VALIDITY
        ) return Fault.Time;
        (uint256 delta, uint256 first, uint256 last) = batch.deltas.deltaOf(proof.index);
        if (receipt.node != delta >> 128) return Fault.Sum;
        if (proof.index == first && !rating.follows(0, 0)) return Fault.Sum;
        if (proof.index == last && (rating.positive != uint48(delta >> 80) || rating.negative != uint48(delta >> 32))) {
            return Fault.Sum;
        }
        return _faultOfSigner(batch, rating);
    }

    function _faultOfSigner(Batch calldata batch, Rating calldata rating) private view returns (Fault) {
        uint256 node = rating.receipt.node;
        (address signer, ECDSA.RecoverError problem,) =
            ECDSA.tryRecover(digestOf(rating.receipt), rating.v, rating.r, rating.s);
        uint64 until = keyHistory(node, signer).walletUntil;
        if (problem != ECDSA.RecoverError.NoError || until == 0) return Fault.Signature;
        if (until != ONGOING && batch.submittedAt > until + KEY_GRACE_PERIOD) return Fault.Signature;
        KeyPeriods memory own = keyHistory(node, batch.rater);
        bool isWallet =
            own.walletSince != 0 && own.walletSince <= batch.submittedAt && batch.submittedAt <= own.walletUntil;
        bool isOwner = own.ownerSince != 0 && own.ownerSince + CHECKPOINT_NOTICE <= batch.submittedAt
            && batch.submittedAt <= own.ownerUntil;
        return signer == batch.rater || isWallet || isOwner ? Fault.SelfRating : Fault.None;
    }

    function _requireOpen(Batch calldata batch, uint256 window) private view {
        _requireKnown(batch);
        uint256 closed = batch.submittedAt + window;
        if (block.timestamp > closed) revert WindowClosed(batch.rater, batch.number, closed);
    }

    function _requireKnown(Batch calldata batch) private view {
        bytes32 hash = _hash(batch.submittedAt, batch.root, batch.content, batch.deltas);
        if (_commitments[batch.rater][batch.number] != hash) revert UnknownBatch(batch.rater, batch.number);
    }

    function _requireLeaf(Batch calldata batch, Proof calldata proof) private pure {
        if (!proof.isIn(batch.deltas.size(), batch.root)) revert NotInBatch(batch.rater, batch.number, proof.index);
    }

    function _closeChallenge(bytes32 key, address challenger, uint256 index) private returns (uint256 deadline) {
        deadline = _responseDeadlines[key];
        if (deadline == 0) revert NotChallenged(challenger, index);
        delete _responseDeadlines[key];
    }

    function _hash(uint64 submittedAt, bytes32 root, bytes32 content, uint256[] calldata deltas)
        private
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(submittedAt, root, content, deltas));
    }

    function _key(address rater, uint32 number, uint256 index, address challenger) private pure returns (bytes32) {
        return keccak256(abi.encode(rater, number, index, challenger));
    }
}
