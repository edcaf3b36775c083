// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IReliability} from "../../src/interfaces/IReliability.sol";
import {Batch, Fault, Proof, Rating} from "../../src/types/Batch.sol";
import {Score} from "../../src/types/Score.sol";
import {Fixture} from "./Fixture.sol";

/// @dev A bonded rater, a checkpointed node, and an auditor without funds.
contract Audited is Fixture {
    uint256 internal constant BOND = 1 ether;
    address internal constant AUDITOR = address(0xA0D17);

    function setUp() public virtual override {
        super.setUp();
        bond(client, BOND);
        checkpointNode();
    }

    function challengeLeaf(Batch memory batch, Rating[] memory list, uint256 index) internal {
        Proof memory proof = proofOf(list, index); // first: hashing is a call, and would take the prank
        vm.prank(AUDITOR);
        reliability.challengeLeaf(batch, proof);
    }

    function refuses(Batch memory batch, Rating[] memory list, uint256 index, bytes memory reason) internal {
        Proof memory proof = proofOf(list, index);
        vm.expectRevert(reason);
        vm.prank(AUDITOR);
        reliability.challengeLeaf(batch, proof);
    }

    function hasNoFault(Batch memory batch, Rating[] memory list, uint256 index) internal {
        refuses(batch, list, index, noFault(batch, index));
    }

    function noFault(Batch memory batch, uint256 index) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IReliability.NoFault.selector, batch.rater, batch.number, index);
    }

    function requireSlashed(Batch memory batch) internal view {
        assert(reliability.commitmentOf(batch.rater, batch.number) == 0);
        assert(reliability.raterOf(batch.rater).bond == 0);
        assert(reliability.rewardOf(AUDITOR).amount == BOND / 2 && AUDITOR.balance == 0);
        assert(reliability.bountyOf(batch.rater) == BOND / 8 && reliability.burnt() == BOND - BOND / 2 - BOND / 8);
        for (uint256 i = 0; i < batch.deltas.length; ++i) {
            Score memory sums = reliability.score(batch.deltas[i] >> 128);
            assert(sums.positive == 0 && sums.negative == 0);
        }
    }

    function slashes(Batch memory batch, Rating[] memory list, uint256 index, Fault fault) internal {
        Proof memory proof = proofOf(list, index);
        vm.expectEmit();
        emit IReliability.Slashed(batch.rater, batch.number, AUDITOR, fault, BOND / 2);
        vm.prank(AUDITOR);
        reliability.challengeLeaf(batch, proof);
    }

    function slashes(Rating memory rating, Fault fault) internal {
        Rating[] memory list = ratings(3, 100);
        list[1] = rating;
        sumUp(list);
        Batch memory batch = submit(list);
        slashes(batch, list, 1, fault);
        requireSlashed(batch);
    }

    function challengeDuplicate(Batch memory batch, Proof memory proof, Batch memory other, Proof memory again)
        internal
    {
        vm.prank(AUDITOR);
        reliability.challengeDuplicate(batch, proof, other, again);
    }
}
