// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IReliability} from "../src/interfaces/IReliability.sol";
import {Batch, Proof, Rating} from "../src/types/Batch.sol";
import {Audited} from "./utils/Audited.sol";

contract DemandTest is Audited {
    function demand(Batch memory batch, uint256 index) internal {
        vm.deal(AUDITOR, 0.001 ether);
        vm.prank(AUDITOR);
        reliability.demand{value: 0.001 ether}(batch, index);
    }

    function demandExpecting(Batch memory batch, uint256 index, bytes memory reason) internal {
        vm.deal(AUDITOR, 0.001 ether);
        vm.expectRevert(reason);
        vm.prank(AUDITOR);
        reliability.demand{value: 0.001 ether}(batch, index);
    }

    function test_challengeSilence_takesTheBondOfWhoDoesNotReveal() public {
        Batch memory batch = submit(ratings(3, 0));
        demand(batch, 2);
        vm.warp(START + 4 days + 1);
        vm.prank(AUDITOR);
        reliability.challengeSilence(batch, 2);
        assert(AUDITOR.balance == 0.001 ether && reliability.rewardOf(AUDITOR).amount == BOND / 2);
        assert(address(reliability).balance == BOND);
    }

    function test_challengeSilence_revertsWhenThereIsTimeOrNoDemandOrItWasRevealed() public {
        Rating[] memory list = ratings(3, 0);
        Batch memory batch = submit(list);
        demand(batch, 2);
        vm.warp(START + 4 days);
        vm.expectRevert(abi.encodeWithSelector(IReliability.StillTime.selector, START + 4 days));
        vm.prank(AUDITOR);
        reliability.challengeSilence(batch, 2);
        vm.expectRevert(abi.encodeWithSelector(IReliability.NotDemanded.selector, stranger, 2));
        vm.prank(stranger);
        reliability.challengeSilence(batch, 2);
        Proof memory proof = proofOf(list, 2);
        vm.expectEmit();
        emit IReliability.Revealed(client, 0, AUDITOR, 2);
        vm.prank(client);
        reliability.reveal(batch, proof, AUDITOR);
        assert(client.balance == 0.001 ether);
        vm.warp(START + 4 days + 1);
        vm.expectRevert(abi.encodeWithSelector(IReliability.NotDemanded.selector, AUDITOR, 2));
        vm.prank(AUDITOR);
        reliability.challengeSilence(batch, 2);
    }

    function test_reveal_revertsBetweenItsDeadlineAndTheEndOfTheWindow() public {
        Rating[] memory list = ratings(3, 0);
        Batch memory batch = submit(list);
        demand(batch, 2);
        Proof memory proof = proofOf(list, 2);
        vm.warp(START + 4 days + 1);
        vm.expectRevert(abi.encodeWithSelector(IReliability.TooLate.selector, START + 4 days + 1, START + 4 days));
        reliability.reveal(batch, proof, AUDITOR);
        vm.warp(START + 10 days + 1);
        vm.prank(client);
        reliability.reveal(batch, proof, AUDITOR);
        assert(client.balance == 0.001 ether);
    }

    function test_reveal_revertsWhenTheLeafIsAnother() public {
        Rating[] memory list = ratings(3, 0);
        Batch memory batch = submit(list);
        demand(batch, 2);
        Proof memory proof = proofOf(list, 1);
        vm.expectRevert(abi.encodeWithSelector(IReliability.NotDemanded.selector, AUDITOR, 1));
        reliability.reveal(batch, proof, AUDITOR);
    }

    function test_demand_revertsWhenFeeIsWrongOrRepeatedOrTooLateOrThereIsNoSuchLeaf() public {
        Batch memory batch = submit(ratings(3, 0));
        vm.expectRevert(abi.encodeWithSelector(IReliability.WrongFee.selector, 0, 0.001 ether));
        reliability.demand(batch, 0);
        demandExpecting(batch, 3, abi.encodeWithSelector(IReliability.NotInBatch.selector, client, 0, 3));
        demand(batch, 0);
        demandExpecting(batch, 0, abi.encodeWithSelector(IReliability.AlreadyDemanded.selector, AUDITOR, 0));
        vm.warp(START + 5 days + 1);
        demandExpecting(batch, 1, abi.encodeWithSelector(IReliability.WindowClosed.selector, client, 0, START + 5 days));
    }

    function test_reclaim_givesTheFeeBackWhenTheBatchFellForAnotherReason() public {
        Rating[] memory list = one(rate(receiptOf(1), STRANGER_KEY, 100));
        Batch memory batch = submit(list);
        demand(batch, 0);
        vm.expectRevert(abi.encodeWithSelector(IReliability.BatchStands.selector, client, 0));
        vm.prank(AUDITOR);
        reliability.reclaim(client, 0, 0);
        Proof memory proof = proofOf(list, 0);
        vm.prank(stranger);
        reliability.challengeLeaf(batch, proof);
        vm.prank(AUDITOR);
        reliability.reclaim(client, 0, 0);
        assert(AUDITOR.balance == 0.001 ether);
    }
}
