// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IBonds} from "../src/interfaces/IBonds.sol";
import {IReliability} from "../src/interfaces/IReliability.sol";
import {Reliability} from "../src/Reliability.sol";
import {Batch, Fault, Proof, Rating} from "../src/types/Batch.sol";
import {Receipt} from "../src/types/Receipt.sol";
import {Score} from "../src/types/Score.sol";
import {Audited} from "./utils/Audited.sol";

contract ChallengeTest is Audited {
    // --- one leaf ---------------------------------------------------------------------------------------------------

    function testFuzz_challengeLeaf_revertsWhenHonest(uint8 count, uint8 index) public {
        Rating[] memory list = ratings(1 + count % 40, 0);
        hasNoFault(submit(list), list, index % list.length);
    }

    function test_challengeLeaf_costs() public {
        Rating[] memory list = ratings(64, 0);
        list[63] = rate(receiptOf(63), STRANGER_KEY, 100);
        sumUp(list);
        Batch memory batch = submit(list);
        challengeLeaf(batch, list, 63);
        vm.snapshotGasLastCall("challenge a leaf of 64");
    }

    function testFuzz_challengeLeaf_slashesValuesOutOfRange(int8 value) public {
        Rating[] memory list = ratings(3, 0);
        for (uint256 i = 0; i < 3; ++i) {
            list[i].value = i == 1 ? value : int8(2);
        }
        sumUp(list);
        Batch memory batch = submitAs(client, list, deltasOf(list));
        if (value != 0 && value <= 100 && value >= -100) hasNoFault(batch, list, 1);
        else slashes(batch, list, 1, Fault.Value);
    }

    function test_challengeLeaf_slashesReceiptsOfOthers() public {
        Receipt memory receipt = receiptOf(1);
        receipt.client = stranger;
        slashes(rate(receipt, OWNER_KEY, 100), Fault.Client);
    }

    function test_challengeLeaf_slashesReceiptsOfTheFuture() public {
        Receipt memory receipt = receiptOf(1);
        receipt.issuedAt = START + 2 minutes;
        Rating[] memory list = one(rate(receipt, OWNER_KEY, 100));
        hasNoFault(submit(list), list, 0);
        receipt.issuedAt += 1;
        list = one(rate(receipt, OWNER_KEY, 100));
        slashes(submit(list), list, 0, Fault.Time);
    }

    function test_challengeLeaf_slashesExpiredReceipts() public {
        vm.warp(START + 30 days);
        Rating[] memory list = one(honest(1, 100));
        hasNoFault(submit(list), list, 0);
        vm.warp(START + 30 days + 1);
        list = one(honest(2, 100));
        slashes(submit(list), list, 0, Fault.Time);
    }

    function test_challengeLeaf_slashesForgedSignatures() public {
        slashes(rate(receiptOf(1), STRANGER_KEY, 100), Fault.Signature);
    }

    function test_challengeLeaf_slashesMalleatedSignatures() public {
        Rating memory rating = honest(1, 100);
        uint256 n = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
        (rating.s, rating.v) = (bytes32(n - uint256(rating.s)), rating.v == 27 ? 28 : 27);
        slashes(rating, Fault.Signature);
    }

    function testFuzz_challengeLeaf_slashesChangedReceipts(uint256 field, bytes32 difference) public {
        if (difference == 0) difference = bytes32(uint256(1));
        Rating memory rating = honest(1, 100);
        if (field % 4 == 0) rating.receipt.manifest ^= difference;
        else if (field % 4 == 1) rating.receipt.query ^= difference;
        else if (field % 4 == 2) rating.receipt.results ^= difference;
        else rating.receipt.nonce ^= difference;
        slashes(rating, Fault.Signature);
    }

    function test_challengeLeaf_slashesReceiptsOfAnotherContract() public {
        Receipt memory receipt = receiptOf(1);
        Rating memory rating = honest(1, 100);
        (rating.v, rating.r, rating.s) = vm.sign(OWNER_KEY, new Reliability(identity).digestOf(receipt));
        slashes(rating, Fault.Signature);
    }

    function test_challengeLeaf_slashesReceiptsOfNodesThatDoNotExist() public {
        Receipt memory receipt = receiptOf(1);
        receipt.node = 99;
        Rating[] memory list = one(rate(receipt, OWNER_KEY, 100));
        slashes(submit(list), list, 0, Fault.Signature);
    }

    function test_challengeLeaf_slashesReceiptsThatTheRaterSigned() public {
        rotateWallet(CLIENT_KEY);
        checkpointNode();
        slashes(rate(receiptOf(1), CLIENT_KEY, 100), Fault.SelfRating);
    }

    function test_challengeLeaf_slashesRatingsByTheOwner() public {
        bond(owner, BOND);
        rotateWallet(STRANGER_KEY);
        checkpointNode();
        vm.warp(START + 1 hours);
        Receipt memory receipt = receiptOf(1);
        receipt.client = owner;
        Rating[] memory list = one(rate(receipt, STRANGER_KEY, 100));
        slashes(submitAs(owner, list, deltasOf(list)), list, 0, Fault.SelfRating);
    }

    function test_challengeLeaf_revertsWhenRaterBecameOwnerWithinTheNotice() public {
        Rating[] memory list = one(honest(1, -100));
        vm.prank(owner);
        identity.transferFrom(owner, client, node);
        checkpointNode();
        vm.warp(START + 1 hours - 1);
        hasNoFault(submit(list), list, 0);
        vm.warp(START + 1 hours);
        slashes(submit(list), list, 0, Fault.SelfRating);
    }

    function test_challengeLeaf_revertsWhenWalletWasReplacedWithinTheGracePeriod() public {
        Rating[] memory list = one(honest(1, -100));
        Batch memory early = submit(list);
        rotateWallet(STRANGER_KEY);
        checkpointNode();
        hasNoFault(early, list, 0);
        vm.warp(START + 2 days);
        list = one(honest(2, -100));
        hasNoFault(submit(list), list, 0);
        list = one(rate(receiptOf(3), STRANGER_KEY, 100));
        hasNoFault(submit(list), list, 0);
        vm.warp(START + 2 days + 1);
        list = one(honest(4, 100));
        slashes(submit(list), list, 0, Fault.Signature);
    }

    function test_challengeLeaf_slashesLeavesOfAnotherNode() public {
        Rating[] memory list = ratings(2, 0);
        uint256[] memory deltas = deltasOf(list);
        deltas[0] = deltaOf(7, 200, 0, 2);
        slashes(submitAs(client, list, deltas), list, 0, Fault.Sum);
    }

    function test_challengeLeaf_slashesAFirstLeafThatBringsSums() public {
        Rating[] memory list = ratings(2, 0);
        (list[0].value, list[1].value) = (10, 10);
        (list[0].positive, list[1].positive) = (11, 21);
        uint256[] memory deltas = deltasOf(list);
        slashes(submitAs(client, list, deltas), list, 0, Fault.Sum);
    }

    function testFuzz_challengeLeaf_slashesALastLeafThatIsNotTheDelta(uint48 positive, uint48 negative) public {
        (positive, negative) = (1 + positive % 150, 1 + negative % 150);
        Rating[] memory list = ratings(3, 0); // 200 for and 40 against
        uint256[] memory deltas = deltasOf(list);
        deltas[0] = deltaOf(node, positive, negative, 3);
        slashes(submitAs(client, list, deltas), list, 2, Fault.Sum);
    }

    // --- two leaves -------------------------------------------------------------------------------------------------

    function testFuzz_challengeSum_slashesASumThatDoesNotFollow(uint8 count, uint8 place, uint48 extra) public {
        Rating[] memory list = ratings(3 + count % 30, 0);
        uint256 index = 1 + place % (list.length - 2);
        list[index].negative += 1 + extra % 1000;
        Batch memory batch = submit(list);
        (Proof memory before, Proof memory proof) = (proofOf(list, index - 1), proofOf(list, index));
        vm.prank(AUDITOR);
        reliability.challengeSum(batch, before, proof);
        requireSlashed(batch);
    }

    function test_challengeSum_revertsWhenHonestOrNotAdjacent() public {
        Rating[] memory list = ratings(4, 0);
        Batch memory batch = submit(list);
        (Proof memory first, Proof memory second, Proof memory third) =
            (proofOf(list, 0), proofOf(list, 1), proofOf(list, 2));
        vm.expectRevert(noFault(batch, 2));
        reliability.challengeSum(batch, second, third);
        vm.expectRevert(abi.encodeWithSelector(IReliability.NotAdjacent.selector, 0, 2));
        reliability.challengeSum(batch, first, third);
    }

    function test_challengeSum_revertsWhenLeavesAreOfTwoNodes() public {
        Rating[] memory list = ratings(2, 0);
        list[1].receipt.node = 7;
        sumUp(list);
        Batch memory batch = submit(list);
        (Proof memory first, Proof memory second) = (proofOf(list, 0), proofOf(list, 1));
        vm.expectRevert(abi.encodeWithSelector(IReliability.NotAdjacent.selector, 0, 1));
        reliability.challengeSum(batch, first, second);
    }

    function test_challengeDuplicate_slashesAReceiptTwiceInOneBatch() public {
        Rating[] memory list = ratings(5, 0);
        list[4] = list[1];
        sumUp(list);
        Batch memory batch = submit(list);
        challengeDuplicate(batch, proofOf(list, 4), batch, proofOf(list, 1));
        requireSlashed(batch);
    }

    function test_challengeDuplicate_slashesAReceiptInTwoBatches() public {
        Rating[] memory list = ratings(3, 0);
        Batch memory first = submit(list);
        vm.warp(START + 29 days);
        Rating[] memory again = two(honest(50, 100), honest(2, -100));
        Batch memory second = submit(again);
        challengeDuplicate(second, proofOf(again, 1), first, proofOf(list, 2));
        assert(reliability.commitmentOf(client, 0) != 0 && reliability.commitmentOf(client, 1) == 0);
        assert(reliability.score(node).count == 3 && reliability.rewardOf(AUDITOR).amount == BOND / 2);
    }

    function test_challengeDuplicate_revertsWhenItIsTheSameLeafOrAnotherReceiptOrRater() public {
        Rating[] memory list = ratings(2, 0);
        Batch memory batch = submit(list);
        (Proof memory first, Proof memory second) = (proofOf(list, 0), proofOf(list, 1));
        vm.expectRevert(noFault(batch, 0));
        reliability.challengeDuplicate(batch, first, batch, first);
        vm.expectRevert(noFault(batch, 0));
        reliability.challengeDuplicate(batch, first, batch, second);
        bond(stranger, BOND);
        Batch memory copied = submitAs(stranger, list, deltasOf(list));
        vm.expectRevert(noFault(batch, 0));
        reliability.challengeDuplicate(batch, first, copied, first);
    }

    // --- conditions of every challenge -------------------------------------------------------------------------------------

    function test_challengeLeaf_revertsWhenNotInTheBatch() public {
        Rating[] memory list = ratings(3, 0);
        Batch memory batch = submit(list);
        list[1].value = 99;
        refuses(batch, list, 1, abi.encodeWithSelector(IReliability.NotInBatch.selector, client, 0, 1));
    }

    function testFuzz_challengeLeaf_revertsWhenTheBatchIsAnother(uint8 field) public {
        Rating[] memory list = one(rate(receiptOf(1), STRANGER_KEY, 100));
        Batch memory batch = submit(list);
        if (field % 6 == 0) batch.rater = stranger;
        else if (field % 6 == 1) batch.number = 1;
        else if (field % 6 == 2) batch.submittedAt += 1;
        else if (field % 6 == 3) batch.root = CONTENT;
        else if (field % 6 == 4) batch.content = 0;
        else batch.deltas[0] += 1 << 128;
        refuses(batch, list, 0, abi.encodeWithSelector(IReliability.UnknownBatch.selector, batch.rater, batch.number));
    }

    function test_challengeLeaf_revertsWhenWindowClosed() public {
        Rating[] memory list = one(rate(receiptOf(1), STRANGER_KEY, 100));
        Batch memory batch = submit(list);
        vm.warp(START + 10 days + 1);
        refuses(batch, list, 0, abi.encodeWithSelector(IReliability.WindowClosed.selector, client, 0, START + 10 days));
        vm.warp(START + 10 days);
        challengeLeaf(batch, list, 0);
        assert(reliability.rewardOf(AUDITOR).amount == BOND / 2);
    }

    function test_challengeLeaf_slashingTheSendersOwnBondCostsHalfOfIt() public {
        Rating[] memory list = one(rate(receiptOf(1), STRANGER_KEY, 100));
        Batch memory batch = submit(list);
        Proof memory proof = proofOf(list, 0);
        vm.prank(client);
        reliability.challengeLeaf(batch, proof);
        assert(reliability.rewardOf(client).amount == BOND / 2 && reliability.score(node).positive == 0);
    }

    function test_challengeLeaf_paysInTheNextEpoch() public {
        bond(stranger, 0.01 ether);
        Rating[] memory list = one(rate(receiptOf(1), STRANGER_KEY, 100));
        Batch memory batch = submit(list);
        Proof memory proof = proofOf(list, 0);
        vm.prank(stranger);
        reliability.challengeLeaf(batch, proof);
        assert(stranger.balance == 0 && reliability.influenceOf(stranger) == 0.01 ether / 1e13);
        uint256 free = (block.timestamp / 1 weeks + 1) * 1 weeks;
        vm.warp(free - 1);
        vm.expectRevert(abi.encodeWithSelector(IBonds.RewardLocked.selector, stranger, free));
        vm.prank(stranger);
        reliability.claim();
        vm.warp(free);
        vm.prank(stranger);
        reliability.claim();
        assert(stranger.balance == BOND / 2);
        vm.expectRevert(abi.encodeWithSelector(IBonds.NothingToClaim.selector, stranger));
        vm.prank(stranger);
        reliability.claim();
    }

    function test_challengeLeaf_paysForOtherBatchesOfASlashedRater() public {
        Rating[] memory forged = one(rate(receiptOf(1), STRANGER_KEY, 100));
        Batch[3] memory all = [submit(forged), submit(forged), submit(forged)];
        for (uint256 i = 0; i < 3; ++i) {
            challengeLeaf(all[i], forged, 0);
        }
        assert(reliability.rewardOf(AUDITOR).amount == BOND / 2 + BOND / 16 + BOND / 32);
        assert(reliability.bountyOf(client) == BOND / 32 && reliability.burnt() == BOND * 3 / 8);
        assert(address(reliability).balance == BOND);
    }

    function test_challengeLeaf_removesOnlyItsOwnBatchAndItsRemainingWeight() public {
        submit(ratings(2, 0));
        Rating[] memory list = two(honest(10, 100), rate(receiptOf(11), STRANGER_KEY, -100));
        Batch memory batch = submit(list);
        vm.warp((START / 1 weeks + 1) * 1 weeks);
        challengeLeaf(batch, list, 1);
        Score memory sums = reliability.score(node);
        assert(sums.positive == 193 || sums.positive == 194); // 3 % of 200 faded
        assert(sums.negative == 0 && sums.count == 2);
    }
}
