// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Batch, Proof, Rating} from "../src/types/Batch.sol";
import {Score} from "../src/types/Score.sol";
import {Fixture} from "./utils/Fixture.sol";

/// @dev Actions of honest and hostile raters, auditors and nodes in any order, with a fixed amount of capital that they
/// pass to each other. Expected sums are counted beside the contracts.
contract Network is Fixture {
    uint256 public constant CAPITAL = 3 ether;
    uint256 internal constant RATERS = 3;
    uint256 internal constant FEE = 0.001 ether;

    uint256[RATERS] internal keys = [CLIENT_KEY, 0xC11E18, 0xC11E19];
    Batch[] internal batches;
    mapping(uint256 index => Rating) internal leaves; // each batch has one
    mapping(uint256 index => bool) internal isForged;
    mapping(uint256 index => bool) internal isRemoved;
    mapping(uint256 epoch => uint256) internal influence;
    uint256 internal fees;
    uint256 internal nonces;
    uint256 internal time = START;
    uint64 internal sequence;
    bytes32 internal digest;

    constructor() {
        super.setUp();
        vm.deal(vm.addr(keys[0]), CAPITAL);
        vm.deal(address(this), 0);
        checkpointNode();
    }

    /// @dev Do nothing: the fuzzer calls every public function, and a second deployment would forget the first.
    function setUp() public override {}

    function stake(uint8 actor, uint256 amount) external {
        address rater = vm.addr(keys[actor % RATERS]);
        amount = rater.balance < 0.3 ether ? rater.balance : 0.3 ether + amount % (rater.balance - 0.3 ether + 1);
        vm.prank(rater);
        reliability.bond{value: amount}();
    }

    function unstake(uint8 actor) external {
        address rater = vm.addr(keys[actor % RATERS]);
        uint256 amount = reliability.raterOf(rater).bond;
        uint256 last = reliability.raterOf(rater).lastBatchAt;
        vm.prank(rater);
        try reliability.unbond(amount) {
            assert(time > last + 10 days);
        } catch {
            assert(time <= last + 10 days);
        }
    }

    function claim(uint8 actor) external {
        vm.warp(time);
        address account = vm.addr(keys[actor % RATERS]);
        uint256 epoch = reliability.rewardOf(account).epoch;
        vm.prank(account);
        try reliability.claim() {
            assert(time / 1 weeks > epoch);
        } catch {}
    }

    function pass(uint8 from, uint8 to) external {
        address sender = vm.addr(keys[from % RATERS]);
        uint256 amount = sender.balance;
        vm.deal(sender, 0);
        address receiver = vm.addr(keys[to % RATERS]);
        vm.deal(receiver, receiver.balance + amount);
    }

    function wait(uint256 duration) external {
        time += duration % 6 days;
        vm.warp(time);
    }

    /// @dev Submit one rating, honest or forged.
    function rate(uint8 actor, int8 value, bool forged) external {
        vm.warp(time);
        uint256 key = keys[actor % RATERS];
        address rater = vm.addr(key);
        Rating memory rating = honest(++nonces, value);
        rating.receipt.client = rater;
        rating.receipt.issuedAt = uint64(time);
        rating = rateAgain(rating, forged ? STRANGER_KEY : OWNER_KEY);
        Rating[] memory list = one(rating);
        uint256[] memory deltas = deltasOf(list);
        bytes32 root = rootOf(list);
        vm.prank(rater);
        try reliability.submit(root, CONTENT, deltas, time) returns (uint32 number) {
            influence[time / 1 weeks] += uint256(list[0].positive) + list[0].negative;
            leaves[batches.length] = list[0];
            isForged[batches.length] = forged;
            batches.push(Batch(rater, number, uint64(time), root, CONTENT, deltas));
        } catch {}
    }

    function rateMuch(uint8 actor, uint32 weight) external {
        vm.warp(time);
        address rater = vm.addr(keys[actor % RATERS]);
        uint256 most = reliability.influenceOf(rater);
        uint256 used = weight % 3 == 0 ? most + 1 : most;
        uint256[] memory deltas = new uint256[](1);
        deltas[0] = deltaOf(5, used, 0, (used + 99) / 100);
        vm.prank(rater);
        try reliability.submit(CONTENT, CONTENT, deltas, time) {
            assert(used <= most);
            influence[time / 1 weeks] += used;
        } catch {}
    }

    function accuse(uint256 index, uint8 actor) external {
        if (batches.length == 0) return;
        vm.warp(time);
        index = index % batches.length;
        Batch memory batch = batches[index];
        Proof memory proof = Proof(0, leaves[index], new bytes32[](0));
        address auditor = vm.addr(keys[actor % RATERS]);
        vm.prank(auditor);
        try reliability.challengeLeaf(batch, proof) {
            assert(isForged[index] && !isRemoved[index] && time <= batch.submittedAt + 10 days);
            isRemoved[index] = true;
        } catch {
            assert(!isForged[index] || isRemoved[index] || time > batch.submittedAt + 10 days);
        }
    }

    function challengeAvailability(uint256 index, uint8 actor) external {
        address auditor = vm.addr(keys[actor % RATERS]);
        if (batches.length == 0 || auditor.balance < FEE) return;
        Batch memory batch = batches[index % batches.length];
        vm.prank(auditor);
        try reliability.challengeAvailability{value: FEE}(batch, 0) {
            fees += FEE;
        } catch {}
    }

    function endChallenge(uint256 index, uint8 actor, uint8 how) external {
        if (batches.length == 0) return;
        index = index % batches.length;
        Batch memory batch = batches[index];
        address auditor = vm.addr(keys[actor % RATERS]);
        vm.prank(auditor);
        if (how % 3 == 0) {
            try reliability.voidUnavailable(batch, 0, auditor) {
                (fees, isRemoved[index]) = (fees - FEE, true);
            } catch {}
        } else if (how % 3 == 1) {
            try reliability.respond(batch, Proof(0, leaves[index], new bytes32[](0)), auditor) {
                fees -= FEE;
            } catch {}
        } else {
            try reliability.reclaimFee(batch.rater, batch.number, 0) {
                fees -= FEE;
            } catch {}
        }
    }

    function publish(uint64 given, bytes32 manifest, bool hostile) external {
        given = given % 4 + sequence;
        vm.prank(hostile ? stranger : owner);
        try manifests.publish(node, given, manifest) {
            assert(!hostile && given == sequence + 1);
            (sequence, digest) = (given, manifest);
        } catch {}
    }

    /// @dev Check that wei are neither created nor lost.
    function checkBonds() external view {
        uint256 bonds = 0;
        uint256 balances = 0;
        for (uint256 i = 0; i < RATERS; ++i) {
            bonds += reliability.raterOf(vm.addr(keys[i])).bond;
            bonds += reliability.rewardOf(vm.addr(keys[i])).amount + reliability.bountyOf(vm.addr(keys[i]));
            balances += vm.addr(keys[i]).balance;
        }
        assert(address(reliability).balance == bonds + reliability.burnt() + fees);
        assert(address(reliability).balance + balances == CAPITAL);
    }

    /// @dev Check that in every epoch all raters together use at most the influence of their capital.
    function checkInfluence() external view {
        for (uint256 epoch = START / 1 weeks; epoch <= time / 1 weeks; ++epoch) {
            assert(influence[epoch] <= CAPITAL / 1e13);
        }
    }

    /// @dev Check that a score never exceeds the ratings of its active batches.
    function checkScores() external view {
        uint256 positive = 0;
        uint256 negative = 0;
        uint256 count = 0;
        for (uint256 i = 0; i < batches.length; ++i) {
            if (isRemoved[i]) continue;
            (positive, negative, count) = (positive + leaves[i].positive, negative + leaves[i].negative, count + 1);
        }
        Score memory sums = reliability.score(node);
        assert(sums.positive <= positive && sums.negative <= negative && sums.count == count);
        assert(reliability.score(5).positive <= 34 * CAPITAL / 1e13);
        assert(manifests.head(node).sequence == sequence && manifests.head(node).digest == digest);
    }

    function rateAgain(Rating memory rating, uint256 key) private view returns (Rating memory) {
        return rate(rating.receipt, key, rating.value);
    }
}

contract InvariantTest {
    Network internal network;

    function setUp() public {
        network = new Network();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(network);
    }

    function invariant_bondsAreConserved() public view {
        network.checkBonds();
    }

    function invariant_influenceNeverExceedsTheBudget() public view {
        network.checkInfluence();
    }

    function invariant_scoresAreInRange() public view {
        network.checkScores();
    }
}
