// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {IBonds} from "../src/interfaces/IBonds.sol";
import {IKeyHistory} from "../src/interfaces/IKeyHistory.sol";
import {IReliability} from "../src/interfaces/IReliability.sol";
import {Batch, Rating} from "../src/types/Batch.sol";
import {Rater} from "../src/types/Rater.sol";
import {Score} from "../src/types/Score.sol";
import {Fixture} from "./utils/Fixture.sol";

contract ReliabilityTest is Fixture {
    uint256 internal constant BOND = 1 ether; // 100,000 hundredths an epoch

    function setUp() public override {
        super.setUp();
        bond(client, BOND);
        checkpointNode();
    }

    function submitDeltas(address rater, uint256[] memory deltas) internal {
        vm.prank(rater);
        reliability.submit(CONTENT, CONTENT, deltas, block.timestamp);
    }

    function refusesSubmission(uint256 delta, bytes memory reason) internal {
        vm.expectRevert(reason);
        submitDeltas(client, listOf(delta));
    }

    function listOf(uint256 delta) internal pure returns (uint256[] memory list) {
        list = new uint256[](1);
        list[0] = delta;
    }

    /// @dev Return deltas of `count` nodes with `each` ratings, two of three of them positive.
    function manyNodes(uint256 count, uint256 each) internal pure returns (uint256[] memory list) {
        list = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) {
            list[i] = deltaOf(1000 + i, each * 60, each * 20, each);
        }
    }

    function sumOf(uint256 node_) internal view returns (uint256, uint256, uint256) {
        Score memory sums = reliability.score(node_);
        return (sums.positive, sums.negative, sums.count);
    }

    function requireSum(uint256 node_, uint256 positive, uint256 negative, uint256 count) internal view {
        (uint256 p, uint256 n, uint256 c) = sumOf(node_);
        assert(p == positive && n == negative && c == count);
    }

    function test_submit_addsToTheSums() public {
        Rating[] memory list = ratings(3, 0);
        vm.expectEmit();
        emit IReliability.Submitted(client, 0, rootOf(list), CONTENT, deltasOf(list));
        Batch memory batch = submit(list);
        submit(one(honest(9, -5)));
        requireSum(node, 200, 45, 4);
        bytes32 kept = keccak256(abi.encode(batch.submittedAt, batch.root, batch.content, batch.deltas));
        assert(reliability.commitmentOf(client, 0) == kept && reliability.raterOf(client).batches == 2);
        assert(reliability.influenceOf(client) == 100_000 - 245);
    }

    function test_submit_costs() public {
        bond(client, 99 ether);
        submitDeltas(client, manyNodes(256, 2));
        submitDeltas(client, manyNodes(1, 2));
        vm.snapshotGasLastCall("submit 1 node");
        submitDeltas(client, manyNodes(20, 2));
        uint256 small = vm.snapshotGasLastCall("submit 20 nodes");
        submitDeltas(client, manyNodes(20, 50));
        vm.snapshotGasLastCall("submit 20 nodes, 50 ratings each");
        submitDeltas(client, manyNodes(21, 2));
        uint256 larger = vm.snapshotGasLastCall("submit 21 nodes");
        submitDeltas(client, manyNodes(256, 2));
        vm.snapshotGasLastCall("submit 256 nodes");
        assert(small / 20 <= 9000 && larger - small <= 7000);
        vm.warp(START + 1 weeks);
        submitDeltas(client, manyNodes(20, 2));
        uint256 next = vm.snapshotGasLastCall("submit 20 nodes, in the next epoch");
        assert(next / 20 <= 9000);
        vm.warp(START + 31 weeks);
        submitDeltas(client, manyNodes(20, 2));
        vm.snapshotGasLastCall("submit 20 nodes, 30 epochs later");
    }

    function test_submit_revertsWhenEmpty() public {
        vm.expectRevert(abi.encodeWithSelector(IReliability.IncorrectBatchSize.selector, 0, 256));
        submitDeltas(client, new uint256[](0));
    }

    function test_submit_revertsWhenAboutTooManyNodes() public {
        vm.expectRevert(abi.encodeWithSelector(IReliability.IncorrectBatchSize.selector, 257, 256));
        submitDeltas(client, manyNodes(257, 1));
    }

    function test_submit_revertsWhenItCarriesTooManyRatings() public {
        refusesSubmission(
            deltaOf(node, 65_537, 0, 65_537),
            abi.encodeWithSelector(IReliability.TooManyRatings.selector, 65_537, 65_536)
        );
    }

    function test_submit_revertsWhenDeadlinePassed() public {
        vm.expectRevert(abi.encodeWithSelector(IReliability.DeadlineExpired.selector, START, START - 1));
        vm.prank(client);
        reliability.submit(CONTENT, CONTENT, listOf(deltaOf(node, 1, 0, 1)), START - 1);
    }

    function testFuzz_submit_revertsWhenWeightDoesNotFitTheCount(uint48 positive, uint48 negative, uint16 count)
        public
    {
        uint256 delta = deltaOf(node, positive, negative, count);
        uint256 weight = uint256(positive) + negative;
        if (count == 0 || weight < count || weight > uint256(count) * 100) {
            return refusesSubmission(delta, abi.encodeWithSelector(IReliability.IncorrectDelta.selector, 0, delta));
        }
        bond(client, 100 ether);
        submitDeltas(client, listOf(delta));
        requireSum(node, positive, negative, count);
    }

    function test_submit_revertsWhenBondIsTooSmall() public {
        vm.expectRevert(abi.encodeWithSelector(IBonds.BondTooSmall.selector, stranger, 0, 0.01 ether));
        submitDeltas(stranger, listOf(deltaOf(node, 100, 0, 1)));
    }

    function testFuzz_submit_revertsWhenOverBudget(uint256 stake, uint256 weight) public {
        stake = 0.01 ether + stake % 10 ether;
        weight = 1 + weight % 2_000_000;
        bond(stranger, stake);
        uint256 budget = stake / 1e13;
        uint256[] memory deltas = listOf(deltaOf(node, weight, 0, (weight + 99) / 100));
        if (weight > budget) {
            vm.expectRevert(abi.encodeWithSelector(IBonds.OverBudget.selector, stranger, weight, budget));
        }
        submitDeltas(stranger, deltas);
        (uint256 positive,,) = sumOf(node);
        assert(positive == (weight > budget ? 0 : weight));
    }

    function test_submit_revertsWhenTheBudgetOfTheEpochIsSpent() public {
        uint256[] memory all = listOf(deltaOf(node, 100_000, 0, 1000));
        submitDeltas(client, all);
        assert(reliability.influenceOf(client) == 0);
        refusesSubmission(
            deltaOf(node, 1, 0, 1), abi.encodeWithSelector(IBonds.OverBudget.selector, client, 100_001, 100_000)
        );
        vm.warp((START / 1 weeks + 1) * 1 weeks);
        assert(reliability.influenceOf(client) == 100_000);
        submitDeltas(client, all);
    }

    /// @dev Return the influence that accounts have together with one bond split between them.
    function influenceOfSplit(uint256 accounts) internal returns (uint256 total) {
        uint256 target = 5000 + accounts;
        for (uint256 i = 0; i < accounts; ++i) {
            address account = address(uint160(0x5117 + 1000 * accounts + i));
            bond(account, BOND / accounts);
            uint256 influence = reliability.influenceOf(account);
            submitDeltas(account, listOf(deltaOf(target, influence, 0, (influence + 99) / 100)));
            assert(reliability.influenceOf(account) == 0);
        }
        return reliability.score(target).positive;
    }

    function test_submit_splitBondGainsNothing() public {
        uint256 whole = influenceOfSplit(1);
        assert(whole == 100_000);
        assert(influenceOfSplit(10) == whole && influenceOfSplit(100) == whole && influenceOfSplit(7) <= whole);
    }

    function test_unbond_capitalCannotServeTwoAccountsInOneEpoch() public {
        vm.warp((START / 1 weeks + 1) * 1 weeks); // the first second of an epoch
        submitDeltas(client, listOf(deltaOf(node, 100, 0, 1)));
        uint256 free = block.timestamp + 10 days;
        vm.warp((START / 1 weeks + 2) * 1 weeks - 1);
        vm.expectRevert(abi.encodeWithSelector(IBonds.BondLocked.selector, client, free));
        vm.prank(client);
        reliability.unbond(1);
    }

    function test_unbond_paysAfterTheWindowOfTheLastBatch() public {
        submitDeltas(client, listOf(deltaOf(node, 100, 0, 1)));
        vm.warp(START + 10 days);
        vm.expectRevert(abi.encodeWithSelector(IBonds.BondLocked.selector, client, START + 10 days));
        vm.prank(client);
        reliability.unbond(BOND);
        vm.warp(START + 10 days + 1);
        vm.prank(client);
        reliability.unbond(BOND);
        assert(client.balance == BOND && reliability.raterOf(client).bond == 0);
    }

    function test_unbond_revertsWhenMoreThanBonded() public {
        vm.expectRevert(abi.encodeWithSelector(IBonds.BondTooSmall.selector, client, BOND, BOND + 1));
        vm.prank(client);
        reliability.unbond(BOND + 1);
    }

    function test_bond_addsToTheBond() public {
        vm.expectEmit();
        emit IBonds.Bonded(client, 1, BOND + 1);
        bond(client, 1);
        Rater memory rater = reliability.raterOf(client);
        assert(rater.bond == BOND + 1 && address(reliability).balance == BOND + 1);
    }

    function test_bond_revertsWhenTooLarge() public {
        uint256 most = type(uint96).max;
        vm.deal(stranger, most + 1);
        vm.expectRevert(abi.encodeWithSelector(IBonds.BondTooLarge.selector, most + 1, most));
        vm.prank(stranger);
        reliability.bond{value: most + 1}();
    }

    function test_score_fadesByThreePercentAnEpoch() public {
        submitDeltas(client, listOf(deltaOf(node, 10_000, 1000, 110)));
        vm.warp(START + 1 weeks);
        requireSum(node, 9699, 969, 110); // rounded down
        vm.warp(START + 23 weeks);
        requireSum(node, 4963, 496, 110);
        vm.warp(START + 2000 weeks);
        requireSum(node, 0, 0, 110);
    }

    function testFuzz_score_fadesAlikeWithAndWithoutUpdates(uint8 epochs) public {
        for (uint256 i = 0; i < epochs % 40; ++i) {
            submitDeltas(client, listOf(i == 0 ? deltaOf(node, 50_000, 20_000, 700) : deltaOf(node, 1, 0, 1)));
            if (i == 0) submitDeltas(client, listOf(deltaOf(77, 20_000, 0, 700)));
            vm.warp(block.timestamp + 1 weeks);
        }
        uint256 touched = reliability.score(node).negative;
        uint256 alone = reliability.score(77).positive;
        assert(touched <= alone && alone - touched <= 1);
    }

    function test_scores_answersInTheOrderAsked() public {
        submit(ratings(1, 0));
        uint256[] memory nodes = new uint256[](3);
        (nodes[0], nodes[1], nodes[2]) = (7, node, 0);
        Score[] memory found = reliability.scores(nodes);
        assert(found.length == 3 && found[0].count == 0 && found[1].positive == 100 && found[2].count == 0);
    }

    function test_scores_revertsWhenTooMany() public {
        vm.expectRevert(abi.encodeWithSelector(IKeyHistory.TooManyNodes.selector, 1001, 1000));
        reliability.scores(new uint256[](1001));
    }

    function test_identity_isTheConstructorsArgument() public view {
        assert(address(reliability.identity()) == address(identity));
        assert(address(manifests.identity()) == address(identity));
    }
}
