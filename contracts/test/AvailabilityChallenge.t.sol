// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IReliability} from "../src/interfaces/IReliability.sol";
import {Batch, Proof, Rating} from "../src/types/Batch.sol";
import {Audited} from "./utils/Audited.sol";

contract AvailabilityChallengeTest is Audited {
    function challenge(Batch memory batch, uint256 index) internal {
        vm.deal(AUDITOR, 0.001 ether);
        vm.prank(AUDITOR);
        reliability.challengeAvailability{value: 0.001 ether}(batch, index);
    }

    function refusesChallenge(Batch memory batch, uint256 index, bytes memory reason) internal {
        vm.deal(AUDITOR, 0.001 ether);
        vm.expectRevert(reason);
        vm.prank(AUDITOR);
        reliability.challengeAvailability{value: 0.001 ether}(batch, index);
    }

    function test_voidUnavailable_removesTheBatchAndLeavesTheBond() public {
        Batch memory batch = submit(ratings(3, 0));
        challenge(batch, 2);
        vm.warp(START + 4 days + 1);
        vm.expectEmit();
        emit IReliability.Voided(client, 0, AUDITOR, 2);
        vm.prank(stranger);
        reliability.voidUnavailable(batch, 2, AUDITOR);
        assert(AUDITOR.balance == 0.001 ether && reliability.rewardOf(AUDITOR).amount == 0);
        assert(reliability.raterOf(client).bond == BOND && address(reliability).balance == BOND);
        assert(reliability.score(node).count == 0 && reliability.score(node).positive == 0);
        assert(reliability.commitmentOf(client, 0) == 0);
        vm.warp(START + 10 days + 1);
        vm.prank(client);
        reliability.unbond(BOND);
    }

    function test_respond_paysAnyAccountThatKeptTheLeaf() public {
        Rating[] memory list = ratings(3, 0);
        Batch memory batch = submit(list);
        challenge(batch, 2);
        Proof memory proof = proofOf(list, 2);
        vm.prank(stranger);
        reliability.respond(batch, proof, AUDITOR);
        assert(stranger.balance == 0.001 ether && AUDITOR.balance == 0);
    }

    function test_voidUnavailable_revertsWhenPendingOrNotChallengedOrResponded() public {
        Rating[] memory list = ratings(3, 0);
        Batch memory batch = submit(list);
        challenge(batch, 2);
        vm.warp(START + 4 days);
        vm.expectRevert(abi.encodeWithSelector(IReliability.ResponsePending.selector, START + 4 days));
        vm.prank(AUDITOR);
        reliability.voidUnavailable(batch, 2, AUDITOR);
        vm.expectRevert(abi.encodeWithSelector(IReliability.NotChallenged.selector, stranger, 2));
        vm.prank(stranger);
        reliability.voidUnavailable(batch, 2, stranger);
        Proof memory proof = proofOf(list, 2);
        vm.expectEmit();
        emit IReliability.Responded(client, 0, AUDITOR, 2);
        vm.prank(client);
        reliability.respond(batch, proof, AUDITOR);
        assert(client.balance == 0.001 ether);
        vm.warp(START + 4 days + 1);
        vm.expectRevert(abi.encodeWithSelector(IReliability.NotChallenged.selector, AUDITOR, 2));
        vm.prank(AUDITOR);
        reliability.voidUnavailable(batch, 2, AUDITOR);
    }

    function test_respond_revertsBetweenItsDeadlineAndTheEndOfTheWindow() public {
        Rating[] memory list = ratings(3, 0);
        Batch memory batch = submit(list);
        challenge(batch, 2);
        Proof memory proof = proofOf(list, 2);
        vm.warp(START + 4 days + 1);
        vm.expectRevert(
            abi.encodeWithSelector(IReliability.DeadlineExpired.selector, START + 4 days + 1, START + 4 days)
        );
        reliability.respond(batch, proof, AUDITOR);
        vm.warp(START + 10 days + 1);
        vm.prank(client);
        reliability.respond(batch, proof, AUDITOR);
        assert(client.balance == 0.001 ether);
    }

    function test_respond_revertsWhenTheLeafIsAnother() public {
        Rating[] memory list = ratings(3, 0);
        Batch memory batch = submit(list);
        challenge(batch, 2);
        Proof memory proof = proofOf(list, 1);
        vm.expectRevert(abi.encodeWithSelector(IReliability.NotChallenged.selector, AUDITOR, 1));
        reliability.respond(batch, proof, AUDITOR);
    }

    function test_challengeAvailability_revertsWhenFeeIsIncorrectOrRepeatedOrTooLateOrLeafIsUnknown() public {
        Batch memory batch = submit(ratings(3, 0));
        vm.expectRevert(abi.encodeWithSelector(IReliability.IncorrectFee.selector, 0, 0.001 ether));
        reliability.challengeAvailability(batch, 0);
        refusesChallenge(batch, 3, abi.encodeWithSelector(IReliability.NotInBatch.selector, client, 0, 3));
        challenge(batch, 0);
        refusesChallenge(batch, 0, abi.encodeWithSelector(IReliability.AlreadyChallenged.selector, AUDITOR, 0));
        vm.warp(START + 5 days + 1);
        refusesChallenge(
            batch, 1, abi.encodeWithSelector(IReliability.WindowClosed.selector, client, 0, START + 5 days)
        );
    }

    function test_reclaimFee_returnsTheFeeWhenTheBatchWasRemovedForAnotherReason() public {
        Rating[] memory list = one(rate(receiptOf(1), STRANGER_KEY, 100));
        Batch memory batch = submit(list);
        challenge(batch, 0);
        vm.expectRevert(abi.encodeWithSelector(IReliability.BatchActive.selector, client, 0));
        vm.prank(AUDITOR);
        reliability.reclaimFee(client, 0, 0);
        Proof memory proof = proofOf(list, 0);
        vm.prank(stranger);
        reliability.challengeLeaf(batch, proof);
        vm.prank(AUDITOR);
        reliability.reclaimFee(client, 0, 0);
        assert(AUDITOR.balance == 0.001 ether);
    }
}
